#include "cli/report.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/options.h"

namespace postferry::cli {

OtherFailure bug_failure(const std::exception& bug) {
  return {"bug", fmt::format("{}: this is a bug of postferry {}, please report it", bug.what(),
                             version())};
}

Outcome JobReport::outcome() const {
  if (!faults.empty() || failure) return Outcome::failed;
  const auto is = [](Outcome outcome) {
    return [outcome](const Report& report) { return report.ledger.outcome == outcome; };
  };
  if (std::ranges::all_of(accounts, is(Outcome::complete))) return Outcome::complete;
  if (std::ranges::any_of(accounts, is(Outcome::interrupted))) return Outcome::interrupted;
  return std::ranges::all_of(accounts, is(Outcome::failed)) ? Outcome::failed : Outcome::partial;
}

Ledger JobReport::total() const {
  Ledger total;
  total.outcome = outcome();
  total.seconds = seconds;
  for (const Report& report : accounts)
    total.folders.insert(total.folders.end(), report.ledger.folders.begin(),
                         report.ledger.folders.end());
  return total;
}

}  // namespace postferry::cli
