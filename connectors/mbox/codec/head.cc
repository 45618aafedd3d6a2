#include "connectors/mbox/codec/head.h"

#include <algorithm>

namespace postferry::mbox {
namespace {

/// Room for keywords that come later.
constexpr std::size_t kKeywordRoom = 48;
/// The same for the list of all, in the first message.
constexpr std::size_t kListRoom = 400;

std::string ten_digits(std::uint32_t number) {
  const std::string digits = std::to_string(number);
  return std::string(10 - digits.size(), '0') + digits;
}

/// Up to the keywords, whose line has no end yet.
std::string start_of(const Head& head) {
  const auto has = [&head](Flags::System flag) { return (head.flags.system & flag) != 0; };
  std::string out;
  if (head.base) out += format_base(*head.base);
  out += "X-UID: " + ten_digits(head.uid) + "\nStatus: ";
  out += has(Flags::seen) ? "RO" : "O ";
  out += "\nX-Status: ";
  std::string letters;
  if (has(Flags::answered)) letters += 'A';
  if (has(Flags::flagged)) letters += 'F';
  if (has(Flags::draft)) letters += 'T';
  if (has(Flags::deleted)) letters += 'D';
  letters.resize(4, ' ');
  out += letters + "\nX-Keywords:";
  for (const std::string& word : head.flags.keywords) out += " " + word;
  return out;
}

}  // namespace

std::string format_base(const Envelope::Base& base) {
  std::string out = "X-IMAPbase: " + ten_digits(base.validity) + " " + ten_digits(base.last);
  for (const std::string& word : base.keywords) out += " " + word;
  return out + "\n";
}

std::string format_head(const Head& head) {
  std::string out = start_of(head);
  const std::size_t keywords = out.size() - (out.rfind("X-Keywords:") + 11);
  out.append(std::max(kKeywordRoom, keywords + 2) - keywords, ' ');
  if (head.base) out.append(kListRoom, ' ');
  return out + "\n";
}

std::optional<std::string> format_head(const Head& head, std::size_t bytes) {
  std::string out = start_of(head);
  if (out.size() + 1 > bytes) return std::nullopt;
  out.append(bytes - out.size() - 1, ' ');
  return out + "\n";
}

}  // namespace postferry::mbox
