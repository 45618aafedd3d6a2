// Recognises a message by its header when two servers cannot agree on a name for it (DESIGN 4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/model.h"

namespace postferry {

/// A hash of Message-ID, Date, From, Subject and To: white space folded, bytes >= 0x80 read as `X`,
/// since Cyrus munges them so. Equal fingerprints mean "look closer", never "the same".
struct Fingerprint {
  std::uint64_t high = 0, low = 0;
  int fields = 0;  // how many of the five were there; with fewer than two, bytes must decide
  auto operator<=>(const Fingerprint&) const = default;
};

Fingerprint fingerprint(const HeaderFields& fields);

/// One number for all by which a delivered message is recognised: the fingerprint's five fields and
/// the topmost Received, which tells deliveries of one message apart.
std::uint64_t header_hash(const HeaderFields& fields);

/// A field as the fingerprint reads it: runs of white space are one blank, ends trimmed, 8-bit
/// bytes are `X`.
std::string canonical_field(const std::string& field);

}  // namespace postferry
