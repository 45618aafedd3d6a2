#include "connectors/pop3/header_reader.h"

#include <optional>
#include <utility>

#include "connectors/pop3/pipeline.h"

namespace postferry::pop3 {
namespace {

constexpr std::uint64_t kUsualHeaderBytes = 4 << 10;

/// The header out of the reply to a TOP or RETR; nullopt if that was -ERR.
Task<std::optional<mail::HeaderScan>> read_header(Session& session) {
  const StatusLine status = co_await session.status(Reply::multi);
  if (!status.ok()) co_return std::nullopt;
  DotDecoder decoder;
  std::string header;
  while (!decoder.done()) {
    if (header.size() < mail::kMaxHeaderBytes) {
      co_await session.body(decoder, header);
    } else {
      std::string dropped;
      co_await session.body(decoder, dropped);
    }
  }
  co_return mail::scan_header(header);
}

}  // namespace

HeaderFields fields_of(const mail::HeaderScan& header) {
  HeaderFields fields;
  fields.message_id = header.message_id;
  fields.date = header.date;
  fields.from = header.from;
  fields.subject = header.subject;
  fields.to = header.to;
  if (!header.received.empty()) fields.received = header.received.front();
  return fields;
}

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
      const auto header = co_await read_header(session);
      if (header) {
        take(tops.current(), *header);
      } else {
        refused.push_back(tops.current());
      }
      tops.answered();
    }
  }
  Pipeline retrs(session, refused.size(),
                 {.command = [&](std::size_t i) { return retr(entries[refused[i]].number); },
                  .reply_bytes = [&](std::size_t i) { return entries[refused[i]].size_bytes; }});
  while (!retrs.done()) {
    co_await retrs.refill();
    const auto header = co_await read_header(session);
    if (header) take(refused[retrs.current()], *header);
    retrs.answered();
  }
}

}  // namespace postferry::pop3
