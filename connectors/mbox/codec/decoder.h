// What stands between two `From ` lines of an mbox, made into the message as IMAP would give it:
// the fields that are the mbox's own taken off, quoting taken back, lines that end in CRLF. In
// pieces of any size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/mail/header_scan.h"
#include "connectors/mbox/codec/from_line.h"
#include "connectors/mbox/codec/quoting.h"

namespace postferry::mbox {

/// What a mail program knows of a message and keeps in fields that are no part of it.
struct Envelope {
  std::string fields;     // those taken off, as they stand
  std::size_t bytes = 0;  // of the file, where they are all at the top (ours)

  std::optional<std::uint32_t> uid() const;
  /// X-IMAPbase of the first message: UIDVALIDITY, the last UID, and the keywords in use.
  struct Base {
    std::uint32_t validity = 0, last = 0;
    std::vector<std::string> keywords = {};
  };
  std::optional<Base> base() const;
  mail::StatusFlags flags() const;
  std::vector<std::string> keywords() const;
  /// X-Gmail-Labels, which Google's exports put at the top.
  std::optional<std::string> gmail_labels() const;
};

/// Fields of the mbox: Status and its kin as Dovecot, Pine and mutt keep them, Content-Length, and
/// those of Thunderbird.
bool is_own_field(std::string_view name);
/// Fields that Google's exports put above all others; further down they are the message's.
bool is_google_field(std::string_view name);

class Decoder {
 public:
  /// A form that is ours is believed at the top of the message only: fields further down that are
  /// called the same are the message's.
  explicit Decoder(Form form, std::uint64_t size_bytes)
      : form_(form), limit_(size_bytes), quoting_(Quoting::Way::take) {}

  void feed(std::string_view piece, std::string& out);
  /// The rest; an empty line before the next `From ` line is not the message's.
  void finish(std::string& out);

  const Envelope& envelope() const { return envelope_; }
  /// After finish(): how large the message is.
  std::uint64_t size_bytes() const { return size_; }
  /// After finish(): a message of ours is as we wrote it. One that is not must be read as foreign.
  bool intact() const { return intact_; }

 private:
  void line_end(std::string_view end, std::string& out);
  void header(std::string_view piece, std::string& out);
  void decide(std::string& out);
  void content(std::string_view stored, std::string& out);
  void give(std::string_view bytes, std::string& out);

  Form form_;
  std::uint64_t limit_;
  Quoting quoting_;
  Envelope envelope_;
  // The lines of the file: an empty one is kept back, as it may be that between two messages.
  bool at_start_ = true;
  std::string blank_;
  // The header: the beginning of a line, until it is decided whose it is.
  bool in_header_ = true;
  std::string line_;
  bool decided_ = false;
  bool own_ = false;
  bool at_top_ = true;    // foreign: no field of the message has come
  std::size_t rank_ = 0;  // ours: of the last field at the top
  // The message.
  char last_ = '\0';
  std::uint64_t size_ = 0;
  bool intact_ = true;
};

}  // namespace postferry::mbox
