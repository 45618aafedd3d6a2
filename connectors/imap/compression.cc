#include "connectors/imap/compression.h"

#include <algorithm>
#include <chrono>

namespace postferry::imap {
namespace {

/// Deflating costs a server some 30 ms a megabyte, and base64 yields a quarter: below this rate
/// that is a bargain, far above it a loss.
constexpr double kSlowBytesPerSecond = 4e6;
/// So much waiting decides, and decides anew.
constexpr std::chrono::seconds kDecision{1};
/// TCP needs some round trips until it fills a line.
constexpr std::uint64_t kWarmUpBytes = 256 << 10;

}  // namespace

void Compression::add(std::uint64_t bytes, Duration waited) {
  bytes_ += bytes;
  waited_ += waited / std::max(1, busy_);
  if (waited_ < kDecision) return;
  const double seconds = std::chrono::duration<double>(waited_).count();
  slow_ = static_cast<double>(bytes_) / seconds < kSlowBytesPerSecond;
  bytes_ = 0;
  waited_ = {};
}

LineMeter::LineMeter(const Session& session) : session_(session) {
  if (session_.compression) ++session_.compression->busy_;
}

LineMeter::~LineMeter() {
  if (session_.compression) --session_.compression->busy_;
}

void LineMeter::moved(std::uint64_t bytes, Duration waited) {
  if (!session_.compression || session_.deflated()) return;
  bytes_ += bytes;
  if (bytes_ >= kWarmUpBytes) session_.compression->add(bytes, waited);
}

bool compression_due(const Session& session) {
  return session.compression && session.compression->pays() && !session.deflated() &&
         session.capabilities.has("COMPRESS=DEFLATE");
}

Task<void> compress(Session& session) {
  std::string tag = co_await session.send(session.command("COMPRESS").raw("DEFLATE").finish());
  const StatusResponse status = co_await session.finish(tag);
  if (status.status == Status::kOk) {
    session.deflate();
  } else {
    session.compression->refuse();
  }
}

}  // namespace postferry::imap
