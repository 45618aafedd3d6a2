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

bool Share::fits(std::uint64_t bytes) const {
  return room_.taken_ + bytes <= room_.bytes_ &&
         reserved_ + admitted_ + bytes <= room_.most_of_one();
}

bool Share::reserve(std::uint64_t bytes) {
  if (!fits(bytes)) return false;
  reserved_ += bytes;
  room_.taken_ += bytes;
  return true;
}

void Share::unreserve(std::uint64_t bytes) {
  reserved_ -= bytes;
  room_.taken_ -= bytes;
}

bool Share::admits(std::uint64_t bytes) const { return admitted_ == 0 || fits(bytes); }

Task<void> Share::admit(std::uint64_t bytes) {
  while (!admits(bytes)) {
    room_.given_back_.reset();
    co_await room_.given_back_.wait();
  }
  admitted_ += bytes;
  room_.taken_ += bytes;
}

void Share::leave(std::uint64_t bytes) {
  give_up(bytes);
  room_.given_back_.set();
}

void Share::give_up(std::uint64_t bytes) {
  admitted_ -= bytes;
  room_.taken_ -= bytes;
}

}  // namespace postferry
