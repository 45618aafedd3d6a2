// Which target messages are which source messages: the multiset match of DESIGN section 4.
// Decides on fingerprints, and says where bytes must decide. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/digest.h"
#include "engine/fingerprint.h"
#include "engine/model.h"
#include "engine/target.h"

namespace postferry {

/// What is known of a message on either side without its body.
struct Likeness {
  Fingerprint print;
  std::optional<std::uint64_t> delivery;  // a hash of the topmost Received
  bool identified = false;                // has a Message-ID, and another field to go with it
  std::uint64_t size_bytes = 0;
  std::optional<InternalDate> date;
  std::size_t index = 0;    // the caller's own number for it
  bool spoken_for = false;  // of a target message: it can only be one of its very date,
  bool by_bytes = false;    // or, with this, one of its very bytes
};

/// `index` is the caller's own number for the message.
Likeness likeness(const HeaderFields& fields, std::uint64_t size_bytes,
                  std::optional<InternalDate> date, std::size_t index);

/// The fields as far as they survive the way to this target.
HeaderFields as_target_tells(HeaderFields fields, const TargetTraits& traits);

/// Messages with one fingerprint on both sides, for which headers alone do not decide.
struct Ambiguous {
  std::vector<Likeness> source, target;
};

struct MatchResult {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;  // (source index, target index)
  std::vector<Ambiguous> ambiguous;
};

/// `source` in the order of preference, `target` ascending. True duplicates stay duplicates: k
/// copies match k copies.
MatchResult match_by_header(const std::vector<Likeness>& source,
                            const std::vector<Likeness>& target, bool target_adds_received);

/// Settles one ambiguous group, given a digest of every body in it (by the caller's index; absent
/// where the body could not be had). Only equal bytes match; but where all source bodies are equal
/// and have a Message-ID, they are interchangeable, and a target message that a
/// server altered may still stand for one of them.
std::vector<std::pair<std::size_t, std::size_t>> match_by_bytes(
    const Ambiguous& group, const std::map<std::size_t, Sha256>& source_digests,
    const std::map<std::size_t, Sha256>& target_digests);

}  // namespace postferry
