#include "engine/settle/witnesses.h"

#include <cstdint>
#include <utility>

#include "engine/fingerprint.h"
#include "engine/settle/body_digests.h"

namespace postferry {

namespace {

bool tells_bytes(const MessageRow& row, const TargetTraits& traits) {
  return row.sha256 && !traits.munges_8bit && !traits.adds_received && !traits.regenerates;
}

bool tells_header(const MessageRow& row, const TargetTraits& traits) {
  return row.header && !traits.rewrites_message_id && !traits.adds_received;
}

/// One that is there, and can tell by one of the two.
Task<bool> is_another(TargetSession& target, const MessageRow& row) {
  if (tells_bytes(row, target.traits())) {
    const auto digests = co_await target_digests(target, {row.target_uid},
                                                 {.forgiving = false, .munged_header = false});
    co_return !digests.empty() && digests.begin()->second != *row.sha256;
  }
  const std::vector<HeaderEntry> headers = co_await target.headers({row.target_uid});
  co_return !headers.empty() && header_hash(headers.front().fields) != *row.header;
}

}  // namespace

Task<bool> any_is_another(TargetSession& target, const std::vector<MessageRow>& witnesses,
                          const Catalogue& listed) {
  const TargetTraits& traits = target.traits();
  const MessageRow* doubtful = nullptr;
  bool keeps_dates = false;  // one has its own
  bool other_date = false;   // one has another, and of it neither bytes nor header can tell
  std::pair<bool, std::uint64_t> least;  // the small are read, but rather one that has neither
  for (const MessageRow& row : witnesses) {
    const auto at = listed.find(MessageKey(row.target_uid));
    if (!at || row.origin == Origin::folded) continue;  // that is another's copy
    const Catalogue::Entry entry = listed[*at];
    const bool same_size = row.size_bytes == entry.size_bytes;
    // What was sent without a date got one there, and has its size alone.
    const bool dated = row.date && entry.date;
    const bool same_date = tell_same_instant(row.date, entry.date);
    keeps_dates = keeps_dates || same_date;
    if (dated ? same_date : same_size) continue;
    const bool has_neither = dated && !same_size;
    if (!tells_bytes(row, traits) && !tells_header(row, traits)) {
      if (has_neither) co_return true;
      other_date = other_date || dated;
      continue;
    }
    const std::pair doubt(!has_neither, row.size_bytes);
    if (!doubtful || doubt < least) {
      doubtful = &row;
      least = doubt;
    }
  }
  if (other_date && keeps_dates) co_return true;
  if (!doubtful) co_return false;
  const bool another = co_await is_another(target, *doubtful);
  co_return another;
}

}  // namespace postferry
