// Whatever a server sends, however it is cut: an event, a value or a ProtocolError, in bounded
// memory; and cutting it differently changes nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "connectors/imap/codec/framer.h"
#include "connectors/imap/codec/response.h"

using namespace postferry::imap;

namespace {

Limits small_limits(std::uint8_t seed) {
  Limits limits;
  limits.line_bytes = 4096;
  limits.number_line_bytes = 8192;
  limits.inline_body_bytes = seed % 32;
  limits.inline_literal_bytes = 1024;
  limits.inline_total_bytes = 4096;
  limits.literals = 20;
  limits.nesting = 16;
  limits.list_elements = 100;
  limits.set_ranges = 100;
  return limits;
}

void check(bool holds) {
  if (!holds) std::abort();
}

/// All that came out, as one text: each event, and what the parser made of it.
std::string run(std::string_view bytes, std::size_t piece, const Limits& limits) {
  std::string seen;
  Framer framer(limits);
  std::uint64_t open = 0;
  try {
    while (!bytes.empty()) {
      const std::string own(bytes.substr(0, piece));
      bytes.remove_prefix(own.size());
      framer.feed(own);
      for (;;) {
        const FrameEvent event = framer.next();
        if (std::holds_alternative<NeedMore>(event)) break;
        if (const auto* begin = std::get_if<LiteralBegin>(&event)) {
          check(open == 0 && begin->size > limits.inline_body_bytes);
          open = begin->size;
          seen.append("B").append(begin->head.text);
          const FetchData head = parse_fetch_head(begin->head, limits);
          check(!head.sections.empty() && head.sections.back().size == begin->size);
        } else if (const auto* chunk = std::get_if<LiteralChunk>(&event)) {
          check(!chunk->bytes.empty() && chunk->bytes.size() <= open);
          open -= chunk->bytes.size();
          seen.append(chunk->bytes);
        } else if (std::holds_alternative<LiteralEnd>(event)) {
          check(open == 0);
          seen.append("E");
        } else {
          const Frame& frame = std::get<Frame>(event);
          seen.append("F").append(frame.text);
          const Response response = parse_response(frame, limits);
          seen += std::to_string(response.index());
        }
      }
    }
  } catch (const ProtocolError& error) {
    check(error.excerpt.size() <= 80);
    // Where a broken line is noticed depends on the cuts; that it is broken does not.
    seen += "!";
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Limits limits = small_limits(data[0]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = run(bytes, size, limits);
  check(run(bytes, 1, limits) == whole);
  check(run(bytes, 1 + data[0] % 13, limits) == whole);
  return 0;
}
