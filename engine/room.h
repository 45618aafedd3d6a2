// Room for message data: how many bytes may be here at once, and how many may be asked for, for all
// of an account's lanes together. Who needs much gets it from those who need little.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/async/event.h"
#include "engine/async/task.h"

namespace postferry {

/// What a message costs besides its body.
constexpr std::uint64_t kMessageWeight = 512;

/// What every lane needs to go on whatever the others do (a window that it asks for, a message at
/// the head of its line) is set aside, but not more than half; the rest is room for all.
std::uint64_t room_for_all(std::uint64_t memory_bytes, std::size_t lanes);

/// Two limits of the same size: of what is asked for in advance, and of what is here. Most of what
/// is asked for is still on its way, and while it is not read the line holds it.
class Room {
 public:
  explicit Room(std::uint64_t bytes) : bytes_(bytes) {}
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

 private:
  friend class Share;
  /// So that a lane whose target is slow does not hold all of it.
  std::uint64_t most_of_one() const { return shares_ > 1 ? bytes_ / 2 : bytes_; }
  bool has(std::uint64_t bytes) const { return admitted_ + early_ + bytes <= bytes_; }

  const std::uint64_t bytes_;
  std::uint64_t reserved_ = 0;              // asked for, until it is handed over
  std::uint64_t admitted_ = 0, early_ = 0;  // here: handed over; before its turn
  std::size_t shares_ = 0;
  Event given_back_;
};

/// One lane's part. Room outlives it.
class Share {
 public:
  explicit Share(Room& room) : room_(room) { ++room_.shares_; }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  ~Share() { --room_.shares_; }

  /// Takes room for what is to be asked for in advance, if it is there.
  bool reserve(std::uint64_t bytes);
  void unreserve(std::uint64_t bytes) { give(reserved_, room_.reserved_, bytes); }

  /// Whether keep() would not wait.
  bool keeps(std::uint64_t bytes) const { return room_.admitted_ == 0 || room_.has(bytes); }
  /// Takes room for a message that was reserved and comes before its turn. Where nothing that is
  /// here can leave there is no use in waiting: all of it has been reserved, and so has its bound.
  Task<void> keep(std::uint64_t bytes);
  /// Its turn has come, or never will. Wakes nobody: it is to be admitted, or the end of a fetch.
  void unkeep(std::uint64_t bytes) { room_.early_ -= bytes; }

  /// Whether admit() would not wait. The lane's only message is always let in.
  bool admits(std::uint64_t bytes) const;
  /// Takes room for a message that is here, when admits() says so.
  Task<void> admit(std::uint64_t bytes);
  /// A message has gone: whoever waits looks again.
  void leave(std::uint64_t bytes);
  /// The same where nobody goes on, as in a destructor: nobody is woken.
  void give_up(std::uint64_t bytes) { give(admitted_, room_.admitted_, bytes); }

 private:
  static void give(std::uint64_t& own, std::uint64_t& all, std::uint64_t bytes) {
    own -= bytes;
    all -= bytes;
  }

  Room& room_;
  std::uint64_t reserved_ = 0, admitted_ = 0;
};

}  // namespace postferry
