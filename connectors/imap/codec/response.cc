// Tells responses apart, and reads the simple ones.
#include "connectors/imap/codec/response.h"

#include <array>
#include <utility>

#include "connectors/imap/codec/parsers.h"

namespace postferry::imap {
namespace {

std::optional<Status> to_status(std::string_view word) {
  if (same_ascii(word, "OK")) return Status::kOk;
  if (same_ascii(word, "NO")) return Status::kNo;
  if (same_ascii(word, "BAD")) return Status::kBad;
  if (same_ascii(word, "BYE")) return Status::kBye;
  if (same_ascii(word, "PREAUTH")) return Status::kPreauth;
  return std::nullopt;
}

/// Where the code that opens `text` ends: its `]`, or nothing. A bracket inside the parentheses or
/// quotes of its arguments is none, unless they never close.
std::size_t find_code_end(std::string_view text) {
  std::size_t depth = 0;
  bool in_quotes = false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_quotes = !in_quotes;
    if (in_quotes) continue;
    if (c == '(') ++depth;
    if (c == ')' && depth > 0) --depth;
    if (c == ']' && depth == 0) return i;
  }
  return text.find(']');
}

StatusResponse parse_status_response(Lexer& lexer, std::string_view tag, Status status) {
  StatusResponse response;
  response.tag = tag;
  response.status = status;
  lexer.spaces();
  std::string_view text = lexer.take_rest();
  const std::size_t end = text.starts_with('[') ? find_code_end(text) : text.npos;
  if (end != text.npos) {
    response.code = parse_response_code(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
  response.text = text;
  return response;
}

/// The words up to the end, in upper case.
std::vector<std::string> parse_words(Lexer& lexer, const Limits& limits) {
  std::vector<std::string> words;
  for (lexer.spaces(); !lexer.at_end(); lexer.spaces()) {
    if (words.size() == limits.list_elements) lexer.fail("too many words");
    words.push_back(upper_ascii(lexer.atom()));
  }
  return words;
}

IdData parse_id(Lexer& lexer) {
  IdData data;
  lexer.spaces();
  if (lexer.peek() != '(') {
    if (lexer.string().form != StringToken::Form::kNil) lexer.fail("expected a list");
    expect_end(lexer);
    return data;
  }
  lexer.list([&] {
    std::string name(lexer.string().bytes);
    lexer.spaces();
    const StringToken value = lexer.string();
    std::optional<std::string> text;
    if (value.form != StringToken::Form::kNil) text = std::string(value.bytes);
    data.fields.emplace_back(std::move(name), std::move(text));
  });
  expect_end(lexer);
  return data;
}

FlagsData parse_flags(Lexer& lexer) {
  lexer.spaces();
  FlagsData data{parse_flag_list(lexer)};
  expect_end(lexer);
  return data;
}

/// `* 12 EXISTS` and its like; the number is not yet judged.
Response parse_numbered(Lexer& lexer, const Frame& frame, const Limits& limits) {
  const std::string_view digits = lexer.atom();
  lexer.spaces();
  const std::string_view name = lexer.item_name();
  const auto number = [&] {
    const auto value = to_number32(digits);
    if (!value) lexer.fail("a message number above 32 bits");
    return *value;
  };
  if (same_ascii(name, "FETCH")) {
    const std::uint32_t seq = number();
    FetchData data = parse_fetch(lexer, limits, false);
    data.seq = seq;
    return data;
  }
  if (same_ascii(name, "UIDFETCH")) {
    const std::uint32_t uid = number();
    FetchData data = parse_fetch(lexer, limits, false);
    data.uid = uid;
    return data;
  }
  if (same_ascii(name, "EXISTS")) {
    expect_end(lexer);
    return ExistsData{number()};
  }
  if (same_ascii(name, "RECENT")) {
    expect_end(lexer);
    return RecentData{number()};
  }
  if (same_ascii(name, "EXPUNGE")) {
    expect_end(lexer);
    return ExpungeData{number()};
  }
  return Unknown{std::string(frame.text)};
}

/// Responses without which no mail is overlooked: a malformed one is nothing but unknown.
template <typename Parse>
Response tolerant(const Frame& frame, Parse parse) {
  try {
    return parse();
  } catch (const ProtocolError&) {
    return Unknown{std::string(frame.text)};
  }
}

Response parse_named(Lexer& lexer, const Frame& frame, const Limits& limits) {
  const std::string_view name = lexer.item_name();
  if (const auto status = to_status(name)) return parse_status_response(lexer, {}, *status);
  if (same_ascii(name, "LIST")) return parse_list(lexer, ListData::Kind::kList);
  if (same_ascii(name, "STATUS")) return parse_status(lexer);
  if (same_ascii(name, "SEARCH")) return parse_search(lexer);
  if (same_ascii(name, "ESEARCH")) return parse_esearch(lexer, limits);
  if (same_ascii(name, "VANISHED")) return parse_vanished(lexer, limits);
  if (same_ascii(name, "LSUB")) return parse_list(lexer, ListData::Kind::kLsub);
  if (same_ascii(name, "XLIST")) return parse_list(lexer, ListData::Kind::kXlist);
  return tolerant(frame, [&]() -> Response {
    if (same_ascii(name, "CAPABILITY")) return CapabilityData{parse_words(lexer, limits)};
    if (same_ascii(name, "ENABLED")) return EnabledData{parse_words(lexer, limits)};
    if (same_ascii(name, "FLAGS")) return parse_flags(lexer);
    if (same_ascii(name, "NAMESPACE")) return parse_namespace(lexer);
    if (same_ascii(name, "ID")) return parse_id(lexer);
    if (same_ascii(name, "QUOTA")) return parse_quota(lexer);
    if (same_ascii(name, "QUOTAROOT")) return parse_quota_root(lexer, limits);
    return Unknown{std::string(frame.text)};
  });
}

}  // namespace

Response parse_response(const Frame& frame, const Limits& limits) {
  Lexer lexer(frame, limits);
  if (lexer.at_end()) return Unknown{};
  if (lexer.accept('+')) {
    lexer.accept(' ');
    return Continuation{std::string(lexer.take_rest())};
  }
  const std::string_view tag = lexer.atom();
  lexer.spaces();
  if (tag != "*") {
    const auto status = to_status(lexer.item_name());
    if (!status) lexer.fail("a tagged response without OK, NO or BAD");
    return parse_status_response(lexer, tag, *status);
  }
  if (lexer.peek() >= '0' && lexer.peek() <= '9') return parse_numbered(lexer, frame, limits);
  return parse_named(lexer, frame, limits);
}

FetchData parse_fetch_head(const Frame& head, const Limits& limits) {
  Lexer lexer(head, limits);
  lexer.atom();
  lexer.spaces();
  const std::uint32_t number = lexer.number32();
  lexer.spaces();
  const bool by_uid = same_ascii(lexer.item_name(), "UIDFETCH");
  FetchData data = parse_fetch(lexer, limits, true);
  if (by_uid) {
    data.uid = number;
  } else {
    data.seq = number;
  }
  return data;
}

std::string StatusResponse::words() const {
  std::string out;
  if (code) {
    out = "[" + code->name;
    if (!code->args.empty()) out.append(" ").append(code->args);
    out += ']';
    if (!text.empty()) out += ' ';
  }
  return out + text;
}

}  // namespace postferry::imap
