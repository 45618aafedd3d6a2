// The account of every source message at the end; it must balance.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/model.h"

namespace postferry {

/// seen = copied + present + filtered + rejected + vanished + unknown + pending, always.
struct Tally {
  std::uint64_t seen = 0, copied = 0, present = 0, filtered = 0, rejected = 0, vanished = 0,
                unknown = 0, pending = 0, twins = 0;
  std::uint64_t accepted = 0;  // of those rejected: settled by the user for good
  bool balances() const {
    return seen == copied + present + filtered + rejected + vanished + unknown + pending;
  }
  Tally& operator+=(const Tally& other);
};

struct FolderTally {
  FolderName source, target;
  Tally messages;
  std::uint64_t flags_updated = 0, deleted = 0, bytes_copied = 0, flags_dropped = 0;
  std::uint64_t removed = 0;         // from the source, or marked there
  std::uint64_t left_at_source = 0;  // not removed there until the user decides; left_behind.h
  std::optional<Error> error;        // why the folder did not complete
};

enum class Outcome { complete, partial, interrupted, failed };
const char* to_string(Outcome outcome);

/// What one account came to.
struct Ledger {
  std::string account;
  Outcome outcome = Outcome::complete;
  std::optional<Error> error;  // what stopped the account
  std::vector<FolderTally> folders;
  double seconds = 0;
  std::int64_t run = 0;  // 0: a dry run

  Tally messages() const;
  std::uint64_t folders_failed() const;
  std::uint64_t flags_updated() const;
  std::uint64_t deleted() const;
  std::uint64_t removed() const;
  std::uint64_t left_at_source() const;
  std::uint64_t bytes_copied() const;
};

}  // namespace postferry
