// Any bytes may come from a server. The first byte says where to split them and as what to read
// them; however they are split, the outcome must be the same.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/pop3/codec/dot_stuffing.h"
#include "connectors/pop3/codec/reply.h"
#include "tests/fuzz/require.h"

using namespace postferry::fuzz;
using namespace postferry::pop3;

namespace {

/// What a listing said: its lines, whether it ended or broke, and what was left over.
struct Listing {
  std::vector<std::string> lines;
  bool done = false;
  bool failed = false;
  std::string rest;
  bool operator==(const Listing&) const = default;
};

Listing read_listing(const std::vector<std::string_view>& pieces) {
  Listing listing;
  ListingDecoder decoder(64);
  for (std::string_view piece : pieces) {
    try {
      while (!listing.failed) {
        const auto line = decoder.next(piece);
        if (!line) break;
        listing.lines.emplace_back(*line);
      }
    } catch (const ProtocolError&) {
      listing.failed = true;
    }
    if (decoder.done()) listing.rest += piece;
  }
  listing.done = decoder.done();
  return listing;
}

std::string read_body(const std::vector<std::string_view>& pieces, std::string& rest, bool& done) {
  DotDecoder decoder;
  std::string out;
  for (const std::string_view piece : pieces) {
    const std::size_t used = decoder.feed(piece, out);
    require(used == piece.size() || decoder.done());
    rest += piece.substr(used);
  }
  require(decoder.size_bytes() == out.size());
  (void)decoder.ends_in_glued_dot();
  done = decoder.done();
  return out;
}

void read_line(std::string_view line) {
  try {
    (void)says_busy(parse_status(line));
  } catch (const ProtocolError&) {
  }
  try {
    (void)parse_list_item(line);
  } catch (const ProtocolError&) {
  }
  try {
    require(parse_uidl_item(line).uid.size() <= kMaxUidl);
  } catch (const ProtocolError&) {
  }
  Capabilities capabilities;
  capabilities.add(line);
  require(capabilities.sasl.size() <= kMaxCapabilities);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t split = bytes.empty() ? 0 : data[0] % (bytes.size() + 1);
  const std::vector<std::string_view> whole = {bytes};
  const std::vector<std::string_view> halves = {bytes.substr(0, split), bytes.substr(split)};

  std::string rest;
  std::string rest_of_halves;
  bool done = false;
  bool halves_done = false;
  require(read_body(whole, rest, done) == read_body(halves, rest_of_halves, halves_done));
  require(rest == rest_of_halves && done == halves_done);

  const Listing listing = read_listing(whole);
  // Where the cap was passed depends on the pieces; what is within it does not.
  if (!listing.failed) require(listing == read_listing(halves));
  for (const std::string& line : listing.lines) read_line(line);
  return 0;
}
