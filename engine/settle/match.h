// Which target messages are which source messages: the multiset match of DESIGN section 4.
// Decides on fingerprints, and says where bytes must decide. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/catalogue.h"
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
  bool spoken_for = false;  // of a target message: it can only be one of its very date, and size
  bool by_bytes = false;    // or bytes; or, with this, one of its very bytes, whatever its date
  bool altered = false;     // of a target message: neither its size nor its bytes are those sent
};

/// `index` is the caller's own number for the message.
Likeness likeness(const HeaderFields& fields, std::uint64_t size_bytes,
                  std::optional<InternalDate> date, std::size_t index);

/// A Likeness without what a catalogue tells anyway, in 20 bytes: where there are as many as a
/// folder has. Of the fingerprint it keeps 88 bits, of the delivery 32: among a million messages at
/// either end two that are not alike agree in the first once in 10^14 crossings.
class BriefLikeness {
 public:
  /// Of what nothing was read yet: it is like nothing.
  BriefLikeness()
      : rest_(0), fields_(0), identified_(0), delivered_(0), spoken_for_(0), by_bytes_(0) {}
  explicit BriefLikeness(const Likeness& likeness);
  /// With what the catalogue has of it.
  Likeness whole(const Catalogue::Entry& entry, std::size_t index) const;
  /// As much as is kept of it.
  Fingerprint print() const;
  bool spoken_for() const { return spoken_for_; }
  void speak_for(bool whether) { spoken_for_ = whether; }
  void by_bytes(bool whether) { by_bytes_ = whether; }
  bool identified() const { return identified_; }

  std::uint32_t number = 0;  // the owner's own

 private:
  std::uint32_t high_[2] = {}, delivery_ = 0;
  std::uint32_t rest_ : 24, fields_ : 3, identified_ : 1, delivered_ : 1, spoken_for_ : 1,
      by_bytes_ : 1;
};
static_assert(sizeof(BriefLikeness) == 20);

/// The fields as far as they survive the way to this target.
HeaderFields as_target_tells(HeaderFields fields, const TargetTraits& traits);

/// Messages with one fingerprint on both sides, for which headers alone do not decide.
struct Ambiguous {
  std::vector<Likeness> source, target;
  bool known_look = false;     // others look the same, and have their copies: only bytes can tell
  bool more_may_come = false;  // on the target: each of equal ones waits for the copy with its date
};

/// Whether the header of the group's one source message says enough, with its size where it has no
/// Message-ID: look-alike mail without one (alarms, reports) would else pass for mail that has
/// never been copied. Else bytes decide.
bool recognisable(const Ambiguous& group);

/// Where among `targets`, which look like it, the likest is that may be this source message; at
/// their end: none may.
std::size_t likest(const Likeness& source, const std::vector<Likeness>& targets,
                   bool target_adds_received);

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
/// server altered may still stand for one of them, unless theirs is a known look.
std::vector<std::pair<std::size_t, std::size_t>> match_by_bytes(
    const Ambiguous& group, const std::map<std::size_t, Sha256>& source_digests,
    const std::map<std::size_t, Sha256>& target_digests);

}  // namespace postferry
