#include "engine/header_words.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/utf8.h"

namespace postferry {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kLongestLine = 76;  // of one with an encoded word in it
constexpr std::size_t kLongestWord = 75;

bool has_8bit(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return (c & 0x80) != 0; });
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

std::string hex(char mark, char c) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  return {mark, kHex[byte >> 4], kHex[byte & 15]};
}

/// RFC 2047 section 4.2, as it may stand in a phrase.
std::string q_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += '_';
    } else if (is_letter_or_digit(c)) {
      out += c;
    } else {
      out += hex('=', c);
    }
  }
  return out;
}

enum class Kind { text, addresses, parameters, identifiers };

Kind kind_of(std::string name) {
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  static constexpr std::array<std::string_view, 8> kAddresses = {
      "from", "sender", "reply-to", "to", "cc", "bcc", "return-path", "mail-followup-to"};
  if (name == "content-type" || name == "content-disposition") return Kind::parameters;
  const std::string_view plain =
      name.starts_with("resent-") ? std::string_view(name).substr(7) : name;
  if (plain == "message-id" || plain == "in-reply-to" || plain == "references")
    return Kind::identifiers;
  return std::ranges::find(kAddresses, plain) != kAddresses.end() ? Kind::addresses : Kind::text;
}

struct Token {
  enum class Type { blank, word, quoted, special } type;
  std::string_view text;
};

/// Where the text that `text` begins with ends: behind `last`, or nowhere.
std::size_t end_of_group(std::string_view text, char last) {
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == last) return at + 1;
    if (text[at] == '\\' && last == '"') ++at;
  }
  return std::string_view::npos;
}

Token next_token(std::string_view text, Kind kind) {
  using Type = Token::Type;
  if (const std::size_t end = text.find_first_not_of(kBlanks); end != 0)
    return {Type::blank, text.substr(0, end)};
  if (kind == Kind::text) return {Type::word, text.substr(0, text.find_first_of(kBlanks))};
  if (text[0] == '"') {
    const std::size_t end = end_of_group(text, '"');
    if (end != text.npos) return {Type::quoted, text.substr(0, end)};
  }
  if (text[0] == '<' && kind == Kind::addresses) {
    const std::size_t end = end_of_group(text, '>');
    if (end != text.npos) return {Type::special, text.substr(0, end)};
  }
  static constexpr std::string_view kSpecials = "()<>,;:[]=\"";
  if (kSpecials.contains(text[0])) return {Type::special, text.substr(0, 1)};
  return {Type::word, text.substr(0, text.find_first_of(" \t\r\n()<>,;:[]=\""))};
}

/// One field, its value written anew.
class Field {
 public:
  Field(std::string_view name, std::string_view value, Kind kind) : kind_(kind), out_(name) {
    while (!value.empty()) {
      tokens_.push_back(next_token(value, kind));
      value.remove_prefix(tokens_.back().text.size());
    }
  }

  std::string encoded() {
    for (std::size_t at = 0; at < tokens_.size();) {
      if (!is_encodable(at)) {
        out_ += tokens_[at++].text;
      } else if (kind_ == Kind::parameters) {
        parameter(tokens_[at++]);
      } else {
        at = run(at);
      }
    }
    return std::move(out_);
  }

 private:
  bool is_word(std::size_t at) const {
    return at < tokens_.size() &&
           (tokens_[at].type == Token::Type::word || tokens_[at].type == Token::Type::quoted);
  }

  bool is_encodable(std::size_t at) const {
    if (!is_word(at) || !has_8bit(tokens_[at].text)) return false;
    const bool quoted = tokens_[at].type == Token::Type::quoted;
    const auto is_special = [&](std::size_t where, std::string_view text) {
      return where < tokens_.size() && tokens_[where].text == text;
    };
    if (kind_ == Kind::text) return true;
    if (kind_ == Kind::addresses)
      return quoted ? at + 1 == tokens_.size() || !tokens_[at + 1].text.starts_with('@')
                    : !tokens_[at].text.contains('@');
    // What a value stands before is no parameter.
    return at > 1 && is_special(at - 1, "=") && is_word(at - 2) &&
           !(at > 2 && is_special(at - 3, "=")) && !has_8bit(tokens_[at - 2].text) &&
           !tokens_[at - 2].text.ends_with('*');
  }

  bool is_encoded_word(std::size_t at) const {
    return at < tokens_.size() && tokens_[at].type == Token::Type::word &&
           tokens_[at].text.starts_with("=?") && tokens_[at].text.ends_with("?=");
  }

  bool is_blank(std::size_t at) const {
    return at < tokens_.size() && tokens_[at].type == Token::Type::blank;
  }

  /// What the token says, unfolded and without its quotes.
  static std::string content_of(const Token& token) {
    std::string out;
    std::string_view text = token.text;
    const bool quoted = token.type == Token::Type::quoted;
    if (quoted) text = text.substr(1, text.size() - 2);
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (quoted && text[at] == '\\' && at + 1 < text.size()) ++at;
      if (text[at] != '\n' && !text.substr(at).starts_with("\r\n")) out += text[at];
    }
    return out;
  }

  /// Readers drop the blanks between two encoded words: here they are in one of them.
  std::size_t run(std::size_t at) {
    std::string content;
    if (at > 1 && is_blank(at - 1) && is_encoded_word(at - 2))
      content = content_of(tokens_[at - 1]);
    content += content_of(tokens_[at++]);
    while (is_blank(at) && is_encodable(at + 1)) {
      content += content_of(tokens_[at]) + content_of(tokens_[at + 1]);
      at += 2;
    }
    if (is_blank(at) && is_encoded_word(at + 1)) content += content_of(tokens_[at]);
    if (!kBlanks.contains(out_.back()) && out_.back() != '(') out_ += ' ';
    words(content);
    if (at < tokens_.size() && !is_blank(at) && tokens_[at].text != ")") out_ += ' ';
    return at;
  }

  void words(std::string_view content) {
    const bool utf8 = is_utf8(content);
    const std::string head = utf8 ? "=?utf-8?Q?" : "=?unknown-8bit?Q?";
    std::size_t begin = std::string::npos;  // of the word that is being written
    for (std::size_t at = 0; at < content.size();) {
      const std::size_t length = utf8 ? utf8_length(content, at) : 1;
      const std::string bytes = q_encoded(content.substr(at, length));
      const std::size_t end = out_.size() + bytes.size() + 2;
      if (begin == std::string::npos) {
        if (column() + head.size() + bytes.size() + 2 > kLongestLine) fold();
        begin = out_.size();
        out_ += head;
      } else if (end - begin > kLongestWord || column() + bytes.size() + 2 > kLongestLine) {
        out_ += "?=\r\n ";
        begin = out_.size();
        out_ += head;
      }
      out_ += bytes;
      at += length;
    }
    out_ += "?=";
  }

  std::size_t column() const { return out_.size() - (out_.rfind('\n') + 1); }

  /// In the place of the blank before, unless the line has nothing else yet.
  void fold() {
    if (out_.ends_with(' ')) out_.pop_back();
    out_ += out_.ends_with('\n') ? " " : "\r\n ";
  }

  /// `name="..."` becomes `name*=utf-8''...`.
  void parameter(const Token& token) {
    const std::string content = content_of(token);
    out_.insert(out_.size() - 1, "*");
    out_ += is_utf8(content) ? "utf-8''" : "unknown-8bit''";
    for (const char c : content) {
      if (is_letter_or_digit(c) || c == '-' || c == '.' || c == '_') {
        out_ += c;
      } else {
        out_ += hex('%', c);
      }
    }
  }

  const Kind kind_;
  std::string out_;
  std::vector<Token> tokens_;
};

/// The field that begins at `at`, with all its lines.
std::string_view field_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  do {
    end = text.find('\n', end);
    if (end == std::string_view::npos) return text.substr(at);
    ++end;
  } while (end < text.size() && (text[end] == ' ' || text[end] == '\t'));
  return text.substr(at, end - at);
}

std::string encoded(std::string_view field) {
  const std::size_t colon = field.find(':');
  if (!has_8bit(field) || colon == std::string_view::npos || has_8bit(field.substr(0, colon)))
    return std::string(field);
  std::string_view name = field.substr(0, colon);
  if (name.find_first_of("\r\n") != name.npos) return std::string(field);
  const Kind kind = kind_of(std::string(name.substr(0, name.find_last_not_of(" \t") + 1)));
  if (kind == Kind::identifiers) return std::string(field);
  std::string_view value = field.substr(colon + 1);
  const std::string_view end = value.substr(value.find_last_not_of(kBlanks) + 1);
  value.remove_suffix(end.size());
  return Field(field.substr(0, colon + 1), value, kind).encoded() + std::string(end);
}

}  // namespace

std::string with_ascii_header(std::string_view message) {
  std::string out;
  std::size_t at = 0;
  while (at < message.size() && message[at] != '\n' && !message.substr(at).starts_with("\r\n")) {
    const std::string_view field = field_at(message, at);
    out += encoded(field);
    at += field.size();
  }
  return out += message.substr(at);
}

}  // namespace postferry
