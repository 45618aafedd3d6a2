// What a server can say, as values, and the parser that reads them out of a frame (RFC 3501 7,
// RFC 9051 7 and the extensions a migration meets). It judges grammar only: whether a response
// was expected, or makes sense, is for the session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "connectors/imap/codec/framer.h"
#include "connectors/imap/codec/internal_date.h"
#include "connectors/imap/codec/response_code.h"
#include "connectors/imap/codec/sequence_set.h"

namespace postferry::imap {

enum class Status { kOk, kNo, kBad, kBye, kPreauth };

/// A tagged result, or an untagged status (`tag` empty): the greeting too.
struct StatusResponse {
  std::string tag;
  Status status = Status::kOk;
  std::optional<ResponseCode> code;
  std::string text;  // for people, without the code

  bool tagged() const { return !tag.empty(); }
  bool has(Code wanted) const { return code && code->code == wanted; }
  /// The server's own words, code and text, for people.
  std::string words() const;
};

/// `+ text`: go ahead, or a SASL challenge. Servers also send a bare `+`.
struct Continuation {
  std::string text;
};

/// CAPABILITY: atoms in upper case.
struct CapabilityData {
  std::vector<std::string> names;
};

/// ENABLED: atoms in upper case.
struct EnabledData {
  std::vector<std::string> names;
};

enum class ChildInfo { kUnknown, kHasChildren, kHasNoChildren };

/// LIST, LSUB or XLIST.
struct ListData {
  enum class Kind { kList, kLsub, kXlist };
  Kind kind = Kind::kList;
  std::vector<std::string> attributes;  // as sent: `\HasNoChildren`
  std::optional<char> delimiter;        // none for NIL
  std::string name;                     // raw wire bytes: see connectors/mail/mod_utf7.h
  std::vector<std::string> child_info;  // CHILDINFO of RFC 5258, upper case
  std::optional<std::string> old_name;  // OLDNAME of RFC 5465

  bool has(std::string_view attribute) const;
  /// \Noselect or \NonExistent: there is no mailbox to open.
  bool selectable() const;
  ChildInfo children() const;
  /// The RFC 6154 attribute, spelled as there (`\Sent`), or empty. XLIST's names are translated
  /// (\AllMail, \Spam, \Starred); its \Inbox is none.
  std::string_view special_use() const;
};

/// STATUS: what was asked for and given. A value that is not a number is absent.
struct StatusData {
  std::string name;  // raw wire bytes
  std::optional<std::uint64_t> messages;
  std::optional<std::uint64_t> recent;
  std::optional<std::uint64_t> unseen;
  std::optional<std::uint64_t> deleted;
  std::optional<std::uint64_t> uid_next;
  std::optional<std::uint64_t> uid_validity;
  std::optional<std::uint64_t> highest_modseq;
  std::optional<std::uint64_t> size;  // RFC 8438
  std::optional<std::uint64_t> append_limit;
  std::optional<std::string> mailbox_id;
};

struct ExistsData {
  std::uint32_t count = 0;
};

struct RecentData {
  std::uint32_t count = 0;
};

struct ExpungeData {
  std::uint32_t number = 0;
};

/// VANISHED (RFC 7162): UIDs; `earlier` when they answer a QRESYNC.
struct VanishedData {
  bool earlier = false;
  SequenceSet uids;
};

struct FlagsData {
  std::vector<std::string> flags;
};

/// SEARCH, and its MODSEQ (RFC 7162).
struct SearchData {
  std::vector<std::uint32_t> numbers;
  std::optional<std::uint64_t> modseq;
};

/// ESEARCH (RFC 4731, 9394). A result that was asked for and is missing means none were found.
struct EsearchData {
  std::string tag;  // empty if the server left it out
  bool uid = false;
  std::optional<SequenceSet> all;
  std::optional<std::uint32_t> count;
  std::optional<std::uint32_t> min;
  std::optional<std::uint32_t> max;
  std::optional<std::uint64_t> modseq;
  std::optional<SequenceSet> partial;  // the numbers of PARTIAL; empty for its NIL
};

/// One BODY[...], BINARY[...], RFC822, RFC822.HEADER or RFC822.TEXT of a FETCH.
struct FetchSection {
  /// kNil: no such thing; kString: a quoted string or an atom, in `bytes`; kLiteral: an inlined
  /// literal, in `bytes`; kStreamed: its `size` bytes have passed as LiteralChunk events, in order.
  enum class Form { kNil, kString, kLiteral, kStreamed };
  std::string item;  // upper case: `BODY`, `BINARY`, `RFC822`
  /// What stands between the brackets, upper case: `` (the whole), `HEADER`,
  /// `HEADER.FIELDS (MESSAGE-ID)`. RFC822.HEADER counts as HEADER, RFC822.TEXT as TEXT.
  std::string name;
  std::optional<std::uint64_t> origin;  // of a partial fetch, `BODY[]<0>`
  Form form = Form::kNil;
  std::string bytes;
  std::uint64_t size = 0;
};

/// FETCH, or UIDFETCH (RFC 9586: then `seq` is 0). Every item is optional, whatever was asked.
struct FetchData {
  std::uint32_t seq = 0;
  std::optional<std::uint32_t> uid;
  std::optional<std::vector<std::string>> flags;
  std::optional<DateTime> internal_date;     // absent if malformed
  std::optional<std::uint64_t> rfc822_size;  // absent if not a number
  std::optional<std::uint64_t> modseq;
  std::optional<std::string> email_id;  // RFC 8474
  std::optional<std::uint64_t> gm_msgid;
  std::optional<std::vector<std::string>> gm_labels;
  std::vector<FetchSection> sections;  // in the order sent
};

/// NAMESPACE (RFC 2342).
struct NamespaceData {
  struct Entry {
    std::string prefix;  // raw wire bytes
    std::optional<char> delimiter;
  };
  std::vector<Entry> personal;
  std::vector<Entry> other_users;
  std::vector<Entry> shared;
};

/// ID (RFC 2971): names as sent; empty for NIL.
struct IdData {
  std::vector<std::pair<std::string, std::optional<std::string>>> fields;
};

/// QUOTA (RFC 9208). STORAGE is in units of 1024 octets.
struct QuotaData {
  struct Resource {
    std::string name;  // upper case
    std::uint64_t usage = 0;
    std::uint64_t limit = 0;
  };
  std::string root;
  std::vector<Resource> resources;
};

struct QuotaRootData {
  std::string folder;  // raw wire bytes
  std::vector<std::string> roots;
};

/// An untagged response of another kind, or an empty line. Not an error: servers may send what
/// nobody asked for.
struct Unknown {
  std::string raw;
};

using Response =
    std::variant<StatusResponse, Continuation, CapabilityData, EnabledData, ListData, StatusData,
                 ExistsData, RecentData, ExpungeData, VanishedData, FlagsData, SearchData,
                 EsearchData, FetchData, NamespaceData, IdData, QuotaData, QuotaRootData, Unknown>;

/// Reads one whole response. The result owns all it holds.
///
/// Throws ProtocolError for a tagged line without a status, and for a malformed FETCH, LIST,
/// STATUS, SEARCH, ESEARCH, VANISHED, EXISTS, RECENT or EXPUNGE: to skip one of these would be to
/// overlook mail. A malformed FLAGS, CAPABILITY, NAMESPACE, ID or QUOTA becomes Unknown.
/// Items of a FETCH or STATUS that are not known are skipped whatever their shape.
Response parse_response(const Frame& frame, const Limits& limits = {});

/// Reads the head of a FETCH at a LiteralBegin: the items before the literal, and as the last of
/// `sections` the one whose bytes come next (kStreamed, with its size). Servers may send UID and
/// FLAGS only after the body: then they are absent here and in the whole response. Throws as above.
FetchData parse_fetch_head(const Frame& head, const Limits& limits = {});

}  // namespace postferry::imap
