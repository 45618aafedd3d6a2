#include "cli/job_ends.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/presets.h"
#include "cli/values.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

/// Those that a URL may have after its `?`, and are keys here.
constexpr const char* kQueryKeys[] = {"tls",      "ca", "pin",    "verify", "auth",
                                      "sessions", "as", "layout", "labels", "compress"};
constexpr const char* kOwnKeys[] = {"url",           "preset",           "user",
                                    "password_file", "password_command", "daily"};

/// What begins a URL that is a path.
constexpr const char* kPaths[] = {"maildir:", "mbox:", "eml:", "lmtp:"};

std::string escaped(const std::string& text, std::string_view what) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || what.find(c) != std::string_view::npos) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

/// One end of one account.
class End {
 public:
  End(const JobEnds& ends, const char* name, const Section& section, const std::string& account)
      : ends_(ends), name_(name), section_(section), account_(account) {}

  void understand(Endpoint& endpoint, PasswordOptions& password,
                  std::optional<std::uint64_t>& daily) {
    understand_daily(daily);
    const std::optional<std::string> url = whole_url();
    if (!url) return;
    try {
      endpoint = parse_endpoint(*url);
    } catch (const Error& error) {
      const bool show = !ends_.of_table || !(own("url") || own("user"));
      fault(fmt::format("{}: {}", name_,
                        show ? error.what() : fmt::format("its URL: {}", kNotShown)));
      return;
    }
    if (ends_.log_in) understand_password(endpoint, password);
  }

  const Given* own(const std::string& key) const {
    const auto at = ends_.account.keys.find(fmt::format("{}_{}", name_, key));
    return at == ends_.account.keys.end() ? nullptr : &at->second;
  }
  const Given* given(const std::string& key) const {
    if (const Given* found = own(key)) return found;
    const auto at = section_.keys.find(key);
    return at == section_.keys.end() ? nullptr : &at->second;
  }

 private:
  void fault(std::string text) const {
    ends_.faults.push_back({ends_.account.place, std::move(text)});
  }

  /// {name} and {user}; in a path they stay one level of it.
  std::optional<std::string> filled(std::string text, bool path) const {
    const Given* user = given("user");
    for (const auto& [mark, value] :
         {std::pair<std::string, std::string>{"{name}", account_},
          std::pair<std::string, std::string>{"{user}", user ? user->text() : ""}}) {
      for (std::size_t at = text.find(mark); at != std::string::npos;
           at = text.find(mark, at + value.size())) {
        if (value.empty()) {
          fault(fmt::format("{}: nothing is known to put in place of {}", name_, mark));
          return std::nullopt;
        }
        if (path && (value.find('/') != std::string::npos || value.starts_with('.'))) {
          fault(fmt::format("{}: {} cannot stand for {} in a path", name_,
                            ends_.of_table ? "what the table has" : printable(value, 80), mark));
          return std::nullopt;
        }
        text.replace(at, mark.size(), value);
      }
    }
    return text;
  }

  std::optional<std::string> whole_url() const {
    const Given* const own_url = own("url");
    const Given* const given_url = own_url || own("preset") ? own_url : given("url");
    const Given* const given_preset = given_url ? nullptr : given("preset");
    const std::optional<Preset> preset =
        given_preset ? preset_named(given_preset->text()) : std::nullopt;
    if (given_preset && !preset) {
      const std::string text = given_preset == own("preset") && ends_.of_table
                                   ? "of this name"
                                   : printable(given_preset->text(), 80);
      fault(fmt::format("{}: there is no preset {}; there are {}", name_, text, preset_names()));
      return std::nullopt;
    }
    if (!given_url && !preset) {
      fault(fmt::format("{0}: there is no URL; write url in [{0}] or {0}_url", name_));
      return std::nullopt;
    }
    std::string url = preset ? preset->url : given_url->text();
    const std::size_t question = url.find('?');
    std::string query = question == std::string::npos ? "" : url.substr(question + 1);
    url = url.substr(0, question);
    const std::size_t slashes = url.find("://");
    const Given* const user = given("user");
    if (slashes != std::string::npos) {
      // Who only takes mail may take it from anybody.
      const bool relays = url.starts_with("lmtp:") || url.starts_with("smtp");
      const bool nobody = relays && !user;
      if (!nobody && url.find('@') == std::string::npos) {
        if (!user) {
          fault(fmt::format("{0}: no user; write {0}_user, or the user into the URL", name_));
          return std::nullopt;
        }
        url.insert(slashes + 3, escaped(user->text(), ":?") + "@");
      } else if (!nobody && own("user") && !own("url")) {
        fault(fmt::format("{0}: {0}_user, but the URL has a user as well", name_));
        return std::nullopt;
      }
    } else if (std::ranges::any_of(kPaths,
                                   [&url](const char* one) { return url.starts_with(one); })) {
      const auto path = filled(url.substr(url.find(':') + 1), true);
      if (!path) return std::nullopt;
      url = url.substr(0, url.find(':') + 1) +
            escaped((std::filesystem::path(ends_.directory) / *path).string(), "?");
    }
    for (const char* key : kQueryKeys) {
      const auto at = section_.keys.find(key);
      if (at == section_.keys.end()) continue;
      auto value = filled(at->second.text(), false);
      if (!value) return std::nullopt;
      if (std::string_view(key) == "verify" && *value == "true") continue;
      if (std::string_view(key) == "verify" && *value == "false") value = "no";
      if (std::string_view(key) == "ca")
        value = (std::filesystem::path(ends_.directory) / *value).string();
      query += (query.empty() ? "" : "&") + std::string(key) + "=" + escaped(*value, "&");
    }
    return query.empty() ? url : url + "?" + query;
  }

  void understand_daily(std::optional<std::uint64_t>& daily) const {
    const std::string option = fmt::format("--{}-daily=", name_);
    const Given* const text = given("daily");
    const auto is_it = [&](const std::string& one) { return one.starts_with(option); };
    if (!text || std::ranges::any_of(ends_.arguments, is_it)) return;
    try {
      daily = parse_daily(text->text());
    } catch (const BadValue& error) {
      const bool show = !ends_.of_table || text != own("daily");
      ends_.faults.push_back(
          {text->place, fmt::format("{}: daily: {}", name_, show ? error.what() : kNotShown)});
    }
  }

  void understand_password(const Endpoint& endpoint, PasswordOptions& password) const {
    const bool own_one = own("password") || own("password_file") || own("password_command");
    if (own_one) password = {};
    const auto look = [&](const char* key) { return own_one ? own(key) : given(key); };
    const Given* const literal = look("password");
    const Given* const file = look("password_file");
    const Given* const command = look("password_command");
    if ((literal != nullptr) + (file != nullptr) + (command != nullptr) > 1) {
      fault(fmt::format("{}: more than one of password, password_file, password_command", name_));
      return;
    }
    if (literal) password.literal = Secret(literal->text());
    if (command) password.command = command->text();
    if (file) {
      const auto path = filled(file->text(), true);
      if (!path) return;
      password.file = (std::filesystem::path(ends_.directory) / with_credentials(*path)).string();
    }
    if (password.file && ::access(password.file->c_str(), R_OK) != 0) {
      const int reason = errno;
      // A word alone may be the password itself.
      const bool show = !file || file->text().find('/') != std::string::npos || !ends_.of_table;
      fault(fmt::format("{}: password file {}: {}", name_,
                        show ? printable(*password.file) : "of this row", std::strerror(reason)));
    }
    const bool any = password.literal || password.file || password.command;
    const bool needs = endpoint.has_login() && endpoint.auth != "EXTERNAL";
    if (needs && !any && !known_outside())
      fault(
          fmt::format("no password for the {0}: give {0}_password_file, {0}_password_command or "
                      "{0}_password",
                      name_));
  }

  /// systemd tells only its service where the credentials are.
  std::string with_credentials(const std::string& path) const {
    constexpr std::string_view kMark = "$CREDENTIALS_DIRECTORY";
    if (!path.starts_with(kMark)) return path;
    return ends_.environment("CREDENTIALS_DIRECTORY").value_or("") + path.substr(kMark.size());
  }

  /// The environment or a systemd credential has it, for all accounts.
  bool known_outside() const {
    const bool source = std::string_view(name_) == "source";
    const auto variable =
        ends_.environment(source ? "POSTFERRY_SOURCE_PASSWORD" : "POSTFERRY_TARGET_PASSWORD");
    if (variable && !variable->empty()) return true;
    const auto directory = ends_.environment("CREDENTIALS_DIRECTORY");
    return directory &&
           ::access(fmt::format("{}/{}-password", *directory, name_).c_str(), R_OK) == 0;
  }

  const JobEnds& ends_;
  const char* name_;
  const Section& section_;
  const std::string& account_;
};

std::string name_of(const JobEnds& ends) {
  for (const char* key : {"name", "source_user", "target_user", "source_url", "target_url"}) {
    const auto at = ends.account.keys.find(key);
    if (at != ends.account.keys.end()) return at->second.text();
  }
  return {};
}

}  // namespace

void understand_ends(const JobEnds& ends, PairOptions& account) {
  account.account = name_of(ends);
  if (account.account.empty()) {
    ends.faults.push_back({ends.account.place, "the account has neither a name nor a source_user"});
    return;
  }
  End(ends, "source", ends.source, account.account)
      .understand(account.source, account.source_password, account.source_daily);
  End(ends, "target", ends.target, account.account)
      .understand(account.target, account.target_password, account.target_daily);
  apply_presets(account);
}

std::vector<std::string> unknown_end_keys(const Keys& keys) {
  std::vector<std::string> unknown;
  for (const auto& [key, given] : keys) {
    const auto is = [&](const char* one) { return key == one; };
    if (std::ranges::none_of(kQueryKeys, is) && std::ranges::none_of(kOwnKeys, is))
      unknown.push_back(key);
  }
  return unknown;
}

}  // namespace postferry::cli
