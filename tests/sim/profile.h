// What kind of server a model plays: what it offers, its habits, and how much exactness anybody can
// have with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tests/sim/dice.h"

namespace postferry::sim {

/// What is promised when such a server is the target.
enum class Guarantee {
  exact,         // each message once
  twins_remain,  // no UIDPLUS: a copy that arrived late is reported, and stays
  once_or_more,  // equal messages are folded into one
};

/// What a server that offers CONDSTORE tells as HIGHESTMODSEQ.
enum class Modseq {
  exact,
  behind,    // what it was some changes ago
  arrivals,  // rises with new mail only
  still,     // never changes
  erratic,   // any of the last values, so that it falls now and then
};

struct Profile {
  std::string name;
  std::string greeting;
  std::string stranger;      // capabilities before the login
  std::string member;        // and after it
  bool tells_member = true;  // in the answer to LOGIN
  std::string id;            // the fields of ID, as sent
  char delimiter = '/';
  std::string prefix;

  bool keywords = true;  // PERMANENTFLAGS has \*
  bool uidnext_on_select = true;
  bool uidnext_in_status = true;
  bool uidvalidity = true;         // false: never told
  bool append_needs_noop = false;  // an APPEND into the open folder shows only after a NOOP
  bool munges_8bit = false;
  bool rewrites_message_id =
      false;  // its domain is another then, and the message longer or shorter
  bool folds_duplicates = false;
  bool loses_flagged = false;  // \Flagged in APPEND
  bool two_digit_day = false;
  bool examine_changes_validity = false;
  bool refuses_descending_sets = false;
  bool unordered_fetch = false;  // responses in any order
  bool create_overtakes_fetch = false;  // what stands behind a FETCH and needs no folder is answered
  bool repeats_fetch = false;    // some of them twice, and unasked ones between
  bool skips_fetch = false;      // leaves one out now and then
  bool wrong_sizes = false;      // RFC822.SIZE is the store's, not the message's
  bool tracks_nothing = false;   // HIGHESTMODSEQ is 1 whatever happens
  Modseq modseq = Modseq::exact;
  std::size_t longest_line = 0;  // a message with a longer one is refused; 0: none is
  int errors_borne = 0;          // refused messages, then it hangs up; 0: any
  std::size_t command_octets = 64 << 10;
  std::size_t max_sessions = 10;
  Guarantee guarantee = Guarantee::exact;

  bool offers(std::string_view capability) const;
  /// Whether a second copy that stays is told. Where sizes are the store's own, only reading all
  /// mail would show which messages are equal: then no more is promised than that there are not
  /// more of them than came too late.
  bool shows_copies() const { return !wrong_sizes; }
  /// False: all its numbers may be as they were though flags have changed. Nobody can know then
  /// without reading all flags each time; what is promised of such a source is that every message
  /// crosses once, as it was at some time, and that flags which stay as they are arrive.
  bool tells_flag_changes() const { return modseq == Modseq::exact || modseq == Modseq::behind; }
  /// False: once UIDNEXT and the number of messages are what they were, nothing shows that a UID was
  /// given once more, as after a backup was put back.
  bool tells_reuse() const { return offers("CONDSTORE") && !tracks_nothing && tells_flag_changes(); }
};

/// The known ones, in a fixed order; the first is Dovecot.
std::span<const Profile> profiles();
/// One of them by name (throws std::invalid_argument), or for "random" a mixture.
Profile profile_named(std::string_view name, Dice& dice);
Profile random_profile(Dice& dice);
/// The same server, but its HIGHESTMODSEQ is wrong: above 1, and never above the true one.
Profile with_wrong_modseq(Profile profile, Dice& dice);

}  // namespace postferry::sim
