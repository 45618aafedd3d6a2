#include "connectors/maildir/folder_path.h"

#include <algorithm>

#include "connectors/mail/mod_utf7.h"
#include "engine/digest.h"

namespace postferry::maildir {
namespace {

/// File systems take 255 bytes; some encrypted ones far less, but no mail program minds those.
constexpr std::size_t kMostBytes = 240;
constexpr std::size_t kKeptBytes = 200;
constexpr char kHex[] = "0123456789abcdef";

void escape(std::string& out, char c) {
  out += '\\';
  out += kHex[static_cast<unsigned char>(c) >> 4];
  out += kHex[static_cast<unsigned char>(c) & 15];
}

/// Levels that would be taken for a folder's own parts, with the layout fs.
bool reserved(std::string_view level) {
  static constexpr std::string_view kParts[] = {"cur", "new", "tmp", "subscriptions"};
  static constexpr std::string_view kStarts[] = {"dovecot", "maildir", "courier", "postferry"};
  return std::ranges::find(kParts, level) != std::end(kParts) ||
         std::ranges::any_of(kStarts,
                             [&](std::string_view start) { return level.starts_with(start); });
}

std::string escape_level(const std::string& level, Layout layout, bool first) {
  // What is no UTF-8 is kept byte for byte; escapes will hold it.
  const std::string raw = mail::encode_mod_utf7(level).value_or(level);
  std::string out;
  for (const char c : raw) {
    const bool plain = c >= 0x20 && c < 0x7f && c != '/' && c != '\\';
    const bool home = c == '~' && first && out.empty();  // Dovecot would take it for one
    const bool dot = c == '.' && (layout == Layout::maildirpp || out.empty());
    if (plain && !dot && !home && !(out.empty() && layout == Layout::fs && reserved(raw))) {
      out += c;
    } else {
      escape(out, c);
    }
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string shortened(std::string name) {
  if (name.size() <= kMostBytes) return name;
  const Sha256 digest = sha256(name);
  name.resize(kKeptBytes);
  name += "\\~";
  for (std::size_t i = 0; i < 8; ++i) {
    name += kHex[digest[i] >> 4];
    name += kHex[digest[i] & 15];
  }
  return name;
}

}  // namespace

std::vector<std::string> escape_levels(const FolderName& folder, Layout layout) {
  std::vector<std::string> out;
  for (const std::string& level : folder.levels()) {
    out.push_back(escape_level(level, layout, out.empty()));
  }
  return out;
}

std::string unescape_level(std::string_view level) {
  std::string raw;
  for (std::size_t i = 0; i < level.size(); ++i) {
    const int high = i + 2 < level.size() ? hex_digit(level[i + 1]) : -1;
    const int low = i + 2 < level.size() ? hex_digit(level[i + 2]) : -1;
    if (level[i] == '\\' && high >= 0 && low >= 0) {
      raw += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      raw += level[i];
    }
  }
  return mail::decode_lenient(raw);
}

std::string directory_of(const FolderName& folder, Layout layout) {
  if (folder.is_inbox()) return {};
  std::string out;
  for (std::string& level : escape_levels(folder, layout)) {
    if (layout == Layout::maildirpp) {
      out += "." + level;
    } else {
      out += (out.empty() ? "" : "/") + shortened(std::move(level));
    }
  }
  return layout == Layout::maildirpp ? shortened(std::move(out)) : out;
}

FolderName folder_at(std::string_view directory, Layout layout) {
  if (directory.empty()) return FolderName::parse("INBOX");
  const char delimiter = layout == Layout::maildirpp ? '.' : '/';
  if (layout == Layout::maildirpp) directory.remove_prefix(1);
  std::vector<std::string> levels;
  for (const std::string_view level : mail::split_levels(directory, delimiter)) {
    levels.push_back(unescape_level(level));
  }
  return FolderName(std::move(levels));
}

}  // namespace postferry::maildir
