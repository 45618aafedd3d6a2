// One mbox that is filled: its UIDs, its tail, its flags. Every call blocks, and takes the file's
// locks for as long as it lasts.
//
// UIDs are those of X-UID, UIDVALIDITY and the last UID those of X-IMAPbase in the first message,
// as Dovecot and Pine keep them; so are the keywords there, of all messages. The last UID is
// written after a batch is whole and on the disk: of what a killed process left behind it, a
// message that is not whole is cut off, also where other mail has come after it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/files/patiently.h"
#include "connectors/mbox/index.h"
#include "connectors/mbox/lock.h"

namespace postferry::mbox {

using files::Moment;

/// A message on its way in: its bytes, or a file of them.
struct Incoming {
  std::string_view bytes;
  files::File spooled;  // where it is open
  std::uint64_t size_bytes = 0;
  Form form = Form::lines;
  Flags flags;
  InternalDate date;
};

class TargetFile {
 public:
  /// Of what a link leads to: locks and a new file belong beside that.
  explicit TargetFile(const std::string& path, bool look_only = false)
      : path_(files::real_path(path)), look_only_(look_only) {}

  const std::string& path() const { return path_; }
  /// UIDVALIDITY and UIDNEXT by the beginning of the file, as far as that tells.
  static FolderNumbers glance(const std::string& path);

  // Each is false, or nothing, when another program holds a lock: try again.

  /// Sees the file as it is now. Where we only look, it may lack, and nothing in it is mended.
  bool refresh(Moment now);
  /// Adds a batch at the end, all of it or nothing.
  std::optional<std::vector<Uid>> append(const std::vector<Incoming>& batch, Moment now);
  /// Changes flags where they stand; where there is no room, by a new file in the place of this.
  bool change_flags(const std::vector<Uid>& uids, const Flags& flags, bool add, Moment now);
  /// By a new file in the place of this.
  bool remove(const std::vector<Uid>& uids, Moment now);

  FolderNumbers numbers() const;
  const std::vector<Entry>& entries() const { return entries_; }
  std::optional<std::size_t> find(Uid uid) const;
  std::unique_ptr<files::MessageReader> read(std::size_t index) const {
    return read_message(bytes_, entries_[index]);
  }

 private:
  files::Stamp stamp_of(const files::File& file) const;
  std::optional<Lock> lock_and_see(Moment now);
  bool see(const Lock& lock, Moment now);
  bool is_half(const Entry& entry) const;
  bool index(const files::File& file, Moment now);
  std::optional<std::uint64_t> torn_at(const files::File& file) const;
  void number(const files::File& file);
  void write_anew(const std::vector<bool>& stays, bool all_heads, Moment now);
  void note_last_uid(const files::File& file, std::uint32_t last, Moment now);
  bool learn_keywords(const Flags& flags);
  void note_keywords(const files::File& file, Moment now);
  std::string separator(const files::File& file) const;
  bool change_in_place(const files::File& file, std::size_t index);

  std::string path_;
  bool look_only_;
  std::shared_ptr<FileBytes> bytes_;
  std::vector<Entry> entries_;         // every one with a UID
  std::vector<bool> dirty_;            // whose flags in the file are not those of its entry
  std::vector<std::string> keywords_;  // of all
  std::uint32_t validity_ = 0, next_ = 1;
  bool based_ = false;  // the first message has X-IMAPbase
  bool mend_ = false;   // the file has UIDs that cannot be
  files::Stamp stamp_;
};

}  // namespace postferry::mbox
