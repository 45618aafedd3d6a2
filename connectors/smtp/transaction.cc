#include "connectors/smtp/transaction.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>
#include <vector>

#include "connectors/smtp/codec/dot_writer.h"

namespace postferry::smtp {
namespace {

constexpr std::size_t kChunk = 256 << 10;  // of one BDAT, and of one write

class Transaction {
 public:
  Transaction(Session& session, Parcel parcel) : session_(session), parcel_(std::move(parcel)) {}

  Task<ParcelResult> run() {
    co_await look_at_message();
    if (const auto refusal = unfit()) co_return done(Refused{*refusal}, parcel_.unfinished);
    const std::optional<ParcelResult> stopped = co_await open_envelope();
    if (stopped) co_return *stopped;
    try {
      co_await (chunking() ? send_chunks() : send_text());
    } catch (const Error& lost) {
      if (!ended_) throw;
      co_return done(Undecided{lost.message()}, false);
    }
    if (early_) co_return done(verdict(*early_), true);
    Reply answer;
    try {
      answer = co_await session_.reply(kFinalReply);
    } catch (const Error& lost) {
      co_return done(Undecided{"the answer to the whole message was lost: " + lost.message()},
                     false);
    }
    co_return done(verdict(answer), false);
  }

 private:
  static ParcelResult done(RelayResult result, bool unfinished) {
    return {std::move(result), unfinished};
  }

  bool chunking() const { return session_.offered.chunking; }

  Task<void> look_at_message() {
    std::string start;
    BodyScan scan;
    co_await parcel_.body.write_to([&start, &scan](std::string_view bytes) -> Task<void> {
      if (start.size() < kMaxHeaderBytes) start += bytes.substr(0, kMaxHeaderBytes - start.size());
      scan.update(bytes);
      co_return;
    });
    header_ = relayed_header(start, parcel_.trace);
    parcel_.envelope.body = scan.kind();
    parcel_.envelope.size_bytes =
        parcel_.body.size_bytes() - header_.replaced + header_.bytes.size();
  }

  /// Why this message cannot be sent at all.
  std::optional<std::string> unfit() const {
    const Extensions& offered = session_.offered;
    const Envelope& envelope = parcel_.envelope;
    if (header_.looped)
      return "it goes in circles: postferry has relayed it to this recipient before";
    if (header_.received_count > kMaxReceived)
      return fmt::format("it goes in circles: it has {} Received fields", header_.received_count);
    if (offered.most_bytes && envelope.size_bytes > *offered.most_bytes)
      return fmt::format("it has {} bytes, and the server takes {} at most", envelope.size_bytes,
                         *offered.most_bytes);
    if (envelope.body == BodyKind::eightbit && !offered.eightbitmime && !chunking())
      return "it has 8-bit text, and the server does not take that (no 8BITMIME)";
    const bool utf8 = is_utf8_address(envelope.sender) || is_utf8_address(envelope.recipient);
    if (utf8 && !offered.smtputf8)
      return "the address is not ASCII, and the server does not take that (no SMTPUTF8)";
    return std::nullopt;
  }

  /// MAIL, RCPT and DATA; what ends it, if the server does not let us go on.
  Task<std::optional<ParcelResult>> open_envelope() {
    std::vector<Command> commands;
    if (parcel_.unfinished) commands.push_back(rset());
    try {
      commands.push_back(mail(parcel_.envelope, session_.offered));
      commands.push_back(rcpt(parcel_.envelope, session_.offered));
    } catch (const std::invalid_argument& unsayable) {
      throw session_.error(ErrorKind::usage, unsayable.what());
    }
    if (!chunking()) commands.push_back(data());
    std::vector<Reply> replies;
    if (session_.offered.pipelining) {
      const std::size_t count = commands.size();
      co_await session_.send(std::move(commands));
      for (std::size_t i = 0; i < count; ++i) replies.push_back(co_await session_.reply());
    } else {
      for (Command& command : commands) {
        replies.push_back(co_await session_.ask(std::move(command)));
        if (!replies.back().positive()) break;
      }
    }
    for (const Reply& reply : replies)
      if (reply.code == 421) throw session_.error(ErrorKind::transient, reply.words());
    const std::size_t text = replies.size() - 1;
    const bool went_in = !chunking() && replies[text].intermediate();
    for (std::size_t i = 0; i < replies.size(); ++i) {
      if (replies[i].positive() || (i == text && went_in)) continue;
      if (went_in) {
        // A server that takes text for nobody is told that there is none (RFC 2920 3.1).
        session_.expect_reply();
        co_await session_.send_bytes(".\r\n");
        co_await session_.reply();
      }
      co_return done(envelope_refused(replies[i]), true);
    }
    co_return std::nullopt;
  }

  RelayResult envelope_refused(const Reply& reply) const {
    if (reply.transient()) return Deferred{printable(reply.words())};
    check_quota(reply);
    if (too_big(reply)) return Refused{printable(reply.words())};
    throw session_.error(
        reply.permanent() ? ErrorKind::rejected : ErrorKind::protocol,
        fmt::format("no mail for {} from <{}> is taken: {}", parcel_.envelope.recipient,
                    parcel_.envelope.sender, reply.words()));
  }

  RelayResult verdict(const Reply& reply) const {
    if (reply.positive()) return Delivered{};
    if (reply.transient()) return Deferred{printable(reply.words())};
    if (!reply.permanent())
      throw session_.error(ErrorKind::protocol,
                           fmt::format("a message was answered with {}", reply.words()));
    check_quota(reply);
    return Refused{printable(reply.words()), reply.says(5, 7, -1)};
  }

  static bool too_big(const Reply& reply) {
    return reply.says(5, 3, 4) || (reply.code == 552 && !reply.enhanced);
  }
  void check_quota(const Reply& reply) const {
    if (reply.says(5, 2, 2)) throw session_.error(ErrorKind::quota, reply.words());
  }

  /// The message as it goes out, in pieces, to `write`.
  template <class Write>
  Task<void> pieces(Write write) {
    co_await write(std::string_view(header_.bytes));
    std::uint64_t skip = header_.replaced;
    co_await parcel_.body.write_to([&skip, &write](std::string_view bytes) -> Task<void> {
      const std::size_t passed =
          static_cast<std::size_t>(std::min<std::uint64_t>(skip, bytes.size()));
      skip -= passed;
      if (passed < bytes.size()) co_await write(bytes.substr(passed));
    });
  }

  Task<void> send_text() {
    DotWriter writer;
    std::string out;
    const auto write = [this, &writer, &out](std::string_view bytes) -> Task<void> {
      writer.write(bytes, out);
      if (out.size() < kChunk) co_return;
      co_await session_.send_bytes(out);
      out.clear();
    };
    co_await pieces(write);
    if (!out.empty()) co_await session_.send_bytes(out);
    out.clear();
    writer.end(out);
    // Until the dot is out, a lost line means that nothing was taken (RFC 5321 4.2.5).
    session_.expect_reply();
    ended_ = true;
    co_await session_.send_bytes(out);
  }

  /// Of the last chunk a byte is held back, for the same reason.
  Task<void> send_chunks() {
    std::string out;
    const auto write = [this, &out](std::string_view bytes) -> Task<void> {
      if (early_) co_return;
      out += bytes;
      if (out.size() <= kChunk) co_return;
      const std::string last(1, out.back());
      out.pop_back();
      co_await send_chunk(out);
      out = last;
    };
    co_await pieces(write);
    if (early_) co_return;
    co_await session_.send({bdat(out.size(), true)});
    co_await session_.send_bytes(std::string_view(out).substr(0, out.size() - 1));
    ended_ = true;
    co_await session_.send_bytes(std::string_view(out).substr(out.size() - 1));
  }

  Task<void> send_chunk(const std::string& bytes) {
    co_await session_.send({bdat(bytes.size(), false)});
    co_await session_.send_bytes(bytes);
    Reply answer = co_await session_.reply(kFinalReply);
    if (!answer.positive()) early_ = std::move(answer);
  }

  Session& session_;
  Parcel parcel_;
  RelayedHeader header_;
  bool ended_ = false;          // all of it is out, or may be
  std::optional<Reply> early_;  // a chunk was refused
};

}  // namespace

Task<ParcelResult> transact(Session& session, Parcel parcel) {
  Transaction transaction(session, std::move(parcel));
  co_return co_await transaction.run();
}

}  // namespace postferry::smtp
