// The nouns of a crossing: folders, messages, flags, dates. Values only.
// Must not know protocols, sockets or SQL.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postferry {

/// An IMAP UID (RFC 9051 §2.3.1.1); 0 is none.
struct Uid {
  std::uint32_t value = 0;
  auto operator<=>(const Uid&) const = default;
  explicit operator bool() const { return value != 0; }
};

/// All UIDs from `first` to `last`, both included.
struct UidRange {
  Uid first, last;
};
/// Whether one of these ranges, which ascend, has it.
bool holds(const std::vector<UidRange>& ranges, Uid uid);

/// RFC 9051 §2.3.1.1; 0 where a server gives none.
struct UidValidity {
  std::uint32_t value = 0;
  auto operator<=>(const UidValidity&) const = default;
};

/// A folder's name as levels of UTF-8, without any server's delimiter, prefix or encoding.
/// The single level "INBOX" ignores case and is always spelled INBOX.
class FolderName {
 public:
  FolderName() = default;
  /// Empty levels, as a server may tell between two delimiters, are left out.
  explicit FolderName(std::vector<std::string> levels);
  /// Reads the form that people write: levels parted by `/`; `%2F` is a slash in a name, `%25` a
  /// percent sign; other percent signs stand for themselves.
  static FolderName parse(std::string_view text);

  const std::vector<std::string>& levels() const { return levels_; }
  /// The form that people read, the inverse of parse().
  std::string to_string() const;
  bool is_inbox() const { return levels_.size() == 1 && levels_[0] == "INBOX"; }
  bool empty() const { return levels_.empty(); }
  /// The name one level up; empty at the top.
  FolderName parent() const;
  auto operator<=>(const FolderName&) const = default;

 private:
  std::vector<std::string> levels_;
};

/// Special uses of RFC 6154, and INBOX.
enum class Role { none, inbox, all, archive, drafts, flagged, important, junk, sent, trash };
const char* to_string(Role role);

/// One message's flags. \Recent is never here.
struct Flags {
  enum System : std::uint8_t { seen = 1, answered = 2, flagged = 4, deleted = 8, draft = 16 };
  std::uint8_t system = 0;
  std::vector<std::string> keywords;  // sorted ignoring case, each once, in the server's spelling

  void add_keyword(std::string keyword);
  /// Takes an IMAP flag ("\\Seen", "$Forwarded"); \Recent and unknown system flags are dropped.
  void add(std::string_view flag);
  /// IMAP spellings, system flags first.
  std::vector<std::string> names() const;
  /// Space-separated names(), the form kept in the journal; parse() reads it back.
  std::string to_string() const;
  static Flags parse(std::string_view text);
  bool empty() const { return system == 0 && keywords.empty(); }
  /// Keywords compare without case.
  bool operator==(const Flags& other) const;
  /// What this has and other has not.
  Flags minus(const Flags& other) const;
};

/// When a message arrived (IMAP INTERNALDATE): an instant and the zone it was told in.
struct InternalDate {
  std::int64_t seconds = 0;  // since 1970-01-01 00:00:00 UTC
  std::int16_t zone_minutes = 0;
  auto operator<=>(const InternalDate&) const = default;
};

/// Servers tell the same moment in a zone of their own. A date that is not told contradicts none.
bool same_instant(const std::optional<InternalDate>& a, const std::optional<InternalDate>& b);
/// As same_instant, and both are told.
bool tell_same_instant(const std::optional<InternalDate>& a, const std::optional<InternalDate>& b);

/// What names a message in its folder: an IMAP UID or a POP3 UIDL. Where a server gives no UIDL, or
/// one to several messages, the name is made of the header, or of all of it, and has a space in it,
/// as no UIDL has.
class MessageKey {
 public:
  MessageKey() = default;
  explicit MessageKey(Uid uid) : uid_(uid) {}
  explicit MessageKey(std::string uidl) : text_(std::move(uidl)) {}
  bool is_uid() const { return uid_.value != 0; }
  Uid uid() const { return uid_; }
  const std::string& uidl() const { return text_; }
  /// The server itself has no such name for the message.
  bool is_made_up() const { return text_.find(' ') != std::string::npos; }
  std::string to_string() const;
  auto operator<=>(const MessageKey&) const = default;

 private:
  Uid uid_;
  std::string text_;
};

/// The numbers by which a folder tells that it changed (RFC 9051 §6.3.11, RFC 7162). What the
/// server did not say is absent.
struct FolderNumbers {
  std::optional<std::uint32_t> uid_validity;
  std::optional<std::uint32_t> uid_next;
  std::optional<std::uint64_t> messages;
  std::optional<std::uint64_t> highest_modseq;
  std::optional<std::uint64_t> size_bytes;
  bool operator==(const FolderNumbers&) const = default;
};

/// One folder in a listing, at either end.
struct FolderInfo {
  FolderName name;
  Role role = Role::none;
  bool selectable = true;
  bool subscribed = false;
  FolderNumbers numbers;  // as far as the listing told
  /// Shows the mail of all folders, but can list just what no other has: Source::carried().
  bool holds_rest = false;
};

/// The header fields by which a message is recognised; each unfolded, without its line end.
struct HeaderFields {
  std::optional<std::string> message_id, date, from, subject, to;
  std::optional<std::string> received;  // the topmost
};

}  // namespace postferry
