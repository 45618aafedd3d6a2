// One connection to a POP3 server: commands out, replies in, in order. Keeps count of the replies
// that are due. Knows no mailbox: what is asked, and what is made of the answers, is elsewhere.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/net/crawl.h"
#include "connectors/net/stream.h"
#include "connectors/pop3/codec/command.h"
#include "connectors/pop3/codec/dot_stuffing.h"
#include "connectors/pop3/codec/reply.h"
#include "engine/async/task.h"
#include "engine/error.h"

namespace postferry::pop3 {

/// Whether a successful reply has lines after its status line (RFC 1939 3).
enum class Reply { single, multi };

/// Replies are taken in the order of the commands; the greeting is the first. All calls throw
/// Error{transient} on a lost line and Error{protocol} on what is no POP3; after either, and after
/// a cancelled call, only close() is allowed.
class Session {
 public:
  /// `where` begins the context of every error.
  Session(std::unique_ptr<net::Stream> stream, std::string where);

  /// Sends one command, or several in one piece. A server that spoke unasked before is an error:
  /// what it said would be taken for the answer (Error{transient} if it was -ERR, in its words).
  Task<void> send(Command command);
  Task<void> send_all(std::vector<Command> commands);
  /// The next status line or challenge. After +OK to a multi-line command the rest must be taken by
  /// listing() or body().
  Task<StatusLine> status(Reply reply = Reply::single);
  /// send() and status().
  Task<StatusLine> ask(Command command, Reply reply = Reply::single);
  /// The lines of a multi-line reply, each to `line`, which may throw ProtocolError.
  Task<void> listing(std::function<void(std::string_view)> line,
                     std::size_t most_lines = kMaxListing);
  /// One step of a multi-line reply that is a message: waits for bytes if there are none, and
  /// appends to `out` what they say, a buffer's worth at most. Until decoder.done().
  Task<void> body(DotDecoder& decoder, std::string& out);

  /// Asks for what the server offers; an answer of -ERR leaves `capabilities` unknown.
  Task<void> ask_capabilities();
  /// Takes the answer to a CAPA that was sent.
  Task<void> take_capabilities();
  Capabilities capabilities;
  /// What STAT said, once it has been asked: nothing comes or goes while a session lasts (RFC 1939
  /// 5).
  std::optional<StatusLine> stat;
  /// It shows about 250 conversations that no session has fetched yet, and no others (Gmail).
  bool windowed = false;
  /// Its software shows everything to everybody.
  bool shows_all = false;
  /// The line fell silent after a dot that TOP glued to its last line: it will do so every time.
  bool top_never_ends = false;

  /// STLS was accepted: turns the line to TLS. Bytes received before are fatal (RFC 2595 4).
  Task<void> start_tls(net::TlsOptions options);
  net::Stream& stream() { return *stream_; }
  const net::Stream& stream() const { return *stream_; }

  /// Whether every command has had its whole reply, so that the next one would be understood.
  bool at_rest() const { return due_ == 0 && !in_reply_; }
  /// Of what came since it was last asked.
  bool crawls() { return crawl_.seen(); }
  /// Ends the connection. Never throws but Cancelled.
  Task<void> close();

  const std::string& where() const { return where_; }
  Error error(ErrorKind kind, const std::string& message) const;

 private:
  std::string_view unread() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void consume_to(std::string_view rest) { begin_ = end_ - rest.size(); }
  Task<void> fill();
  /// Reads on behind what is unread, which is not much.
  Task<void> fill_more();
  void check_unasked();
  Task<void> check_end(const DotDecoder& decoder);
  Task<void> write(std::string wire, std::size_t replies, bool secret);

  std::unique_ptr<net::Stream> stream_;
  std::string where_;
  std::unique_ptr<char[]> buffer_;  // never zeroed: a session may end after a few lines
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  LineDecoder lines_;
  std::size_t due_ = 1;  // the greeting
  bool in_reply_ = false;
  bool amid_body_ = false;
  net::Crawl crawl_;
};

/// The server's own words with their prefix: `-ERR [AUTH] no`, made printable.
std::string words(const StatusLine& status);

}  // namespace postferry::pop3
