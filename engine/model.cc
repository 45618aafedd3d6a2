#include "engine/model.h"

#include <algorithm>
#include <cctype>

namespace postferry {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int compare_ignoring_case(std::string_view a, std::string_view b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return lower(a[i]) < lower(b[i]) ? -1 : 1;
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

struct SystemFlag {
  Flags::System bit;
  const char* name;
};
constexpr SystemFlag kSystemFlags[] = {{Flags::seen, "\\Seen"},
                                       {Flags::answered, "\\Answered"},
                                       {Flags::flagged, "\\Flagged"},
                                       {Flags::deleted, "\\Deleted"},
                                       {Flags::draft, "\\Draft"}};

}  // namespace

FolderName::FolderName(std::vector<std::string> levels) : levels_(std::move(levels)) {
  std::erase_if(levels_, [](const std::string& level) { return level.empty(); });
  if (levels_.size() == 1 && compare_ignoring_case(levels_[0], "INBOX") == 0) levels_[0] = "INBOX";
}

FolderName FolderName::parse(std::string_view text) {
  std::vector<std::string> levels(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (text[i] == '/') {
      levels.emplace_back();
    } else if (rest.starts_with("%2F") || rest.starts_with("%2f")) {
      levels.back() += '/';
      i += 2;
    } else if (rest.starts_with("%25")) {
      levels.back() += '%';
      i += 2;
    } else {
      levels.back() += text[i];
    }
  }
  return FolderName(std::move(levels));
}

std::string FolderName::to_string() const {
  std::string out;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    if (i > 0) out += '/';
    for (char c : levels_[i]) {
      if (c == '/')
        out += "%2F";
      else if (c == '%')
        out += "%25";
      else
        out += c;
    }
  }
  return out;
}

FolderName FolderName::parent() const {
  if (levels_.size() < 2) return {};
  return FolderName(std::vector<std::string>(levels_.begin(), levels_.end() - 1));
}

const char* to_string(Role role) {
  switch (role) {
    case Role::none:
      return "";
    case Role::inbox:
      return "inbox";
    case Role::all:
      return "all";
    case Role::archive:
      return "archive";
    case Role::drafts:
      return "drafts";
    case Role::flagged:
      return "flagged";
    case Role::important:
      return "important";
    case Role::junk:
      return "junk";
    case Role::sent:
      return "sent";
    case Role::trash:
      return "trash";
  }
  return "";
}

void Flags::add_keyword(std::string keyword) {
  const auto at = std::lower_bound(
      keywords.begin(), keywords.end(), keyword,
      [](const std::string& a, const std::string& b) { return compare_ignoring_case(a, b) < 0; });
  if (at == keywords.end() || compare_ignoring_case(*at, keyword) != 0)
    keywords.insert(at, std::move(keyword));
}

void Flags::add(std::string_view flag) {
  if (flag.empty()) return;
  if (flag[0] != '\\') return add_keyword(std::string(flag));
  for (const SystemFlag& known : kSystemFlags)
    if (compare_ignoring_case(flag, known.name) == 0) system |= known.bit;
}

std::vector<std::string> Flags::names() const {
  std::vector<std::string> out;
  for (const SystemFlag& known : kSystemFlags)
    if (system & known.bit) out.emplace_back(known.name);
  out.insert(out.end(), keywords.begin(), keywords.end());
  return out;
}

std::string Flags::to_string() const {
  std::string out;
  for (const std::string& name : names()) {
    if (!out.empty()) out += ' ';
    out += name;
  }
  return out;
}

Flags Flags::parse(std::string_view text) {
  Flags flags;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    flags.add(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return flags;
}

bool Flags::operator==(const Flags& other) const {
  return system == other.system &&
         std::equal(keywords.begin(), keywords.end(), other.keywords.begin(), other.keywords.end(),
                    [](const std::string& a, const std::string& b) {
                      return compare_ignoring_case(a, b) == 0;
                    });
}

Flags Flags::minus(const Flags& other) const {
  Flags left;
  left.system = static_cast<std::uint8_t>(system & ~other.system);
  for (const std::string& keyword : keywords) {
    const bool shared = std::any_of(
        other.keywords.begin(), other.keywords.end(),
        [&](const std::string& theirs) { return compare_ignoring_case(keyword, theirs) == 0; });
    if (!shared) left.keywords.push_back(keyword);
  }
  return left;
}

bool holds(const std::vector<UidRange>& ranges, Uid uid) {
  const auto after = std::ranges::upper_bound(ranges, uid, {}, &UidRange::first);
  return after != ranges.begin() && uid <= std::prev(after)->last;
}

bool same_instant(const std::optional<InternalDate>& a, const std::optional<InternalDate>& b) {
  return !a || !b || a->seconds == b->seconds;
}

bool tell_same_instant(const std::optional<InternalDate>& a, const std::optional<InternalDate>& b) {
  return a && b && same_instant(a, b);
}

std::string MessageKey::to_string() const {
  return is_uid() ? "UID " + std::to_string(uid_.value) : "UIDL " + text_;
}

}  // namespace postferry
