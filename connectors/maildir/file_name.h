// What the name of a message's file in a Maildir says: who it is, its sizes, its flags.
//
//   1700000000.M5P7.host,S=1234,W=1260:2,FSa       as Dovecot writes it
//   1700000000.P0123456789abcdef01234567Z60.postferry,S=1260,W=1260:2,S        as we do
//
// The base (before `:2,`) never changes; the letters after it do. Ours is made of the message
// alone, so that writing it again finds it there: the date, 96 bits of a digest of key and bytes,
// and the zone of the date, which the file's time cannot keep.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/digest.h"
#include "engine/model.h"

namespace postferry::maildir {

struct FileName {
  std::string_view base;
  std::string_view letters;                 // after `:2,`
  std::optional<std::uint64_t> size_bytes;  // S=, of the file
  std::optional<std::uint64_t> wire_bytes;  // W=, with CRLF line ends
  bool ours = false;
  std::int16_t zone_minutes = 0;  // of ours
};

/// Reads any name; what is not understood is left out.
FileName parse_file_name(std::string_view name);

/// Our base, without sizes. A message without a date has 0 in its place.
std::string own_base(const std::optional<InternalDate>& date, const Sha256& digest);
/// `base` with its sizes, as Dovecot reads them.
std::string with_sizes(std::string base, std::uint64_t size_bytes, std::uint64_t wire_bytes);

/// By when a file's name says that it was delivered, then by bytes: the order of new UIDs.
bool delivered_before(std::string_view base, std::string_view other);

}  // namespace postferry::maildir
