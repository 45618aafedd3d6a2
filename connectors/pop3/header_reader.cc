#include "connectors/pop3/header_reader.h"

#include <optional>
#include <string_view>
#include <utility>

#include "connectors/pop3/pipeline.h"

namespace postferry::pop3 {
namespace {

constexpr std::uint64_t kUsualHeaderBytes = 4 << 10;

enum class By { top, retr };

/// Whether the blank line is there that ends a header. Some servers cut off what TOP gives.
bool is_whole(std::string_view header) {
  return header.starts_with("\r\n") || header.starts_with('\n') ||
         header.find("\n\r\n") != std::string_view::npos ||
         header.find("\n\n") != std::string_view::npos || header.size() >= mail::kMaxHeaderBytes;
}

/// Whether the reply to a TOP or RETR is +OK. Throws Error{transient} where -ERR only means "not
/// now": a message that is there must not pass for one that is not.
Task<bool> is_given(Session& session, std::string what) {
  const StatusLine status = co_await session.status(Reply::multi);
  if (!status.ok() && says_busy(status))
    throw session.error(ErrorKind::transient, what + " was refused: " + words(status));
  co_return status.ok();
}

/// The header out of the reply to a TOP or RETR; nullopt if that was -ERR, or TOP gave a part.
Task<std::optional<mail::HeaderScan>> read_header(Session& session, By by) {
  const bool given = co_await is_given(session, "a header");
  if (!given) co_return std::nullopt;
  DotDecoder decoder;
  std::string header, dropped;
  try {
    while (!decoder.done()) {
      dropped.clear();
      co_await session.body(decoder, header.size() < mail::kMaxHeaderBytes ? header : dropped);
    }
  } catch (const Error&) {
    session.top_never_ends = by == By::top && decoder.ends_in_glued_dot();
    throw;
  }
  if (by == By::top && !is_whole(header)) co_return std::nullopt;
  co_return mail::scan_header(header);
}

/// Some servers say goodbye with an -ERR that might be the answer to anything: of a session that is
/// over it says nothing of the message.
Task<void> prove_alive(Session& session, Maildrop::Entry entry) {
  co_await session.ask(list(entry.number));
}

}  // namespace

Task<void> read_headers(Session& session, std::vector<Maildrop::Entry> entries,
                        std::function<void(std::size_t, const mail::HeaderScan&)> take) {
  std::vector<std::size_t> refused;
  if (session.capabilities.known && !session.capabilities.top) {
    for (std::size_t i = 0; i < entries.size(); ++i) refused.push_back(i);
  } else {
    Pipeline tops(session, entries.size(),
                  {.command = [&](std::size_t i) { return top(entries[i].number, 0); },
                   .reply_bytes = [](std::size_t) { return kUsualHeaderBytes; }});
    while (!tops.done()) {
      co_await tops.refill();
      const auto header = co_await read_header(session, By::top);
      if (header) {
        take(tops.current(), *header);
      } else {
        refused.push_back(tops.current());
      }
      tops.answered();
    }
  }
  std::optional<std::size_t> not_given;
  Pipeline retrs(session, refused.size(),
                 {.command = [&](std::size_t i) { return retr(entries[refused[i]].number); },
                  .reply_bytes = [&](std::size_t i) { return entries[refused[i]].size_bytes; }});
  while (!retrs.done()) {
    co_await retrs.refill();
    const auto header = co_await read_header(session, By::retr);
    if (header) {
      take(refused[retrs.current()], *header);
    } else {
      not_given = refused[retrs.current()];
    }
    retrs.answered();
  }
  if (not_given) co_await prove_alive(session, entries[*not_given]);
}

Task<void> read_digests(Session& session, std::vector<Maildrop::Entry> entries,
                        std::function<void(std::size_t, const Sha256&)> take) {
  Pipeline retrs(session, entries.size(),
                 {.command = [&](std::size_t i) { return retr(entries[i].number); },
                  .reply_bytes = [&](std::size_t i) { return entries[i].size_bytes; }});
  std::optional<std::size_t> not_given;
  while (!retrs.done()) {
    co_await retrs.refill();
    const bool given = co_await is_given(session, "a message");
    if (given) {
      DotDecoder decoder;
      Digest digest;
      std::string part;
      while (!decoder.done()) {
        part.clear();
        co_await session.body(decoder, part);
        digest.update(part);
      }
      take(retrs.current(), digest.finish());
    } else {
      not_given = retrs.current();
    }
    retrs.answered();
  }
  if (not_given) co_await prove_alive(session, entries[*not_given]);
}

}  // namespace postferry::pop3
