// Bytes on their way, below every protocol. The first byte chooses:
//   what a server deflates, and that what we deflate comes back;
//   the transcript: that a secret leaves no trace, and no line harms a terminal;
//   base64, and what a server says of a token.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/base64.h"
#include "connectors/net/deflate.h"
#include "connectors/net/memory_stream.h"
#include "connectors/net/transcript.h"
#include "connectors/sasl_oauth.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/error.h"
#include "tests/fuzz/require.h"

using namespace postferry;
using namespace postferry::fuzz;

namespace {

constexpr std::size_t kMostInflated = 4 << 20;

/// Gives its text in pieces, and keeps what is written.
class TextStream final : public net::Stream {
 public:
  TextStream(std::string_view text, std::size_t piece, std::string* written)
      : text_(text), piece_(piece), written_(written) {}
  Task<std::size_t> read(std::span<char> into) override {
    const std::size_t count = std::min({into.size(), text_.size(), piece_});
    std::copy_n(text_.begin(), count, into.begin());
    text_.remove_prefix(count);
    co_return count;
  }
  Task<void> write(std::vector<std::string_view> pieces) override {
    for (const std::string_view piece : pieces) written_->append(piece);
    co_return;
  }
  Task<void> start_tls(net::TlsOptions, std::size_t) override { co_return; }
  bool encrypted() const override { return true; }
  std::string channel_binding(std::string_view) const override { return {}; }
  Task<void> close() override { co_return; }

 private:
  std::string_view text_;
  const std::size_t piece_;
  std::string* written_;
};

/// What the stream gives, up to a bound; nothing where it is broken.
std::optional<std::string> inflated(std::string_view wire, std::size_t unread, std::size_t piece) {
  ManualExecutor executor;
  const auto all = [&]() -> Task<std::string> {
    const std::string_view early = wire.substr(0, unread);
    net::DeflateStream stream(
        std::make_unique<TextStream>(wire.substr(early.size()), piece, nullptr), early);
    std::string out, room(1000, '\0');
    while (out.size() < kMostInflated) {
      const std::size_t count = co_await stream.read(room);
      require(count <= room.size());
      if (count == 0) break;
      out.append(room, 0, count);
    }
    co_return out;
  };
  try {
    return block_on(executor, all());
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::protocol);
    return std::nullopt;
  }
}

std::string deflated(std::string_view text, std::size_t piece) {
  ManualExecutor executor;
  std::string wire;
  const auto all = [&]() -> Task<void> {
    net::DeflateStream stream(std::make_unique<TextStream>("", 1, &wire), "");
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view part = rest.substr(0, piece);
      rest.remove_prefix(part.size());
      std::vector<std::string_view> pieces{part.substr(0, 1), "", part.substr(1)};
      co_await stream.write(std::move(pieces));
    }
  };
  block_on(executor, all());
  return wire;
}

void check_deflate(std::string_view bytes) {
  const std::size_t piece = 1 + take_byte(bytes);
  const std::optional<std::string> whole = inflated(bytes, 0, bytes.size() + 1);
  require(inflated(bytes, piece, piece) == whole);
  require(inflated(deflated(bytes, piece), 0, piece) == bytes);
}

/// Pieces of the input, each of a length that the input says, each secret or not.
struct Spoken {
  std::string_view bytes;
  bool secret;
};

std::vector<Spoken> pieces_of(std::string_view bytes) {
  std::vector<Spoken> pieces;
  while (!bytes.empty()) {
    const unsigned how = take_byte(bytes);
    const std::string_view piece = bytes.substr(0, how >> 1);
    pieces.push_back({piece, (how & 1) != 0});
    bytes.remove_prefix(piece.size());
  }
  return pieces;
}

/// `other`: with other secrets, which end their lines where these do.
std::vector<std::string> transcript(const std::vector<Spoken>& pieces, bool other) {
  std::vector<std::string> lines;
  const net::TranscriptSink sink = [&lines](std::string_view line) { lines.emplace_back(line); };
  net::TranscriptLane lane("C: ", sink);
  for (const Spoken& piece : pieces) {
    std::string bytes(piece.bytes);
    if (piece.secret && other)
      for (char& c : bytes)
        if (c != '\n' || &c != &bytes.back()) c = c == 'x' ? 'y' : 'x';
    lane.add(bytes, piece.secret);
  }
  lane.flush();
  return lines;
}

void check_transcript(std::string_view bytes) {
  const std::vector<Spoken> pieces = pieces_of(bytes);
  const std::vector<std::string> lines = transcript(pieces, false);
  require(transcript(pieces, true) == lines);
  for (const std::string& line : lines)
    require(printable(line, 10'000) == line && line.size() < 4200);
}

void check_sasl(std::string_view bytes) {
  require(base64_decode(base64_encode(bytes)) == bytes);
  if (const std::optional<std::string> decoded = base64_decode(bytes)) {
    std::string again = base64_encode(*decoded);
    while (again.ends_with('=')) again.pop_back();
    require(bytes.starts_with(again));
    require(bytes.find_first_not_of("= \t", again.size()) == bytes.npos);
  }
  (void)sasl::says_token_expired(bytes);
  const std::string_view user = bytes.substr(0, bytes.size() / 2);
  const std::string response = sasl::oauthbearer_response(user, "h", 993, "token");
  // The name ends at the first comma, and an equal sign in it is one of an escape.
  const std::string_view name = std::string_view(response).substr(4, response.find(',', 4) - 4);
  for (std::size_t at = name.find('='); at != name.npos; at = name.find('=', at + 1))
    require(name.substr(at).starts_with("=2C") || name.substr(at).starts_with("=3D"));
  require(name.size() >= user.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes = text_of(data, size);
  switch (take_byte(bytes)) {
    case 'd':
      check_deflate(bytes);
      break;
    case 't':
      check_transcript(bytes);
      break;
    default:
      check_sasl(bytes);
  }
  return 0;
}
