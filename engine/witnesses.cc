#include "engine/witnesses.h"

#include <algorithm>

#include "engine/body_digests.h"
#include "engine/fingerprint.h"

namespace postferry {

namespace {

bool tells_bytes(const MessageRow& row, const TargetTraits& traits) {
  return row.sha256 && !traits.munges_8bit && !traits.adds_received;
}

bool tells_header(const MessageRow& row, const TargetTraits& traits) {
  return row.header && !traits.rewrites_message_id && !traits.adds_received;
}

/// One that is there, and has one of the two.
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
  for (const MessageRow& row : witnesses) {
    const auto at = listed.find(MessageKey(row.target_uid));
    if (!at) continue;
    const Catalogue::Entry entry = listed[*at];
    const bool same_size = row.size_bytes == entry.size_bytes;
    // What was sent without a date got one there, and has its size alone.
    const bool dated = row.date && entry.date;
    if (dated ? same_instant(row.date, entry.date) : same_size) continue;
    if (dated && !same_size) co_return true;
    const bool smaller = !doubtful || row.size_bytes < doubtful->size_bytes;
    if (smaller && (tells_bytes(row, traits) || tells_header(row, traits))) doubtful = &row;
  }
  if (!doubtful) co_return false;
  const bool another = co_await is_another(target, *doubtful);
  co_return another;
}

}  // namespace postferry
