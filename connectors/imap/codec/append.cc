// Heads of APPEND: flags that a server could refuse are kept out of them, since a refused command
// would cost the whole message a second trip.
#include "connectors/imap/codec/append.h"

#include <algorithm>
#include <array>
#include <utility>

#include "connectors/imap/codec/lexer.h"

namespace postferry::imap {
namespace {

constexpr std::array<std::string_view, 5> kSystemFlags = {"\\Answered", "\\Flagged", "\\Deleted",
                                                          "\\Seen", "\\Draft"};

bool is_atom(std::string_view text) {
  constexpr std::string_view kSpecials = "(){ %*\"\\]";
  return !text.empty() && std::ranges::all_of(text, [kSpecials](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f &&
           kSpecials.find(c) == kSpecials.npos;
  });
}

bool can_be_sent(std::string_view flag) {
  if (!flag.starts_with('\\')) return is_atom(flag);
  return std::ranges::any_of(kSystemFlags,
                             [flag](std::string_view known) { return same_ascii(flag, known); });
}

/// Adds ` (flags) "date" {size}` CRLF to the last piece.
void add_message(AppendHead& head, const AppendMessage& message, LiteralMode mode) {
  Piece& piece = head.pieces.back();
  CheckedFlags flags = check_flags(message.flags);
  if (!flags.sendable.empty()) {
    char before = '(';
    piece.bytes += ' ';
    for (const std::string& flag : flags.sendable) {
      piece.bytes.append(1, std::exchange(before, ' ')).append(flag);
    }
    piece.bytes += ')';
  }
  head.refused_flags = std::move(flags.refused);
  if (message.date) {
    const auto date = format_internal_date(*message.date);
    if (date) piece.bytes.append(" \"").append(*date).append("\"");
    head.date_dropped = !date;
  }
  piece.waits = literal_waits(mode, message.size);
  piece.bytes.append(" ").append(literal_header(message.size, piece.waits, message.binary));
}

}  // namespace

CheckedFlags check_flags(const std::vector<std::string>& flags) {
  CheckedFlags out;
  for (const std::string& flag : flags) {
    if (same_ascii(flag, "\\Recent")) continue;
    std::vector<std::string>& into = can_be_sent(flag) ? out.sendable : out.refused;
    const bool repeated = std::ranges::any_of(
        into, [&flag](const std::string& earlier) { return same_ascii(earlier, flag); });
    if (!repeated) into.push_back(flag);
  }
  return out;
}

AppendHead append_head(std::string_view tag, std::string_view raw_folder,
                       const AppendMessage& message, LiteralMode mode) {
  CommandBuilder command{std::string(tag), "APPEND", mode};
  AppendHead head;
  head.pieces = command.string(raw_folder).unfinished().pieces;
  add_message(head, message, mode);
  return head;
}

AppendHead append_next_head(const AppendMessage& message, LiteralMode mode) {
  AppendHead head;
  head.pieces.emplace_back();
  add_message(head, message, mode);
  return head;
}

}  // namespace postferry::imap
