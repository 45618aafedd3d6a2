// One connection to an IMAP server: commands go out, responses come in, in whatever overlap the
// caller wants. It keeps the place in the stream and the server's last words; what commands mean,
// and in which order they make sense, is known elsewhere.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "connectors/imap/capabilities.h"
#include "connectors/imap/codec/command.h"
#include "connectors/imap/codec/framer.h"
#include "connectors/imap/codec/response.h"
#include "connectors/imap/errors.h"
#include "connectors/imap/quirks.h"
#include "connectors/net/crawl.h"
#include "connectors/net/stream.h"
#include "engine/async/executor.h"
#include "engine/async/task.h"

namespace postferry::imap {

/// A message body begins inside a FETCH: `head` is what the response said before it. Its bytes come
/// from next_body_bytes(); the whole FETCH follows as a Response.
struct BodyBegin {
  FetchData head;
  std::uint64_t size_bytes = 0;
};

using Item = std::variant<Response, BodyBegin>;

class Compression;

/// What came over the line, as the program sees it, and how long it waited for that.
struct Traffic {
  std::uint64_t bytes = 0;
  Duration waited{};
};

/// Sees every response but tagged ones, before the command ends.
using Handler = std::function<void(Response&)>;

/// Driven by the coroutines that call it: nothing runs in between. At most one of them receives and
/// one sends at a time. Any exception but Error{rejected} leaves the session dead.
///
/// Every call that receives throws Error{transient} when the server closes, and when it says BYE,
/// in its words (or Error{throttled}, if that is what they mean); Error{protocol} on what is not
/// IMAP, or the answer to a command that nobody sent.
class Session {
 public:
  /// `where` begins the context of all errors: "target imaps://ann@new.example".
  Session(std::unique_ptr<net::Stream> stream, std::string where);

  // Sending.

  /// A command under a new tag.
  CommandBuilder command(std::string_view name);
  std::string new_tag() { return tags_.next(); }
  /// Writes a command and yields its tag. Where a literal must wait for the server's go-ahead
  /// nothing else may be outstanding but what is dismissed; if the server refuses instead,
  /// finish() tells.
  Task<std::string> send(Command command);
  /// Writes `bytes` as they are; `tags` are the commands that they complete or begin.
  Task<void> write(std::vector<std::string_view> bytes);
  /// Announces a command whose bytes go through write().
  void expect(std::string tag) { outstanding_.push_back(std::move(tag)); }
  /// Nobody waits for the answer to `tag`: it is passed over when it comes.
  void dismiss(std::string tag) { dismissed_.push_back(std::move(tag)); }

  // Receiving.

  /// The next response that has already come in, if it is whole.
  std::optional<Item> poll();
  /// Waits for bytes. Only after poll() gave nothing.
  Task<void> fill();
  Task<Item> next();
  /// Bytes of the body that began last, a view until the next call here; empty at its end. A body
  /// that is not taken is passed over.
  Task<std::string_view> next_body_bytes();
  /// The rest of the body, whole; what is above `limit` is passed over.
  Task<std::string> take_body(std::uint64_t size_bytes, std::size_t limit);

  /// Keeps the answer to a command that somebody else will finish(): servers may run a later
  /// command before an earlier one has ended (RFC 3501 §5.5).
  void keep(StatusResponse answer);
  /// Receives until `tag` has its answer. Answers to other commands are kept for their finish().
  Task<StatusResponse> finish(std::string tag, Handler handler = {});
  /// The same, and throws refusal() unless the answer is OK.
  Task<StatusResponse> succeed(std::string tag, std::string what, Handler handler = {});
  /// Waits for a `+` while `tag` is outstanding: its text, or nothing if the command ended instead
  /// (finish() has its answer).
  Task<std::optional<std::string>> continuation(std::string tag);

  // What is known.

  Capabilities capabilities;
  Quirks quirks;
  /// What this end's sessions know of compression; null: it is never asked for.
  Compression* compression = nullptr;
  /// True once a CAPABILITY has come since the last forget_capabilities().
  bool capabilities_told() const { return capabilities_told_; }
  void forget_capabilities();
  /// Messages in the selected folder, as EXISTS and EXPUNGE keep it.
  std::uint64_t exists() const { return exists_; }
  void forget_folder();
  /// Expunged in the selected folder since it was opened.
  std::uint64_t expunged() const { return expunged_; }

  /// After this a BYE is what was asked for.
  void expect_bye() { leaving_ = true; }
  bool said_bye() const { return bye_.has_value(); }
  /// Forgets what came in the clear and turns to TLS.
  Task<void> start_tls(net::TlsOptions options);
  /// The server has agreed to COMPRESS: what came behind its answer is deflated, as is all from now
  /// on.
  void deflate();
  bool deflated() const { return deflated_; }
  const Traffic& received() const { return received_; }
  /// Of what came since it was last asked.
  bool crawls() { return crawl_.seen(); }
  Task<void> close();
  net::Stream& stream() { return *stream_; }

  const std::string& where() const { return where_; }
  /// Adds the open folder to the context of errors; empty: none.
  void set_folder(const std::string& name);
  Error error(ErrorKind kind, const std::string& message) const;
  Error refused(const StatusResponse& status, const std::string& what) const;
  /// The server's last words (BYE, else an ALERT or an untagged BAD), for an error's text.
  std::string last_words() const;

 private:
  void note(const Response& response);
  void note_status(const StatusResponse& status);
  void settle_tag(const std::string& tag);
  bool passed_over(const Response& response);
  Task<void> write_piece(Piece piece);
  template <class F>
  auto decode(F f) -> decltype(f());

  std::unique_ptr<net::Stream> stream_;
  std::string base_, where_;
  Limits limits_;
  Framer framer_;
  std::unique_ptr<char[]> buffer_;  // never zeroed: a session may end after a few lines
  TagGenerator tags_;
  std::deque<std::string> outstanding_;
  std::deque<StatusResponse> early_;  // answers that came before their finish()
  std::deque<std::string> dismissed_;
  std::optional<StatusResponse> bye_;
  std::string alert_;
  std::uint64_t exists_ = 0, expunged_ = 0;
  std::uint64_t untagged_ = 0;  // responses since the last that ended a command
  Traffic received_;
  net::Crawl crawl_;
  bool deflated_ = false;
  bool capabilities_told_ = false;
  bool leaving_ = false;
  bool in_body_ = false;
};

}  // namespace postferry::imap
