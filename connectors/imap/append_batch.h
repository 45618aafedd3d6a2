// One batch of messages on its way into a folder: the APPEND or MULTIAPPEND commands that carry it,
// what went out, and what came back for each message. Which batch goes when, and what is done about
// a refusal, is the appender's business.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/imap/codec/append.h"
#include "connectors/imap/selected.h"
#include "connectors/imap/session.h"
#include "engine/target.h"

namespace postferry::imap {

/// How this server and folder take messages.
struct AppendTraits {
  LiteralMode literals = LiteralMode::kSynchronising;
  bool multiappend = false;
  bool uidplus = false;  // APPENDUID is to be believed
  bool binary = false;   // literal8 for bodies with a NUL
  bool nul_ends_session = false;
  bool plain = false;  // no keywords
  std::optional<std::uint64_t> limit_bytes;
};

/// Messages [first, first + count) of a batch.
struct Range {
  std::size_t first = 0;
  std::size_t count = 0;
};

/// What a server refused for a message's sake.
struct Refusal {
  Range range;
  StatusResponse status;
};

struct AppendBatch {
  explicit AppendBatch(Batch from) : batch(std::move(from)), results(batch.messages.size()) {}

  Batch batch;
  std::vector<std::optional<AppendResult>> results;
  std::vector<std::vector<std::string>> flags;  // of each message, as they will be sent
  std::vector<Refusal> refused;
  std::vector<Refusal> no_room;                  // refused for quota: part of it may still fit
  std::optional<StatusResponse> folder_refused;  // not for a message's sake: nothing will pass
};

/// Commands that are ready to go out.
class AppendCommands {
 public:
  AppendCommands(Session& session, const Selected& folder, const AppendTraits& traits)
      : session_(session), folder_(folder), traits_(traits) {}

  /// Adds the commands for a range of messages: one MULTIAPPEND if the server has it and no body is
  /// streamed, else an APPEND each. Sends nothing yet. `keywords` false leaves them out.
  void add(const AppendBatch& batch, Range range, bool keywords = true);
  bool empty() const { return commands_.empty(); }

  /// Writes everything, waiting for the server's go-ahead where a literal needs one; without such
  /// literals it reads nothing, so that another coroutine can.
  Task<void> transmit();
  /// Reads the answers into the batch: results, refused, no_room, folder_refused. Throws when a
  /// refusal is none of these: Error{throttled|transient...}; Error{protocol}
  /// when APPENDUID speaks of another UIDVALIDITY or number of messages.
  Task<void> collect(AppendBatch& batch);

 private:
  struct Segment {
    std::string text;
    bool waits = false;
    std::optional<Body> body;  // follows the text
    std::size_t command = 0;
  };
  struct Command {
    std::string tag;
    Range range;
  };

  void add_command(const AppendBatch& batch, Range range, bool keywords);
  Task<void> flush();
  void store(AppendBatch& batch, const Command& command, const StatusResponse& status) const;

  Session& session_;
  const Selected& folder_;
  AppendTraits traits_;
  std::deque<Segment> segments_;
  std::vector<Command> commands_;
  std::vector<std::string_view> out_;
};

/// Prepares a batch: its flags, without those the folder does not take (counted in `dropped`), and
/// the results of messages above the size limit, which are not sent.
AppendBatch prepare_batch(Batch batch, const Selected& folder, const AppendTraits& traits,
                          std::uint64_t& dropped);

/// The stretches of messages that have no result yet.
std::vector<Range> unanswered(const AppendBatch& batch);

}  // namespace postferry::imap
