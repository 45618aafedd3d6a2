#include "cli/journal_path.h"

#include <fmt/core.h>

#include "engine/digest.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

/// "ann@old.example", with nothing that a shell or a file system minds, and not long.
std::string file_name_of(const Endpoint& end) {
  constexpr std::size_t kMostBytes = 60;
  const std::string text = end.relays()     ? end.recipient
                           : end.in_files() ? end.path.substr(end.path.rfind('/') + 1)
                           : end.user.find('@') == std::string::npos ? end.user + "@" + end.host
                                                                     : end.user;
  std::string name;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '@' || c == '.' || c == '_' || c == '-';
    name += plain ? c : '_';
    if (name.size() == kMostBytes) break;
  }
  if (!name.empty() && (name[0] == '.' || name[0] == '-')) name[0] = '_';
  return name;
}

std::string state_home(
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  const auto absolute = [&](const char* name) -> std::optional<std::string> {
    const auto value = environment(name);
    return value && value->starts_with('/') ? value : std::nullopt;
  };
  if (const auto state = absolute("XDG_STATE_HOME")) return *state;
  if (const auto home = absolute("HOME")) return *home + "/.local/state";
  throw Error(ErrorKind::usage, "no home directory to keep the journal in: give --journal FILE");
}

}  // namespace

std::string default_journal_path(
    const Endpoint& source, const Endpoint& target,
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  const Sha256 digest = sha256(source.identity() + "\n" + target.identity());
  std::string hash;
  for (std::size_t i = 0; i < 4; ++i) hash += fmt::format("{:02x}", digest[i]);
  return fmt::format("{}/postferry/{}--{}-{}.db", state_home(environment), file_name_of(source),
                     file_name_of(target), hash);
}

}  // namespace postferry::cli
