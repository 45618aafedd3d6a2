// What is known of large providers, so that nobody need say it: data, no behaviour.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "engine/crossing/check.h"

namespace postferry::cli {

struct Preset {
  const char* name;      // preset = "gmail"
  const char* url;       // of its IMAP server; empty: it has no one server
  const char* hosts;     // its servers' names end in one of these, parted by blanks
  const char* software;  // as its sessions call it, if no other provider runs that; or empty
  int sessions = 0;      // that it bears for one account; 0: as many as others
  // Bytes a day; 0: no limit is known.
  std::uint64_t daily_down = 0, daily_up = 0, daily_pop3 = 0;
  const char* remark = "";  // what to know before mail is moved from there or to it

  /// What a source, or else a target, of this protocol gives or takes a day; 0: no limit is known.
  std::uint64_t daily(Protocol protocol, bool source) const;
};

/// The preset of this name.
std::optional<Preset> preset_named(std::string_view name);
/// The preset to which this host belongs.
std::optional<Preset> preset_of_host(std::string_view host);
/// The preset of a server that calls itself so.
std::optional<Preset> preset_of_software(std::string_view software);
/// All names, parted by commas.
std::string preset_names();

/// Gives options that say nothing else what is known of their ends by their hosts.
void apply_presets(PairOptions& options);

/// For people: which presets are used, by what, and what they say.
std::vector<std::string> preset_notes(const PairOptions& options, const CheckReport& check);

}  // namespace postferry::cli
