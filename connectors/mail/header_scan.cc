// Walks a header line by line. Every loop is bounded by kMaxHeaderBytes.
#include "connectors/mail/header_scan.h"

#include <algorithm>

namespace postferry::mail {
namespace {

constexpr bool is_space(char c) { return c == ' ' || c == '\t'; }

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

/// RFC 9051 9: what an IMAP keyword may be made of.
bool is_atom(std::string_view word) {
  return std::ranges::all_of(word, [](char c) {
    return c > ' ' && c < '\x7f' &&
           std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
  });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// One field: its name as sent and its body, the folding still in it.
struct RawField {
  std::string_view name;
  std::string_view body;
};

/// Hands out the fields of a header in order.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : bytes_(bytes.substr(0, kMaxHeaderBytes)) {
    if (bytes_.starts_with("From ") || bytes_.starts_with(">From ")) take_line();
  }

  std::optional<RawField> next() {
    while (position_ < bytes_.size()) {
      const std::string_view line = take_line();
      if (line.empty()) {
        complete_ = true;
        return std::nullopt;
      }
      if (is_space(line.front())) continue;  // the continuation of nothing
      const std::size_t start = static_cast<std::size_t>(line.data() - bytes_.data());
      std::size_t end = start + line.size();
      while (position_ < bytes_.size() && is_space(bytes_[position_])) {
        const std::string_view more = take_line();
        end = static_cast<std::size_t>(more.data() - bytes_.data()) + more.size();
      }
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      return RawField{trim(line.substr(0, colon)),
                      bytes_.substr(start + colon + 1, end - start - colon - 1)};
    }
    return std::nullopt;
  }

  std::size_t position() const { return position_; }
  bool complete() const { return complete_; }

 private:
  /// The next line without its end; moves past it.
  std::string_view take_line() {
    const std::size_t newline = bytes_.find('\n', position_);
    const std::size_t end = newline == std::string_view::npos ? bytes_.size() : newline;
    std::string_view line = bytes_.substr(position_, end - position_);
    if (newline != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    position_ = newline == std::string_view::npos ? end : end + 1;
    return line;
  }

  std::string_view bytes_;
  std::size_t position_ = 0;
  bool complete_ = false;
};

/// RFC 5322 2.2.3: unfolding removes the line end that stands before white space.
std::string unfold(std::string_view body) {
  std::string value;
  body = trim(body);
  while (!body.empty() && value.size() < kMaxFieldBytes) {
    const std::size_t newline = body.find('\n');
    std::string_view line = body.substr(0, newline);
    if (newline != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    value += line.substr(0, kMaxFieldBytes - value.size());
    body.remove_prefix(newline == std::string_view::npos ? body.size() : newline + 1);
  }
  const std::string_view trimmed = trim(value);
  if (trimmed.size() != value.size()) value = std::string(trimmed);
  return value;
}

/// Where the first occurrence of a field belongs; null for one nobody asks for.
std::optional<std::string>* slot_for(HeaderScan& scan, std::string_view name) {
  switch (name.size()) {
    case 2:
      return equal_ignoring_case(name, "to") ? &scan.to : nullptr;
    case 4:
      if (equal_ignoring_case(name, "date")) return &scan.date;
      return equal_ignoring_case(name, "from") ? &scan.from : nullptr;
    case 6:
      return equal_ignoring_case(name, "status") ? &scan.status : nullptr;
    case 7:
      return equal_ignoring_case(name, "subject") ? &scan.subject : nullptr;
    case 8:
      return equal_ignoring_case(name, "x-status") ? &scan.x_status : nullptr;
    case 10:
      if (equal_ignoring_case(name, "message-id")) return &scan.message_id;
      return equal_ignoring_case(name, "x-keywords") ? &scan.x_keywords : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace

HeaderScan scan_header(std::string_view bytes) {
  HeaderScan scan;
  FieldReader reader(bytes);
  while (const auto field = reader.next()) {
    if (equal_ignoring_case(field->name, "received")) {
      ++scan.received_count;
      if (scan.received.size() < kMaxReceived) scan.received.push_back(unfold(field->body));
    } else if (auto* slot = slot_for(scan, field->name); slot != nullptr && !slot->has_value()) {
      *slot = unfold(field->body);
    }
  }
  scan.size_bytes = reader.position();
  scan.complete = reader.complete();
  return scan;
}

std::optional<std::string> find_field(std::string_view bytes, std::string_view name) {
  FieldReader reader(bytes);
  while (const auto field = reader.next()) {
    if (equal_ignoring_case(field->name, name)) return unfold(field->body);
  }
  return std::nullopt;
}

StatusFlags status_flags(const HeaderScan& header) {
  StatusFlags flags;
  for (const auto* field : {&header.status, &header.x_status}) {
    if (!field->has_value()) continue;
    // A flag is one letter of a short word; a long value is somebody's prose.
    if ((*field)->size() > 16) continue;
    for (const char letter : **field) {
      flags.seen |= letter == 'R';
      flags.answered |= letter == 'A';
      flags.flagged |= letter == 'F';
      flags.draft |= letter == 'T';
      flags.deleted |= letter == 'D';
    }
  }
  return flags;
}

std::vector<std::string> keywords(const HeaderScan& header) {
  std::vector<std::string> words;
  if (!header.x_keywords) return words;
  std::string_view rest = *header.x_keywords;
  while (words.size() < kMaxKeywords) {
    rest = trim(rest);
    if (rest.empty()) break;
    const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
    rest.remove_prefix(word.size());
    if (word.size() > kMaxKeywordBytes || !is_atom(word)) continue;
    if (std::ranges::find(words, word) != words.end()) continue;
    words.emplace_back(word);
  }
  return words;
}

}  // namespace postferry::mail
