// Lines and literals into tokens.
#include "tests/sim/imap_command.h"

#include <algorithm>
#include <charconv>

namespace postferry::sim {
namespace {

struct Announced {
  std::size_t size = 0;
  bool waits = true;
  std::size_t begin = 0;  // of the brace, or of the tilde before it
};

std::optional<Announced> announced(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  const std::size_t open = line.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  std::string_view inside = line.substr(open + 1, line.size() - open - 2);
  Announced found;
  found.begin = open > 0 && line[open - 1] == '~' ? open - 1 : open;
  if (inside.ends_with('+')) {
    found.waits = false;
    inside.remove_suffix(1);
  }
  const auto end = inside.data() + inside.size();
  const auto [at, error] = std::from_chars(inside.data(), end, found.size);
  if (error != std::errc() || at != end) return std::nullopt;
  return found;
}

/// False: not what a client may send.
bool tokenise(std::string_view line, std::vector<Token>& into) {
  std::size_t at = 0;
  while (at < line.size()) {
    const char c = line[at];
    if (c == ' ') {
      ++at;
    } else if (c == '(' || c == ')') {
      into.push_back({c == '(' ? Token::Kind::open : Token::Kind::close, std::string(1, c)});
      ++at;
    } else if (c == '"') {
      std::string text;
      for (++at; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\' && ++at >= line.size()) return false;
        if (static_cast<unsigned char>(line[at]) >= 0x80) return false;
        text += line[at];
      }
      if (at++ >= line.size()) return false;
      into.push_back({Token::Kind::quoted, std::move(text)});
    } else {
      std::string text;
      for (int depth = 0; at < line.size(); ++at) {
        if (line[at] == '[') ++depth;
        if (line[at] == ']') --depth;
        if (depth == 0 && (line[at] == ' ' || line[at] == '(' || line[at] == ')')) break;
        if (line[at] == '"' || static_cast<unsigned char>(line[at]) < 0x20 ||
            static_cast<unsigned char>(line[at]) >= 0x7f)
          return false;
        text += line[at];
      }
      into.push_back({Token::Kind::atom, std::move(text)});
    }
  }
  return true;
}

}  // namespace

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

void CommandReader::refuse() {
  parts_.clear();
  literal_due_.reset();
  waiting_ = false;
}

std::optional<std::variant<ClientCommand, LiteralWaits, Nonsense>> CommandReader::next() {
  for (;;) {
    if (waiting_) return std::nullopt;
    if (literal_due_) {
      if (in_.size() < *literal_due_) return std::nullopt;
      parts_.back().literal = in_.substr(0, *literal_due_);
      in_.erase(0, *literal_due_);
      literal_due_.reset();
      continue;
    }
    const std::size_t end = in_.find("\r\n");
    if (end == std::string::npos) return std::nullopt;
    std::string line = in_.substr(0, end);
    in_.erase(0, end + 2);
    if (const auto literal = announced(line)) {
      parts_.push_back({line.substr(0, literal->begin), std::nullopt});
      literal_due_ = literal->size;
      if (literal->waits) {
        waiting_ = true;
        LiteralWaits waits;
        waits.size = literal->size;
        for (const Part& part : parts_) waits.so_far += part.line;
        return waits;
      }
      plus_used_ = true;
      largest_unasked_ = std::max(largest_unasked_, literal->size);
      continue;
    }
    parts_.push_back({std::move(line), std::nullopt});
    return finish();
  }
}

std::variant<ClientCommand, LiteralWaits, Nonsense> CommandReader::finish() {
  const std::vector<Part> parts = std::move(parts_);
  parts_.clear();
  std::vector<Token> tokens;
  ClientCommand command;
  for (const Part& part : parts) {
    command.line_octets = std::max(command.line_octets, part.line.size());
    if (!tokenise(part.line, tokens)) return Nonsense{part.line};
    if (part.literal) tokens.push_back({Token::Kind::literal, *part.literal});
  }
  if (tokens.size() < 2 || tokens[0].kind != Token::Kind::atom ||
      tokens[1].kind != Token::Kind::atom)
    return Nonsense{parts.front().line};
  command.tag = tokens[0].text;
  command.verb = upper(tokens[1].text);
  std::size_t first = 2;
  if (command.verb == "UID" && tokens.size() > 2) command.verb += " " + upper(tokens[first++].text);
  command.arguments.assign(tokens.begin() + static_cast<std::ptrdiff_t>(first), tokens.end());
  return command;
}

}  // namespace postferry::sim
