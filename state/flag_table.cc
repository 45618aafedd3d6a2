// A mailbox has a handful of sets of flags; a hostile one may have one a message, so the cache is
// bounded.

#include "state/flag_table.h"

#include <optional>
#include <utility>

#include "engine/error.h"

namespace postferry::state {

namespace {
constexpr std::size_t kCached = 4096;
}

std::int64_t FlagTable::number(const Flags& flags) {
  std::string names = flags.to_string();
  if (auto found = numbers_.find(names); found != numbers_.end()) return found->second;
  std::optional<std::int64_t> number;
  {
    Query query = database_.query("SELECT id FROM flags WHERE names = ?");
    if (query.bind({names}).step()) number = query.integer(0);
  }
  if (!number) {
    database_.query("INSERT INTO flags (names) VALUES (?)").bind({names}).run();
    number = database_.last_insert_id();
  }
  if (numbers_.size() >= kCached) numbers_.clear();
  numbers_.emplace(std::move(names), *number);
  return *number;
}

Flags FlagTable::flags(std::int64_t number) {
  if (auto found = flags_.find(number); found != flags_.end()) return found->second;
  Query query = database_.query("SELECT names FROM flags WHERE id = ?");
  if (!query.bind({number}).step()) {
    throw Error(ErrorKind::journal, "a message names flags that are not in the table",
                "journal " + database_.path());
  }
  if (flags_.size() >= kCached) flags_.clear();
  return flags_.emplace(number, Flags::parse(query.text(0))).first->second;
}

void FlagTable::forget() {
  numbers_.clear();
  flags_.clear();
}

}  // namespace postferry::state
