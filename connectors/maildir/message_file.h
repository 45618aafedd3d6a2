// A message's file, read as IMAP would give it. Blocks.
//
// What we wrote is just what we were given, CRLF and all. Other programs keep lines that end in LF:
// those end in CRLF here, as Dovecot serves them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "connectors/files/file.h"
#include "connectors/files/wire_text.h"
#include "connectors/maildir/file_name.h"
#include "engine/model.h"

namespace postferry::maildir {

/// When it arrived: the file's time, in the zone that its name tells.
InternalDate date_of(const struct stat& status, const FileName& name);
/// What the message's size is thought to be without reading it: exact for our own and where the
/// name tells W=, else that of the file.
std::uint64_t likely_size(const struct stat& status, const FileName& name);

class MessageFile {
 public:
  /// Nothing where it is gone. Throws Error{local} when it cannot be opened.
  static std::optional<MessageFile> open(const std::string& path, const FileName& name);

  InternalDate date() const { return date_; }
  /// Exact; may have to read the file.
  std::uint64_t size_bytes() const;
  /// The next piece, of about `limit` bytes; empty at the end.
  std::string next(std::size_t limit);

 private:
  MessageFile(files::File file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  files::File file_;
  std::string path_;
  bool exact_ = false;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t at_ = 0;
  InternalDate date_;
  files::WireText text_;
};

}  // namespace postferry::maildir
