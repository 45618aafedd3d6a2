// Cuts a list of wanted messages into the FETCH commands that ask for them. Sends nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "engine/catalogue.h"

namespace postferry::imap {

/// What one FETCH asks for.
struct Window {
  std::string set;                   // UIDs, ascending
  std::vector<std::size_t> members;  // indexes into the wanted entries
  std::uint64_t bytes = 0;           // as the catalogue says

  /// One body that is too long to be held.
  bool streams() const;
};

struct WindowLimits {
  std::uint64_t bytes = 1 << 20;
  std::size_t messages = 200;
  std::size_t set_octets = 7000;
};

/// Windows of the entries named by `members`, in that order. A longer message has a window of its
/// own; a descent of UIDs begins a new window, since QQ and hMailServer refuse descending sets.
std::deque<Window> plan_windows(const std::vector<Catalogue::Entry>& wanted,
                                const std::vector<std::size_t>& members,
                                const WindowLimits& limits);

}  // namespace postferry::imap
