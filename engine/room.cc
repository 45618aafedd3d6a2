#include "engine/room.h"

#include <algorithm>

#include "engine/body.h"

namespace postferry {

namespace {

constexpr std::uint64_t kSetAside = 2 * kHoldLimit;  // for each lane

}  // namespace

std::uint64_t room_for_all(std::uint64_t memory_bytes, std::size_t lanes) {
  return memory_bytes - std::min(memory_bytes / 2, lanes * kSetAside);
}

bool Share::reserve(std::uint64_t bytes) {
  if (room_.reserved_ + bytes > room_.bytes_ || reserved_ + bytes > room_.most_of_one())
    return false;
  reserved_ += bytes;
  room_.reserved_ += bytes;
  return true;
}

Task<void> Share::keep(std::uint64_t bytes) {
  while (!keeps(bytes)) {
    room_.given_back_.reset();
    co_await room_.given_back_.wait();
  }
  room_.early_ += bytes;
}

bool Share::admits(std::uint64_t bytes) const {
  return admitted_ == 0 || (room_.has(bytes) && admitted_ + bytes <= room_.most_of_one());
}

Task<void> Share::admit(std::uint64_t bytes) {
  while (!admits(bytes)) {
    room_.given_back_.reset();
    co_await room_.given_back_.wait();
  }
  admitted_ += bytes;
  room_.admitted_ += bytes;
}

void Share::leave(std::uint64_t bytes) {
  give_up(bytes);
  room_.given_back_.set();
}

}  // namespace postferry
