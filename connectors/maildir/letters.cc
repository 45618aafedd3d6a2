#include "connectors/maildir/letters.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace postferry::maildir {
namespace {

constexpr std::size_t kMostKeywords = 26;
constexpr std::pair<char, Flags::System> kSystem[] = {{'D', Flags::draft},
                                                      {'F', Flags::flagged},
                                                      {'R', Flags::answered},
                                                      {'S', Flags::seen},
                                                      {'T', Flags::deleted}};
constexpr char kPassed = 'P';
constexpr std::string_view kForwarded = "$Forwarded";

bool same_keyword(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// What IMAP calls an atom: nothing else can be a keyword.
bool is_keyword(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > 0x20 && c < 0x7f && std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
  });
}

}  // namespace

Keywords Keywords::parse(std::string_view text) {
  Keywords out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::size_t index = 0;
    const auto [after, error] = std::from_chars(line.data(), line.data() + line.size(), index);
    const auto at = static_cast<std::size_t>(after - line.data());
    if (error != std::errc() || index >= kMostKeywords || at >= line.size() || line[at] != ' ') {
      continue;
    }
    if (!is_keyword(line.substr(at + 1))) continue;
    if (out.names_.size() <= index) out.names_.resize(index + 1);
    out.names_[index] = line.substr(at + 1);
  }
  return out;
}

std::string Keywords::format() const {
  std::string out;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!names_[i].empty()) out += std::to_string(i) + " " + names_[i] + "\n";
  }
  return out;
}

const std::string& Keywords::name(char letter) const {
  static const std::string kNone;
  const auto index = static_cast<std::size_t>(letter - 'a');
  return letter >= 'a' && index < names_.size() ? names_[index] : kNone;
}

char Keywords::letter(std::string_view keyword) const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (same_keyword(names_[i], keyword)) return static_cast<char>('a' + i);
  }
  return '\0';
}

char Keywords::letter_for(const std::string& keyword) {
  if (const char known = letter(keyword)) return known;
  // A gap may still be meant by files of long ago: only the end is free.
  if (names_.size() == kMostKeywords || !is_keyword(keyword)) return '\0';
  names_.push_back(keyword);
  changed_ = true;
  return static_cast<char>('a' + names_.size() - 1);
}

Flags flags_of(std::string_view letters, const Keywords& keywords) {
  Flags flags;
  for (const char letter : letters) {
    for (const auto& [known, bit] : kSystem) {
      if (letter == known) flags.system |= bit;
    }
    if (letter == kPassed) flags.add_keyword(std::string(kForwarded));
    if (const std::string& name = keywords.name(letter); !name.empty()) flags.add_keyword(name);
  }
  return flags;
}

std::string change_letters(std::string_view letters, const Flags& flags, bool add,
                           Keywords& keywords, std::uint64_t& dropped) {
  std::set<char> out(letters.begin(), letters.end());
  const auto change = [&out, add](char letter) {
    add ? (void)out.insert(letter) : (void)out.erase(letter);
  };
  for (const auto& [letter, bit] : kSystem) {
    if (flags.system & bit) change(letter);
  }
  for (const std::string& keyword : flags.keywords) {
    if (!add && same_keyword(keyword, kForwarded)) change(kPassed);
    const char letter = add ? keywords.letter_for(keyword) : keywords.letter(keyword);
    if (letter != '\0') {
      change(letter);
    } else if (add) {
      ++dropped;
    }
  }
  return {out.begin(), out.end()};
}

}  // namespace postferry::maildir
