// LIST, STATUS, NAMESPACE and QUOTA: responses that name folders. Servers leave out the quotes
// around names with spaces, and the backslashes inside quoted ones; such names are read whole.
#include <algorithm>
#include <utility>

#include "connectors/imap/codec/parsers.h"

namespace postferry::imap {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::optional<char> parse_delimiter(Lexer& lexer) {
  // Domino's delimiter is a backslash; not every release doubles it.
  if (lexer.rest().starts_with("\"\\\" ")) {
    lexer.accept('"');
    lexer.accept('\\');
    lexer.accept('"');
    return '\\';
  }
  const StringToken token = lexer.string();
  if (token.form == StringToken::Form::kNil || token.bytes.empty()) return std::nullopt;
  if (token.bytes.size() > 1) lexer.fail("a delimiter of more than one byte");
  return token.bytes.front();
}

/// What may follow a folder name: for LIST the end or extended data, for STATUS its items.
template <typename Tail>
std::string parse_name_and_tail(Lexer& lexer, Tail tail) {
  // Each reading of the name is tried on a copy, and the first whose tail fits is the right one.
  const auto fits = [&lexer, &tail](std::size_t name_bytes) {
    Lexer attempt = lexer;
    try {
      attempt.skip(name_bytes);
      tail(attempt);
    } catch (const ProtocolError&) {
      return false;
    }
    lexer = attempt;
    return true;
  };
  const std::string_view rest = lexer.rest();
  if (lexer.peek() == '"' || lexer.literal_ahead()) {
    Lexer attempt = lexer;
    try {
      std::string name(attempt.string().bytes);
      if (!attempt.at_end() && attempt.peek() != ' ' && attempt.peek() != '(') {
        attempt.fail("expected the end of a name");
      }
      tail(attempt);
      lexer = attempt;
      return name;
    } catch (const ProtocolError&) {
      if (lexer.peek() != '"') throw;
    }
    const std::size_t closing = rest.rfind('"');
    if (closing > 0 && fits(closing + 1)) return std::string(rest.substr(1, closing - 1));
    lexer.fail("expected a folder name");
  }
  constexpr std::size_t kMostReadings = 16;
  std::size_t end = rest.find(" (");
  for (std::size_t i = 0; i < kMostReadings && end != rest.npos; ++i) {
    if (end > 0 && fits(end)) return std::string(trimmed(rest.substr(0, end)));
    end = rest.find(" (", end + 1);
  }
  if (!rest.empty() && fits(rest.size())) return std::string(trimmed(rest));
  lexer.fail("expected a folder name");
}

void parse_extended(Lexer& lexer, ListData& data) {
  lexer.list([&] {
    const std::string tag(lexer.string().bytes);
    lexer.spaces();
    if (same_ascii(tag, "CHILDINFO")) {
      lexer.list([&] { data.child_info.push_back(upper_ascii(lexer.string().bytes)); });
    } else if (same_ascii(tag, "OLDNAME")) {
      lexer.list([&] { data.old_name = std::string(lexer.string().bytes); });
    } else {
      lexer.skip_value();
    }
  });
}

std::optional<std::uint64_t>* status_value(StatusData& data, std::string_view item) {
  if (same_ascii(item, "MESSAGES")) return &data.messages;
  if (same_ascii(item, "RECENT")) return &data.recent;
  if (same_ascii(item, "UNSEEN")) return &data.unseen;
  if (same_ascii(item, "DELETED")) return &data.deleted;
  if (same_ascii(item, "UIDNEXT")) return &data.uid_next;
  if (same_ascii(item, "UIDVALIDITY")) return &data.uid_validity;
  if (same_ascii(item, "HIGHESTMODSEQ")) return &data.highest_modseq;
  if (same_ascii(item, "SIZE")) return &data.size;
  if (same_ascii(item, "APPENDLIMIT")) return &data.append_limit;
  return nullptr;
}

void parse_status_items(Lexer& lexer, StatusData& data) {
  lexer.spaces();
  lexer.list([&] {
    const std::string_view item = lexer.atom();
    lexer.spaces();
    if (same_ascii(item, "MAILBOXID") && lexer.peek() == '(') {
      lexer.list([&] { data.mailbox_id = std::string(lexer.string().bytes); });
    } else if (auto* value = status_value(data, item)) {
      *value = lexer.tolerant_number();
    } else {
      lexer.skip_value();
    }
  });
  expect_end(lexer);
}

// No literal may hold one (RFC 9051 §4.3): a folder so named could never be spoken of.
void refuse_nul(const Lexer& lexer, std::string_view name) {
  if (name.find('\0') != name.npos) lexer.fail("a folder name with a NUL byte");
}

std::vector<NamespaceData::Entry> parse_namespaces(Lexer& lexer) {
  std::vector<NamespaceData::Entry> entries;
  lexer.spaces();
  if (lexer.peek() != '(') {
    if (lexer.string().form != StringToken::Form::kNil) lexer.fail("expected a list");
    return entries;
  }
  lexer.list([&] {
    lexer.expect('(');
    lexer.spaces();
    NamespaceData::Entry entry;
    entry.prefix = lexer.string().bytes;
    refuse_nul(lexer, entry.prefix);
    lexer.spaces();
    entry.delimiter = parse_delimiter(lexer);
    for (lexer.spaces(); !lexer.accept(')'); lexer.spaces()) lexer.skip_value();
    entries.push_back(std::move(entry));
  });
  return entries;
}

}  // namespace

ListData parse_list(Lexer& lexer, ListData::Kind kind) {
  ListData data;
  data.kind = kind;
  lexer.spaces();
  data.attributes = parse_flag_list(lexer);
  lexer.spaces();
  data.delimiter = parse_delimiter(lexer);
  lexer.spaces();
  data.name = parse_name_and_tail(lexer, [&data](Lexer& tail) {
    data.child_info.clear();
    data.old_name.reset();
    tail.spaces();
    if (tail.peek() == '(') parse_extended(tail, data);
    expect_end(tail);
  });
  refuse_nul(lexer, data.name);
  return data;
}

StatusData parse_status(Lexer& lexer) {
  StatusData data;
  lexer.spaces();
  std::string name = parse_name_and_tail(lexer, [&data](Lexer& tail) {
    data = {};
    parse_status_items(tail, data);
  });
  data.name = std::move(name);
  return data;
}

NamespaceData parse_namespace(Lexer& lexer) {
  NamespaceData data;
  data.personal = parse_namespaces(lexer);
  data.other_users = parse_namespaces(lexer);
  data.shared = parse_namespaces(lexer);
  expect_end(lexer);
  return data;
}

QuotaData parse_quota(Lexer& lexer) {
  QuotaData data;
  lexer.spaces();
  data.root = lexer.string().bytes;
  lexer.spaces();
  lexer.list([&] {
    QuotaData::Resource resource;
    resource.name = upper_ascii(lexer.atom());
    lexer.spaces();
    resource.usage = lexer.number64();
    lexer.spaces();
    resource.limit = lexer.number64();
    data.resources.push_back(std::move(resource));
  });
  expect_end(lexer);
  return data;
}

QuotaRootData parse_quota_root(Lexer& lexer, const Limits& limits) {
  QuotaRootData data;
  lexer.spaces();
  data.folder = lexer.string().bytes;
  for (lexer.spaces(); !lexer.at_end(); lexer.spaces()) {
    if (data.roots.size() == limits.list_elements) lexer.fail("too many quota roots");
    data.roots.emplace_back(lexer.string().bytes);
  }
  return data;
}

bool ListData::has(std::string_view attribute) const {
  return std::ranges::any_of(
      attributes, [attribute](const std::string& own) { return same_ascii(own, attribute); });
}

bool ListData::selectable() const { return !has("\\Noselect") && !has("\\NonExistent"); }

ChildInfo ListData::children() const {
  if (has("\\HasChildren")) return ChildInfo::kHasChildren;
  if (has("\\HasNoChildren") || has("\\Noinferiors")) return ChildInfo::kHasNoChildren;
  return ChildInfo::kUnknown;
}

std::string_view ListData::special_use() const {
  constexpr auto kUses = std::to_array<std::pair<std::string_view, std::string_view>>({
      {"\\All", "\\All"},
      {"\\Archive", "\\Archive"},
      {"\\Drafts", "\\Drafts"},
      {"\\Flagged", "\\Flagged"},
      {"\\Junk", "\\Junk"},
      {"\\Sent", "\\Sent"},
      {"\\Trash", "\\Trash"},
      {"\\Important", "\\Important"},
      {"\\AllMail", "\\All"},
      {"\\Spam", "\\Junk"},
      {"\\Starred", "\\Flagged"},
  });
  for (const auto& [sent, use] : kUses) {
    if (has(sent)) return use;
  }
  return {};
}

}  // namespace postferry::imap
