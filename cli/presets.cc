#include "cli/presets.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/format.h"

namespace postferry::cli {
namespace {

constexpr std::uint64_t kMega = 1'000'000;
constexpr const char* kAppPassword = "it wants an app password, made in the account's settings";

// Yahoo and AOL show all of a folder only on their export servers. iCloud, Yahoo, NetEase and QQ
// refuse connections soon; Gmail bears 15, of which the user's own programs want some. What servers
// do in their own way beyond that is the connectors' to know.
constexpr Preset kPresets[] = {
    {"gmail", "imaps://imap.gmail.com", "gmail.com googlemail.com", "Gmail", 8, 2500 * kMega,
     500 * kMega, 1250 * kMega, kAppPassword},
    {"office365", "imaps://outlook.office365.com", "office365.com outlook.com", "Exchange", 4, 0, 0,
     0, "in the cloud it takes no passwords but OAuth tokens: auth=xoauth2 and a password command"},
    {"yahoo", "imaps://export.imap.mail.yahoo.com", "yahoo.com", "Yahoo", 2, 0, 0, 0, kAppPassword},
    {"aol", "imaps://export.imap.aol.com", "aol.com", "", 2, 0, 0, 0, kAppPassword},
    {"icloud", "imaps://imap.mail.me.com", "mail.me.com", "", 2, 0, 0, 0, kAppPassword},
    {"yandex", "imaps://imap.yandex.com", "yandex.com yandex.ru yandex.net", "", 4, 0, 0, 0,
     kAppPassword},
    {"netease", "imaps://imap.163.com", "163.com 126.com yeah.net", "", 2, 0, 0, 0,
     "its password for programs is made in the account's settings"},
    {"qq", "imaps://imap.qq.com", "qq.com", "", 2, 0, 0, 0,
     "its password for programs is made in the account's settings"},
    {"gmx", "imaps://imap.gmx.net", "gmx.net gmx.com gmx.de", "", 4, 0, 0, 0,
     "POP3 and IMAP must be switched on in the account's settings"},
    {"webde", "imaps://imap.web.de", "web.de", "", 4, 0, 0, 0,
     "POP3 and IMAP must be switched on in the account's settings"},
    {"fastmail", "imaps://imap.fastmail.com", "fastmail.com messagingengine.com", "", 4, 0, 0, 0,
     kAppPassword},
};

/// Whether `host` is `domain` or below it.
bool belongs(std::string_view host, std::string_view domain) {
  return host == domain || (host.size() > domain.size() && host.ends_with(domain) &&
                            host[host.size() - domain.size() - 1] == '.');
}

template <class Fits>
std::optional<Preset> find(Fits fits) {
  const auto at = std::ranges::find_if(kPresets, fits);
  return at == std::end(kPresets) ? std::nullopt : std::optional(*at);
}

void apply(const PairOptions& options, Endpoint& end, std::optional<std::uint64_t>& daily,
           bool source) {
  const std::optional<Preset> preset = preset_of_host(end.host);
  if (!preset) return;
  if (end.sessions == 0 && !options.sessions) end.sessions = preset->sessions;
  const std::uint64_t known = preset->daily(end.protocol, source);
  if (!daily && known > 0) daily = known;
}

std::string note(const char* end, const Preset& preset, const std::string& why,
                 std::uint64_t daily) {
  std::string text = fmt::format("{}: preset {}, by {}", end, preset.name, why);
  if (preset.sessions > 0) text += fmt::format("; up to {} sessions", preset.sessions);
  if (daily > 0) text += fmt::format("; {} a day", human_bytes(daily));
  if (*preset.remark != '\0') text += fmt::format("; {}", preset.remark);
  return text;
}

std::optional<std::string> note_of(const char* name, const Endpoint& end,
                                   const std::string& software, bool source) {
  if (const auto preset = preset_of_host(end.host))
    return note(name, *preset, "its host", preset->daily(end.protocol, source));
  if (const auto preset = preset_of_software(software))
    return note(name, *preset, fmt::format("its server, which is {}", software),
                preset->daily(end.protocol, source));
  return std::nullopt;
}

}  // namespace

std::uint64_t Preset::daily(Protocol protocol, bool source) const {
  if (!source) return protocol == Protocol::imap ? daily_up : 0;
  return protocol == Protocol::pop3 ? daily_pop3 : daily_down;
}

std::optional<Preset> preset_named(std::string_view name) {
  return find([&](const Preset& one) { return name == one.name; });
}

std::optional<Preset> preset_of_host(std::string_view host) {
  return find([&](const Preset& preset) {
    std::string_view hosts = preset.hosts;
    while (!hosts.empty()) {
      const std::string_view one = hosts.substr(0, hosts.find(' '));
      if (belongs(host, one)) return true;
      hosts.remove_prefix(std::min(hosts.size(), one.size() + 1));
    }
    return false;
  });
}

std::optional<Preset> preset_of_software(std::string_view software) {
  if (software.empty()) return std::nullopt;
  return find([&](const Preset& one) { return software == one.software; });
}

std::string preset_names() {
  std::string names;
  for (const Preset& preset : kPresets)
    names += (names.empty() ? "" : ", ") + std::string(preset.name);
  return names;
}

void apply_presets(PairOptions& options) {
  apply(options, options.source, options.source_daily, true);
  apply(options, options.target, options.target_daily, false);
}

std::vector<std::string> preset_notes(const PairOptions& options, const CheckReport& check) {
  std::vector<std::string> notes;
  if (auto text = note_of("source", options.source, check.source_software, true))
    notes.push_back(*std::move(text));
  if (auto text = note_of("target", options.target, check.target_software, false))
    notes.push_back(*std::move(text));
  return notes;
}

}  // namespace postferry::cli
