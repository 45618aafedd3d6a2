// Any bytes may be a message that a server refuses. However it is repaired, the repairs come to an
// end, the same ones always give the same, and what they promise of lines and NULs holds; and text
// of a file becomes the same mail in whatever pieces it is read.
#include <string>
#include <string_view>

#include "connectors/files/wire_text.h"
#include "engine/header_words.h"
#include "engine/repair.h"
#include "tests/fuzz/require.h"

using namespace postferry;
using namespace postferry::fuzz;

namespace {

constexpr std::size_t kMostSteps = 32;

void check_lines(std::string_view text) {
  require(text.find('\0') == text.npos);
  require(text.empty() || text.ends_with("\r\n"));
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    require(end > 0 && text[end - 1] == '\r' && end - 1 <= 998);
    require(text.substr(0, end - 1).find('\r') == text.npos);
    text.remove_prefix(end + 1);
  }
}

void check_repairs(std::string_view message) {
  Repairs done;
  std::string before(message);
  for (std::size_t steps = 0;; ++steps) {
    require(steps <= kMostSteps);
    const std::optional<RepairStep> next = next_repair(message, {}, {}, done);
    if (!next) break;
    require(!done.has(*next));
    done = done.with(*next);
    const std::string after = repaired(std::string(message), done);
    require(after != before && after == repaired(std::string(message), done));
    before = after;
  }
  if (!message.empty()) check_lines(before);
  require(steps_of(done).empty() == in_words(done).empty());
}

/// What can be said in ASCII is, and no body is touched.
void check_header(std::string_view message) {
  const std::string ascii = with_ascii_header(message);
  require(with_ascii_header(ascii) == ascii);
  const std::size_t end = message.find("\n\r\n");
  if (end != message.npos) require(ascii.ends_with(message.substr(end)));
}

void check_wire_text(std::string_view bytes, std::size_t split) {
  files::WireText whole, parts, counted;
  const std::string out = whole.convert(bytes);
  const std::string_view first = bytes.substr(0, split), rest = bytes.substr(first.size());
  require(parts.convert(first) + parts.convert(rest) == out);
  std::uint64_t added = counted.added(first);
  added += counted.added(rest);
  require(bytes.size() + added == out.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes = text_of(data, size);
  const std::size_t split = take_byte(bytes);
  check_wire_text(bytes, split);
  check_header(bytes);
  check_repairs(bytes);
  return 0;
}
