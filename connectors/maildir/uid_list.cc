#include "connectors/maildir/uid_list.h"

#include <algorithm>
#include <charconv>

namespace postferry::maildir {
namespace {

std::string_view take_until(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Header {
  bool letters = true;  // version 3
  UidList list;
};

std::optional<Header> parse_header(std::string_view line) {
  Header header;
  const std::optional<std::uint32_t> version = number(take_until(line, ' '));
  if (version == 1u) {
    header.letters = false;
    const auto validity = number(take_until(line, ' ')), next = number(take_until(line, ' '));
    if (!validity || *validity == 0 || !next || *next == 0) return std::nullopt;
    header.list.validity = *validity;
    header.list.next = *next;
    return header;
  }
  if (version != 3u) return std::nullopt;
  // V and N stand first, as Dovecot writes them; what follows is kept as it is.
  while (line.starts_with('V') || line.starts_with('N')) {
    const bool validity = line.starts_with('V');
    const auto value = number(take_until(line, ' ').substr(1));
    if (!value) return std::nullopt;
    (validity ? header.list.validity : header.list.next) = *value;
  }
  header.list.words = line;
  if (header.list.validity == 0 || header.list.next == 0) return std::nullopt;
  return header;
}

}  // namespace

std::optional<UidList> parse_uid_list(std::string_view text) {
  if (text.find('\n') == std::string_view::npos) return std::nullopt;
  std::optional<Header> header = parse_header(take_until(text, '\n'));
  if (!header) return std::nullopt;
  UidList& list = header->list;
  std::uint32_t last = 0;
  while (!text.empty()) {
    if (text.find('\n') == std::string_view::npos) {
      list.whole = false;
      break;
    }
    std::string_view line = take_until(text, '\n');
    UidLine out;
    const auto uid = number(take_until(line, ' '));
    if (!uid || *uid <= last) return std::nullopt;
    last = out.uid = *uid;
    if (header->letters) {
      const std::size_t colon = line.starts_with(':') ? 0 : line.find(" :");
      if (colon == std::string_view::npos) return std::nullopt;
      out.words = line.substr(0, colon);
      out.base = line.substr(colon + (colon == 0 && line.starts_with(':') ? 1 : 2));
    } else {
      out.base = line;
    }
    out.base = out.base.substr(0, out.base.find(':'));
    if (out.base.empty()) return std::nullopt;
    list.lines.push_back(out);
  }
  list.next = std::max(list.next, last + 1);
  return std::move(list);
}

void append_line(std::string& text, const UidLine& line) {
  text += std::to_string(line.uid) + " ";
  if (!line.words.empty()) text.append(line.words).append(" ");
  text.append(":").append(line.base).append("\n");
}

std::string format_uid_list(const UidList& list) {
  std::string text = "3 V" + std::to_string(list.validity) + " N" + std::to_string(list.next);
  if (!list.words.empty()) text.append(" ").append(list.words);
  text += "\n";
  for (const UidLine& line : list.lines) append_line(text, line);
  return text;
}

}  // namespace postferry::maildir
