// Any bytes may come from a server, and any message from a source. The first byte says where to
// split them; however they are split, the outcome must be the same.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/smtp/codec/dot_writer.h"
#include "connectors/smtp/codec/reply.h"
#include "connectors/smtp/codec/trace.h"
#include "tests/fuzz/require.h"

using namespace postferry::fuzz;
using namespace postferry::smtp;

namespace {

/// What was understood, and whether it broke.
std::string read(std::string_view bytes, std::size_t size) {
  ReplyDecoder decoder;
  std::string out;
  try {
    while (!bytes.empty()) {
      std::string_view piece = bytes.substr(0, size);
      bytes.remove_prefix(piece.size());
      while (const auto reply = decoder.next(piece)) {
        out += reply->words() + "\n";
        require(reply->lines.size() <= kMaxLines);
        require(parse_extensions(*reply).auth.size() <= kMaxLines * kMaxWords);
      }
    }
  } catch (const ProtocolError&) {
    out += "broken";
  }
  return out;
}

std::string dotted(std::string_view bytes, std::size_t size) {
  DotWriter writer;
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += size) writer.write(bytes.substr(at, size), out);
  writer.end(out);
  return out;
}

/// Nothing ends the message but its end, and no line end is but CRLF.
void check_dotted(const std::string& wire) {
  const std::size_t end = ("\r\n" + wire).find("\r\n.\r\n");
  require(end + 3 == wire.size());
  for (std::size_t at = wire.find('\n'); at != std::string::npos; at = wire.find('\n', at + 1))
    require(at > 0 && wire[at - 1] == '\r');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t length) {
  if (length == 0) return 0;
  const std::size_t size = std::max<std::size_t>(1, data[0]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, length - 1);
  require(read(bytes, size) == read(bytes, std::max<std::size_t>(1, bytes.size())));
  const std::string wire = dotted(bytes, size);
  require(wire == dotted(bytes, std::max<std::size_t>(1, bytes.size())));
  check_dotted(wire);
  const Trace trace{"here", "here", loop_token("a@b"), "1", "a@b", "", 0};
  const RelayedHeader header = relayed_header(bytes, trace);
  require(header.replaced <= bytes.size());
  require(header.bytes.starts_with("Received: "));
  return 0;
}
