// What is known of large providers, so that a job file need not say it: data, no behaviour.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postferry::cli {

struct Preset {
  const char* name;   // preset = "gmail"
  const char* url;    // of its IMAP server
  const char* hosts;  // its servers' names end in one of these, parted by blanks
  int sessions;       // that it bears for one account
};

/// The preset of this name.
std::optional<Preset> preset_named(std::string_view name);
/// The preset to which this host belongs.
std::optional<Preset> preset_of_host(std::string_view host);
/// All names, parted by commas.
std::string preset_names();

}  // namespace postferry::cli
