#include "cli/presets.h"

#include <algorithm>

namespace postferry::cli {
namespace {

// Yahoo and AOL show all of a folder only on their export servers. iCloud and Yahoo limit
// connections soon; Gmail bears 15, of which the user's own programs want some.
constexpr Preset kPresets[] = {
    {"gmail", "imaps://imap.gmail.com", "gmail.com googlemail.com", 8},
    {"office365", "imaps://outlook.office365.com", "office365.com outlook.com", 4},
    {"yahoo", "imaps://export.imap.mail.yahoo.com", "yahoo.com", 2},
    {"aol", "imaps://export.imap.aol.com", "aol.com", 2},
    {"icloud", "imaps://imap.mail.me.com", "mail.me.com", 2},
    {"yandex", "imaps://imap.yandex.com", "yandex.com yandex.ru", 4},
    {"netease", "imaps://imap.163.com", "163.com 126.com", 2},
    {"qq", "imaps://imap.qq.com", "qq.com", 2},
};

/// Whether `host` is `domain` or below it.
bool belongs(std::string_view host, std::string_view domain) {
  return host == domain || (host.size() > domain.size() && host.ends_with(domain) &&
                            host[host.size() - domain.size() - 1] == '.');
}

}  // namespace

std::optional<Preset> preset_named(std::string_view name) {
  const auto at =
      std::ranges::find_if(kPresets, [&](const Preset& one) { return name == one.name; });
  return at == std::end(kPresets) ? std::nullopt : std::optional(*at);
}

std::optional<Preset> preset_of_host(std::string_view host) {
  for (const Preset& preset : kPresets) {
    std::string_view hosts = preset.hosts;
    while (!hosts.empty()) {
      const std::string_view one = hosts.substr(0, hosts.find(' '));
      if (belongs(host, one)) return preset;
      hosts.remove_prefix(std::min(hosts.size(), one.size() + 1));
    }
  }
  return std::nullopt;
}

std::string preset_names() {
  std::string names;
  for (const Preset& preset : kPresets)
    names += (names.empty() ? "" : ", ") + std::string(preset.name);
  return names;
}

}  // namespace postferry::cli
