#include "connectors/pop3/fetcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "connectors/header_fields.h"
#include "connectors/mail/date.h"
#include "connectors/pop3/header_reader.h"
#include "connectors/pop3/pipeline.h"

namespace postferry::pop3 {
namespace {

constexpr std::size_t kSpoolChunk = 256 << 10;
/// Nothing larger can be stored anywhere by IMAP (RFC 3501: a literal's length is a 32-bit number).
constexpr std::uint64_t kMaxMessageBytes = std::uint64_t{4} << 30;
constexpr std::string_view kGluedEnd = ".\r\n";

struct Wanted {
  MessageKey key;
  Maildrop::Entry entry;
};

/// How one RETR ended.
struct Retrieved {
  std::optional<Body> body;
  mail::HeaderScan header;
  std::string refusal;         // the server's words, where there is no body
  bool come_again = false;     // -ERR that only means "not now"
  std::exception_ptr failure;  // the line was lost just after the message
};

Flags flags_of(const mail::HeaderScan& header) {
  Flags flags;
  const mail::StatusFlags status = mail::status_flags(header);
  if (status.seen) flags.system |= Flags::seen;
  if (status.answered) flags.system |= Flags::answered;
  if (status.flagged) flags.system |= Flags::flagged;
  if (status.deleted) flags.system |= Flags::deleted;
  if (status.draft) flags.system |= Flags::draft;
  for (std::string& keyword : mail::keywords(header)) flags.add_keyword(std::move(keyword));
  return flags;
}

class Fetcher {
 public:
  Fetcher(Session& session, SpoolFactory& spool, MessageSink& sink)
      : session_(session), spool_(spool), sink_(sink) {}

  Task<void> run(const Maildrop& maildrop, std::vector<Catalogue::Entry> asked) {
    std::vector<Wanted> wanted;
    std::vector<MessageKey> gone;
    for (Catalogue::Entry& entry : asked) {
      const auto found = maildrop.find(entry.key.uidl());
      if (found) {
        wanted.push_back({std::move(entry.key), *found});
      } else {
        gone.push_back(std::move(entry.key));
      }
    }
    co_await all(wanted);
    for (const Wanted& message : again_) co_await alone(message);
    for (MessageKey& key : gone) co_await sink_.missing(std::move(key), true, "");
  }

 private:
  Task<void> all(const std::vector<Wanted>& wanted) {
    Pipeline retrs(session_, wanted.size(),
                   {.command = [&](std::size_t i) { return retr(wanted[i].entry.number); },
                    .reply_bytes = [&](std::size_t i) { return wanted[i].entry.size_bytes; }});
    while (!retrs.done()) {
      co_await retrs.refill();
      const Wanted& message = wanted[retrs.current()];
      Retrieved got = co_await retrieve(message.entry);
      retrs.answered();
      if (got.body) {
        co_await deliver(message, std::move(got));
      } else {
        again_.push_back(message);
      }
    }
  }

  /// Once more, with nothing else under way: now a refusal is final.
  Task<void> alone(const Wanted& message) {
    co_await session_.send(retr(message.entry.number));
    Retrieved got = co_await retrieve(message.entry);
    if (got.body) {
      co_await deliver(message, std::move(got));
      co_return;
    }
    if (got.come_again)
      throw session_.error(ErrorKind::transient, "RETR was refused: " + got.refusal);
    const bool gone = !(co_await numbers()).contains(message.entry.number);
    co_await sink_.missing(message.key, gone, std::move(got.refusal));
  }

  /// -ERR may be about anything: the listing says what is there. Asked once: nothing comes or goes
  /// while a session lasts (RFC 1939 section 8).
  Task<std::set<std::uint32_t>> numbers() {
    if (!numbers_) {
      co_await session_.send(list());
      const StatusLine status = co_await session_.status(Reply::multi);
      if (!status.ok())
        throw session_.error(ErrorKind::transient, "LIST was refused: " + words(status));
      numbers_.emplace();
      co_await session_.listing(
          [this](std::string_view line) { numbers_->insert(parse_list_item(line).number); });
    }
    co_return *numbers_;
  }

  Task<void> deliver(const Wanted& wanted, Retrieved got) {
    const auto now = (co_await current_scope()).executor().wall_clock().time_since_epoch();
    Message message;
    message.key = wanted.key;
    message.flags = flags_of(got.header);
    const auto arrived = mail::arrival_date(
        got.header, std::chrono::duration_cast<std::chrono::seconds>(now).count());
    if (arrived) message.date = InternalDate{arrived->unix_seconds, arrived->zone_minutes};
    message.body = std::move(*got.body);
    message.fields = header_fields(got.header);
    co_await sink_.message(std::move(message));
    if (got.failure) std::rethrow_exception(got.failure);
  }

  /// The reply to a RETR that was sent.
  Task<Retrieved> retrieve(Maildrop::Entry entry) {
    Retrieved got;
    const StatusLine status = co_await session_.status(Reply::multi);
    if (!status.ok()) {
      got.refusal = words(status);
      got.come_again = says_busy(status);
      co_return got;
    }
    DotDecoder decoder;
    std::string bytes;
    bytes.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(entry.size_bytes, kHoldLimit)) +
                  16);
    while (!decoder.done() && bytes.size() <= kHoldLimit) {
      try {
        co_await session_.body(decoder, bytes);
      } catch (const Error& lost) {
        const bool whole = lost.kind() == ErrorKind::transient && decoder.ends_in_glued_dot() &&
                           decoder.size_bytes() == entry.size_bytes + kGluedEnd.size();
        if (!whole) throw;
        got.failure = std::current_exception();
      }
      if (!got.failure) continue;
      bytes.resize(bytes.size() - kGluedEnd.size());
      break;
    }
    if (session_.crawls()) sink_.crawling();
    got.header = mail::scan_header(bytes);
    if (!decoder.done() && !got.failure) {
      got.body = Body(co_await spooled(decoder, std::move(bytes)));
    } else if (bytes.empty() && entry.size_bytes > 0) {
      got.refusal = fmt::format("the server gave no bytes for a message of {}", entry.size_bytes);
    } else {
      // LIST may have promised more than came; the memory that counts is what is held.
      if (bytes.capacity() > 2 * bytes.size()) bytes.shrink_to_fit();
      got.body = Body(std::move(bytes));
    }
    co_return got;
  }

  /// The rest of a message that is too large to hold; `bytes` is its beginning.
  Task<std::shared_ptr<SpooledBody>> spooled(DotDecoder& decoder, std::string bytes) {
    const std::unique_ptr<SpoolWriter> writer = co_await spool_.open();
    while (!decoder.done()) {
      if (bytes.size() >= kSpoolChunk) co_await writer->append(std::exchange(bytes, {}));
      co_await session_.body(decoder, bytes);
      if (session_.crawls()) sink_.crawling();
      if (decoder.size_bytes() > kMaxMessageBytes) {
        throw session_.error(ErrorKind::protocol, "a message has more than 4 GiB");
      }
    }
    co_await writer->append(std::move(bytes));
    co_return writer->finish();
  }

  Session& session_;
  SpoolFactory& spool_;
  MessageSink& sink_;
  std::vector<Wanted> again_;
  std::optional<std::set<std::uint32_t>> numbers_;
};

}  // namespace

Task<void> fetch_messages(Session& session, const Maildrop& maildrop, SpoolFactory& spool,
                          std::vector<Catalogue::Entry> wanted, MessageSink& sink) {
  Fetcher fetcher(session, spool, sink);
  co_await fetcher.run(maildrop, std::move(wanted));
}

}  // namespace postferry::pop3
