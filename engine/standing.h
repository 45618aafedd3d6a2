// Where a message of the catalogue stands.
#pragma once

#include <cstdint>

namespace postferry {

/// How one message of the catalogue stands.
enum class Standing : std::uint8_t {
  due,       // has no row: to be copied
  present,   // recorded by an earlier run, or found on the target
  copied,    // appended by this run
  filtered,  // left out by the user's options
  rejected,
  accepted,  // refused before, and settled by the user: not tried again
  vanished,
};

/// It is to be found on the target, or sent: one that the options leave out now may have been sent
/// all the same.
constexpr bool is_wanted(Standing standing) {
  return standing == Standing::due || standing == Standing::filtered;
}

}  // namespace postferry
