#include "engine/crossing/poison.h"

#include <algorithm>
#include <utility>

namespace postferry {

namespace {

constexpr std::size_t kFirstPart = 512, kShare = 8;
constexpr int kMostInARow = 3;

}  // namespace

bool PoisonHunt::failed(const Error& error, bool progressed, const UnderWay& under_way) {
  condemned_.reset();
  const bool witness_failed = std::exchange(witness_, false) && !progressed;
  if (progressed) {
    suspect_.reset();
    in_a_row_ = 0;
    return true;
  }
  const bool broke = error.kind() == ErrorKind::transient || error.kind() == ErrorKind::protocol;
  if (witness_failed) in_a_row_ = kMostInARow + 1;
  if (!broke || under_way.messages == 0 || in_a_row_ > kMostInARow) return false;
  if (in_a_row_ == kMostInARow) {
    at_once_ = 1;
    witness_ = true;
    return true;
  }
  if (under_way.messages > 1) {
    at_once_ = std::clamp(under_way.messages / kShare, std::size_t{1}, kFirstPart);
    return true;
  }
  at_once_ = 1;
  if (suspect_ != under_way.first) {
    suspect_ = under_way.first;
    return true;
  }
  condemned_ = {under_way.first, std::string("the line broke each time that only this message was "
                                             "under way: ") +
                                     error.message()};
  suspect_.reset();
  at_once_ = std::numeric_limits<std::size_t>::max();
  ++in_a_row_;
  return true;
}

}  // namespace postferry
