// Digests of whole messages where headers could not decide; nothing is kept but the hashes.
#pragma once

#include <map>
#include <vector>

#include "engine/digest.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

/// How two copies are compared: exact, or forgiving what servers do to a message on the way in and
/// out.
struct Comparison {
  bool forgiving = true;       // a CRLF more or less at the end, and a NUL that is told as 0x80
  bool munged_header = false;  // 8-bit bytes in the header read as `X`
  bool without_tuid = false;   // the line `X-TUID: ` that mbsync adds to a header is left out
};

/// Takes a message in pieces.
class ForgivingDigest {
 public:
  explicit ForgivingDigest(Comparison comparison) : comparison_(comparison) {}
  void update(std::string_view bytes);
  Sha256 finish();

 private:
  void take(std::string_view bytes);
  std::size_t take_header(std::string_view bytes);
  void end_piece();

  Comparison comparison_;
  Digest digest_;
  std::string held_back_;  // the last two bytes, which may be the final CRLF
  std::string piece_;      // of a header line, from its start as long as it may be one to leave out
  bool in_header_ = true;
  bool at_line_start_ = true;  // where piece_ begins
};

/// Messages that are gone or unreadable have no digest.
Task<std::map<MessageKey, Sha256>> source_digests(SourceSession& source,
                                                  std::vector<Catalogue::Entry> wanted,
                                                  Comparison comparison);
/// Whether a message has other bytes than these; false where it cannot be read.
Task<bool> source_differs(SourceSession& source, Catalogue::Entry entry, Sha256 bytes);
Task<std::map<Uid, Sha256>> target_digests(TargetSession& target, std::vector<Uid> uids,
                                           Comparison comparison);

}  // namespace postferry
