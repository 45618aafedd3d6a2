// The receive loop: bytes into the framer, frames into responses, and what every command wants
// noted on the way.
#include "connectors/imap/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "connectors/net/deflate.h"
#include "engine/async/scope.h"

namespace postferry::imap {
namespace {

constexpr std::size_t kBufferBytes = 256 << 10;
constexpr std::size_t kInlineBodyBytes = 8 << 10;
constexpr std::size_t kMaxEarly = 1000;
// Responses in a row that answer no command: twice the messages of the folder, and as many as the
// longest listing has.
constexpr std::uint64_t kMaxUntagged = 1'100'000;
constexpr std::uint64_t kMostMessages = 20'000'000;

Limits session_limits() {
  Limits limits;
  limits.inline_body_bytes = kInlineBodyBytes;
  return limits;
}

}  // namespace

Session::Session(std::unique_ptr<net::Stream> stream, std::string where)
    : stream_(std::move(stream)),
      base_(std::move(where)),
      where_(base_),
      limits_(session_limits()),
      framer_(limits_),
      buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {}

CommandBuilder Session::command(std::string_view name) {
  return CommandBuilder(new_tag(), name, capabilities.literals());
}

Task<std::string> Session::send(Command command) {
  std::string tag = command.tag;
  const bool waits = command.pieces.size() > 1;
  while (waits && !dismissed_.empty()) {
    if (!poll()) co_await fill();
  }
  if (waits && !outstanding_.empty()) {
    throw std::logic_error("a command that waits for `+` must be alone");
  }
  outstanding_.push_back(tag);
  for (Piece& piece : command.pieces) {
    const bool wait = piece.waits;
    co_await write_piece(std::move(piece));
    if (!wait) continue;
    const auto go_ahead = co_await continuation(tag);
    if (!go_ahead) break;
  }
  co_return tag;
}

Task<void> Session::write(std::vector<std::string_view> bytes) {
  try {
    co_await stream_->write(std::move(bytes));
  } catch (const Error& failure) {
    throw failure.in(where_);
  }
}

Task<void> Session::write_piece(Piece piece) {
  std::size_t at = 0;
  const std::string_view bytes = piece.bytes;
  std::vector<std::string_view> part(1);
  for (const ByteRange& secret : piece.secrets) {
    part[0] = bytes.substr(at, secret.begin - at);
    if (!part[0].empty()) co_await write(part);
    part[0] = bytes.substr(secret.begin, secret.end - secret.begin);
    stream_->mark_secret(true);
    co_await write(part);
    stream_->mark_secret(false);
    at = secret.end;
  }
  part[0] = bytes.substr(at);
  if (!part[0].empty()) co_await write(part);
}

template <class F>
auto Session::decode(F f) -> decltype(f()) {
  try {
    return f();
  } catch (const ProtocolError& broken) {
    throw error(ErrorKind::protocol,
                fmt::format("the server's answer cannot be understood: {}", broken.what()));
  }
}

std::optional<Item> Session::poll() {
  return decode([this]() -> std::optional<Item> {
    for (;;) {
      FrameEvent event = framer_.next();
      if (std::holds_alternative<NeedMore>(event)) return std::nullopt;
      if (const auto* frame = std::get_if<Frame>(&event)) {
        in_body_ = false;
        Response response = parse_response(*frame, limits_);
        note(response);
        if (passed_over(response)) continue;
        return Item(std::move(response));
      }
      if (const auto* begin = std::get_if<LiteralBegin>(&event)) {
        in_body_ = true;
        return Item(BodyBegin{parse_fetch_head(begin->head, limits_), begin->size});
      }
      // What is left of a body that nobody took.
    }
  });
}

Task<void> Session::fill() {
  Executor& executor = (co_await current_scope()).executor();
  const TimePoint begun = executor.now();
  const bool amid_body = framer_.in_literal();
  std::size_t count = 0;
  try {
    count = co_await stream_->read(std::span<char>(buffer_.get(), kBufferBytes));
  } catch (const Error& failure) {
    throw failure.in(where_);
  }
  if (count == 0) {
    const std::string last = last_words();
    throw error(ErrorKind::transient, last.empty() ? "the server closed the connection"
                                                   : "the server closed the connection: " + last);
  }
  const Duration waited = executor.now() - begun;
  received_.bytes += count;
  received_.waited += waited;
  if (amid_body) crawl_.waited(waited, count);
  framer_.feed(std::string_view(buffer_.get(), count));
}

Task<Item> Session::next() {
  for (;;) {
    std::optional<Item> item = poll();
    if (item) co_return std::move(*item);
    co_await fill();
  }
}

Task<std::string_view> Session::next_body_bytes() {
  while (in_body_) {
    const FrameEvent event = decode([this] { return framer_.next(); });
    if (const auto* chunk = std::get_if<LiteralChunk>(&event)) co_return chunk->bytes;
    if (std::holds_alternative<LiteralEnd>(event)) {
      in_body_ = false;
    } else if (std::holds_alternative<NeedMore>(event)) {
      co_await fill();
    } else {
      throw std::logic_error("a body without an end");
    }
  }
  co_return std::string_view();
}

Task<std::string> Session::take_body(std::uint64_t size_bytes, std::size_t limit) {
  std::string body;
  body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(size_bytes, limit)));
  for (;;) {
    const std::string_view bytes = co_await next_body_bytes();
    if (bytes.empty()) break;
    body.append(bytes.substr(0, limit - body.size()));
  }
  co_return body;
}

void Session::keep(StatusResponse answer) {
  if (early_.size() >= kMaxEarly)
    throw error(ErrorKind::protocol, "the server's answers come in an impossible order");
  early_.push_back(std::move(answer));
}

Task<StatusResponse> Session::finish(std::string tag, Handler handler) {
  const auto early =
      std::ranges::find_if(early_, [&](const StatusResponse& s) { return s.tag == tag; });
  if (early != early_.end()) {
    StatusResponse status = std::move(*early);
    early_.erase(early);
    co_return status;
  }
  for (;;) {
    std::optional<Item> item = poll();
    if (!item) {
      co_await fill();
      continue;
    }
    auto* response = std::get_if<Response>(&*item);
    if (!response) continue;  // a body that was not asked for: its FETCH follows
    auto* status = std::get_if<StatusResponse>(response);
    if (status && status->tagged()) {
      if (status->tag == tag) co_return std::move(*status);
      keep(std::move(*status));
      continue;
    }
    if (handler) handler(*response);
  }
}

Task<StatusResponse> Session::succeed(std::string tag, std::string what, Handler handler) {
  StatusResponse status = co_await finish(std::move(tag), std::move(handler));
  if (status.status != Status::kOk) throw refused(status, what);
  co_return status;
}

Task<std::optional<std::string>> Session::continuation(std::string tag) {
  for (;;) {
    Item item = co_await next();
    auto* response = std::get_if<Response>(&item);
    if (!response) continue;
    if (auto* go_ahead = std::get_if<Continuation>(response)) co_return std::move(go_ahead->text);
    auto* status = std::get_if<StatusResponse>(response);
    if (!status || !status->tagged()) continue;
    const bool ended = status->tag == tag;
    keep(std::move(*status));
    if (ended) co_return std::nullopt;
  }
}

void Session::note(const Response& response) {
  if (++untagged_ > kMaxUntagged + 2 * std::min(exists_, kMostMessages)) {
    throw error(ErrorKind::protocol, "the server never comes to the end of its answer");
  }
  if (const auto* status = std::get_if<StatusResponse>(&response)) {
    note_status(*status);
  } else if (const auto* exists = std::get_if<ExistsData>(&response)) {
    exists_ = exists->count;
  } else if (std::holds_alternative<ExpungeData>(response)) {
    if (exists_ > 0) --exists_;
    ++expunged_;
  } else if (const auto* vanished = std::get_if<VanishedData>(&response)) {
    if (vanished->earlier) return;
    exists_ -= std::min(exists_, vanished->uids.count());
    expunged_ += vanished->uids.count();
  } else if (const auto* offered = std::get_if<CapabilityData>(&response)) {
    capabilities = Capabilities(offered->names);
    capabilities_told_ = true;
  }
}

void Session::note_status(const StatusResponse& status) {
  if (status.has(Code::kCapability)) {
    capabilities = Capabilities(code_capabilities(*status.code));
    capabilities_told_ = true;
  }
  if (status.has(Code::kAlert)) alert_ = status.text;
  if (status.tagged()) {
    untagged_ = 0;
    settle_tag(status.tag);
  } else if (status.status == Status::kBad) {
    alert_ = words(status);
  } else if (status.status == Status::kBye) {
    bye_ = status;
    if (leaving_) return;
    const Verdict verdict = judge(status);
    const Error failure = error(verdict.kind, "the server said goodbye: " + words(status));
    throw verdict.retry_after ? failure.after(*verdict.retry_after) : failure;
  }
}

void Session::settle_tag(const std::string& tag) {
  const auto known = std::ranges::find(outstanding_, tag);
  if (known == outstanding_.end()) {
    throw error(ErrorKind::protocol, "the server answered a command that was never sent: " + tag);
  }
  outstanding_.erase(known);
}

bool Session::passed_over(const Response& response) {
  const auto* status = std::get_if<StatusResponse>(&response);
  return status && status->tagged() && std::erase(dismissed_, status->tag) > 0;
}

void Session::forget_capabilities() {
  capabilities = Capabilities();
  capabilities_told_ = false;
}

void Session::forget_folder() {
  exists_ = 0;
  expunged_ = 0;
}

Task<void> Session::start_tls(net::TlsOptions options) {
  const std::size_t unread = framer_.take_rest().size() + (framer_.idle() ? 0 : 1);
  framer_.discard();
  forget_capabilities();
  try {
    co_await stream_->start_tls(std::move(options), unread);
  } catch (const Error& failure) {
    throw failure.in(where_);
  }
}

void Session::deflate() {
  stream_ = std::make_unique<net::DeflateStream>(std::move(stream_), framer_.take_rest());
  deflated_ = true;
}

Task<void> Session::close() { co_await stream_->close(); }

void Session::set_folder(const std::string& name) {
  where_ = name.empty() ? base_ : base_ + ", folder " + name;
}

Error Session::error(ErrorKind kind, const std::string& message) const {
  return Error(kind, message, where_);
}

Error Session::refused(const StatusResponse& status, const std::string& what) const {
  return refusal(status, judge_read(status), what, where_);
}

std::string Session::last_words() const { return bye_ ? words(*bye_) : alert_; }

}  // namespace postferry::imap
