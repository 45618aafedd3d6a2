// Proof: are the source's messages on the target? Looks at both ends anew and takes nothing from
// the crossing but which message went where. Where it is asked for, the journal stands for the
// source. Only reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/model.h"

namespace postferry {

/// Each level holds the one before. count: presence, size, flags and date, from listings. header:
/// the header fields of every pair, too. bytes: every byte.
enum class VerifyLevel { count, header, bytes };
const char* to_string(VerifyLevel level);

/// What the target is compared with. The journal knows what was copied, and not what has come
/// since.
enum class VerifyAgainst { source, journal };
const char* to_string(VerifyAgainst against);

enum class FindingKind {
  missing,   // not on the target
  differ,    // on the target, but not the same
  marked,    // the same, but \Deleted on the target alone: the next EXPUNGE takes it away
  doubled,   // on the target once more than at the source, byte for byte
  unproven,  // cannot be compared: the source no longer gives it, and the journal has no digest
  refused,   // the target refused it, or the source cannot give it
  accepted,  // the same, and the user has settled it
  extra,     // on the target alone: somebody else's, an error of nobody
  repaired,  // as it was sent, which is not as it was: a repair that was asked for
  flags,     // the same, but its flags are others
  date,      // the same, but its date is another
};
const char* to_string(FindingKind kind);
/// Whether a finding of this kind means that not all is accounted for.
bool is_difference(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::missing;
  std::optional<MessageKey> key;  // at the source
  Uid uid;                        // on the target
  std::string message_id;         // where it has one and could be asked for
  std::string text;               // what is the matter, for people
};

/// seen = match + differ + marked + missing + refused + accepted + filtered + unproven, always.
struct VerifyTally {
  std::uint64_t seen = 0;  // at the source, or by the journal copied and no longer at the source
  std::uint64_t match = 0, differ = 0, marked = 0, missing = 0, refused = 0, accepted = 0,
                filtered = 0, unproven = 0;
  // Of those that match:
  std::uint64_t folded = 0;    // the server keeps one copy of equal messages
  std::uint64_t munged = 0;    // the same but for what this server does to every message
  std::uint64_t kept = 0;      // no longer at the source
  std::uint64_t repaired = 0;  // what was sent, which is not what the source has
  std::uint64_t flags_differ = 0, dates_differ = 0;
  // On the target:
  std::uint64_t extra = 0, doubled = 0;
  // At neither end any more, and not removed by us: nobody's loss.
  std::uint64_t gone = 0;

  bool balances() const {
    return seen == match + differ + marked + missing + refused + accepted + filtered + unproven;
  }
  bool accounted_for() const {
    return differ + marked + missing + refused + unproven + doubled == 0;
  }
  VerifyTally& operator+=(const VerifyTally& other);
};

struct VerifiedFolder {
  FolderName source;  // empty: foreign messages of a target folder that several sources fill
  FolderName target;
  VerifyTally messages;
  bool folder_missing = false;  // the target has no such folder
  std::vector<Finding> findings;
  std::uint64_t findings_left_out = 0;  // more than are listed
  std::optional<Error> error;           // why it could not be verified
};

struct VerifyReport {
  VerifyLevel level = VerifyLevel::header;
  bool against_journal = false;  // the source was not asked; the journal stood for it
  bool journal_known = false;    // the journal knows of an earlier run
  /// The last run had not reached every message of these folders, or what one brought was taken
  /// back: of those only the source, which is not asked, could tell.
  bool journal_incomplete = false;
  std::vector<VerifiedFolder> folders;
  std::vector<FolderName> extra_folders;  // on the target alone
  std::optional<Error> error;             // what stopped it
  bool stopped = false;                   // the user asked to
  double seconds = 0;

  VerifyTally messages() const;
  /// All was looked at, and all is there.
  bool accounted_for() const;
};

/// Compares the ends as `options` selects. Against the journal, which must know the account, the
/// source is not spoken to. Lost lines are taken up again, folder by folder. Throws Error{journal}
/// and Cancelled; all else is in the report.
Task<VerifyReport> verify_account(Ends ends, AccountIdentity account, CrossingOptions options,
                                  VerifyLevel level, VerifyAgainst against,
                                  const StopRequest& stop);

}  // namespace postferry
