// Mail for schedules: alike enough to be confused, distinct enough to be told apart.
#pragma once

#include <string>
#include <vector>

#include "engine/model.h"
#include "tests/sim/dice.h"

namespace postferry::sim {

class LetterWriter {
 public:
  explicit LetterWriter(Dice& dice) : dice_(dice) {}

  /// A letter that nobody has, or one that was written before, word by word.
  std::string letter_or_copy();
  /// One that nobody has.
  std::string letter();
  /// Too long to be held in memory.
  std::string long_letter();
  Flags flags();
  InternalDate date();

 private:
  Dice& dice_;
  std::vector<std::string> written_;
  std::uint64_t count_ = 0;
};

}  // namespace postferry::sim
