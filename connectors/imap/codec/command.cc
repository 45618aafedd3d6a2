// Commands as pieces: one round trip each time the server must agree to a literal.
#include "connectors/imap/codec/command.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace postferry::imap {
namespace {

constexpr std::uint64_t kLiteralMinusOctets = 4096;
// UW and Yahoo read lines of 1000 octets; a longer string goes into a literal.
constexpr std::size_t kLongestQuoted = 500;

}  // namespace

bool literal_waits(LiteralMode mode, std::uint64_t size) {
  if (mode == LiteralMode::kLiteralPlus) return false;
  return mode == LiteralMode::kSynchronising || size > kLiteralMinusOctets;
}

std::string literal_header(std::uint64_t size, bool waits, bool binary) {
  std::string header(binary ? "~{" : "{");
  header += std::to_string(size);
  header += waits ? "}\r\n" : "+}\r\n";
  return header;
}

std::string TagGenerator::next() { return prefix_ + std::to_string(++last_); }

std::string redacted(const Piece& piece) {
  std::string out;
  std::size_t at = 0;
  for (const ByteRange& secret : piece.secrets) {
    out.append(piece.bytes, at, secret.begin - at).append("***");
    at = secret.end;
  }
  return out.append(piece.bytes, at);
}

bool can_be_quoted(std::string_view text) {
  return text.size() <= kLongestQuoted && std::ranges::none_of(text, [](char c) {
           return c == '\r' || c == '\n' || c == '\0' || static_cast<unsigned char>(c) > 0x7f;
         });
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

CommandBuilder::CommandBuilder(std::string tag, std::string_view name, LiteralMode mode)
    : mode_(mode) {
  command_.pieces.push_back({tag + " ", false, {}});
  bytes() += name;
  command_.tag = std::move(tag);
}

CommandBuilder& CommandBuilder::raw(std::string_view text) {
  if (text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos) {
    throw std::invalid_argument("a command argument with a line end or NUL");
  }
  bytes().append(" ").append(text);
  return *this;
}

CommandBuilder& CommandBuilder::raw_secret(std::string_view text) {
  raw(text);
  command_.pieces.back().secrets.push_back({bytes().size() - text.size(), bytes().size()});
  return *this;
}

CommandBuilder& CommandBuilder::string(std::string_view value) { return add(value, false); }

CommandBuilder& CommandBuilder::secret(std::string_view value) { return add(value, true); }

CommandBuilder& CommandBuilder::add(std::string_view value, bool is_secret) {
  if (can_be_quoted(value)) {
    return is_secret ? raw_secret(quoted(value)) : raw(quoted(value));
  }
  if (value.find('\0') != value.npos) throw std::invalid_argument("a string with NUL");
  const bool waits = literal_waits(mode_, value.size());
  bytes().append(" ").append(literal_header(value.size(), waits));
  if (waits) {
    command_.pieces.back().waits = true;
    command_.pieces.emplace_back();
  }
  const std::size_t begin = bytes().size();
  bytes() += value;
  if (is_secret) command_.pieces.back().secrets.push_back({begin, bytes().size()});
  return *this;
}

CommandBuilder& CommandBuilder::flags(std::span<const std::string> flags) {
  std::string list = "(";
  for (const std::string& flag : flags) {
    if (list.size() > 1) list += ' ';
    list += flag;
  }
  return raw(list += ')');
}

Command CommandBuilder::finish() {
  bytes() += "\r\n";
  return unfinished();
}

Command CommandBuilder::unfinished() { return std::exchange(command_, {}); }

}  // namespace postferry::imap
