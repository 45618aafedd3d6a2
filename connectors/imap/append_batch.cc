// Heads and bodies into one stream of pieces, answers into results.
#include "connectors/imap/append_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace postferry::imap {
namespace {

bool has_nul(const Body& body) {
  return body.held() && body.bytes().find('\0') != std::string_view::npos;
}

// Whether some part says `Content-Transfer-Encoding: binary`. Dovecot 2.3 and Cyrus 3.6 rewrite
// such parts in base64 when they come in a literal8, and leave all others as they are.
bool declares_binary(std::string_view bytes) {
  constexpr std::string_view kName = "content-transfer-encoding:";
  constexpr std::string_view kValue = "binary";
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  for (;;) {
    const auto found = std::ranges::search(bytes, kName, same);
    if (found.empty()) return false;
    bytes.remove_prefix(static_cast<std::size_t>(found.end() - bytes.begin()));
    const std::size_t value = bytes.find_first_not_of(" \t\r\n");
    if (value == std::string_view::npos) return false;
    const std::string_view word = bytes.substr(value, kValue.size());
    if (std::ranges::equal(word, kValue, same)) return true;
  }
}

AppendMessage describe(const Message& message, const std::vector<std::string>& flags,
                       const AppendTraits& traits, bool keywords) {
  AppendMessage described;
  for (const std::string& flag : flags) {
    if (keywords || flag.starts_with('\\')) described.flags.push_back(flag);
  }
  if (message.date) described.date = DateTime{message.date->seconds, message.date->zone_minutes};
  described.size = message.body.size_bytes();
  described.binary =
      traits.binary && has_nul(message.body) && !declares_binary(message.body.bytes());
  return described;
}

}  // namespace

AppendBatch prepare_batch(Batch batch, const Selected& folder, const AppendTraits& traits,
                          std::uint64_t& dropped) {
  AppendBatch prepared(std::move(batch));
  for (std::size_t i = 0; i < prepared.batch.messages.size(); ++i) {
    const Message& message = prepared.batch.messages[i];
    Flags flags = folder.storable(message.flags, dropped);
    if (traits.plain) dropped += std::exchange(flags.keywords, {}).size();
    CheckedFlags checked = check_flags(flags.names());
    dropped += checked.refused.size();
    prepared.flags.push_back(std::move(checked.sendable));
    if (traits.nul_ends_session && has_nul(message.body)) {
      prepared.results[i] = Rejected{"the message holds a NUL byte, which this server never takes"};
    }
    if (!traits.limit_bytes || message.body.size_bytes() <= *traits.limit_bytes) continue;
    prepared.results[i] =
        Rejected{fmt::format("{} bytes are more than the server's APPENDLIMIT of {}",
                             message.body.size_bytes(), *traits.limit_bytes)};
    if (message.body.streamed()) message.body.pipe().close();
  }
  return prepared;
}

std::vector<Range> unanswered(const AppendBatch& batch) {
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < batch.results.size(); ++i) {
    if (batch.results[i]) continue;
    if (ranges.empty() || ranges.back().first + ranges.back().count != i) ranges.push_back({i, 0});
    ++ranges.back().count;
  }
  return ranges;
}

void AppendCommands::add(const AppendBatch& batch, Range range, bool keywords) {
  const auto held = [&](std::size_t i) { return batch.batch.messages[i].body.held(); };
  bool together = traits_.multiappend;
  for (std::size_t i = 0; together && i < range.count; ++i) together = held(range.first + i);
  if (together) {
    add_command(batch, range, keywords);
  } else {
    for (std::size_t i = 0; i < range.count; ++i) {
      add_command(batch, {range.first + i, 1}, keywords);
    }
  }
}

void AppendCommands::add_command(const AppendBatch& batch, Range range, bool keywords) {
  Command command{session_.new_tag(), range};
  session_.expect(command.tag);
  for (std::size_t i = 0; i < range.count; ++i) {
    const std::size_t index = range.first + i;
    const Message& message = batch.batch.messages[index];
    const AppendMessage described = describe(message, batch.flags[index], traits_, keywords);
    AppendHead head = i == 0 ? append_head(command.tag, folder_.wire, described, traits_.literals)
                             : append_next_head(described, traits_.literals);
    for (Piece& piece : head.pieces) {
      Segment segment;
      segment.text = std::move(piece.bytes);
      segment.waits = piece.waits;
      segment.command = commands_.size();
      segments_.push_back(std::move(segment));
    }
    segments_.back().body = message.body;
  }
  Segment end;
  end.text = kAppendEnd;
  end.command = commands_.size();
  segments_.push_back(std::move(end));
  commands_.push_back(std::move(command));
}

Task<void> AppendCommands::flush() {
  if (out_.empty()) co_return;
  co_await session_.write(std::exchange(out_, {}));
}

Task<void> AppendCommands::transmit() {
  std::optional<std::size_t> ended;  // a command that was answered before all of it was sent
  for (Segment& segment : segments_) {
    if (ended == segment.command) {
      if (segment.body && segment.body->streamed()) segment.body->pipe().close();
      continue;
    }
    out_.push_back(segment.text);
    if (segment.waits) {
      co_await flush();
      const auto go_ahead = co_await session_.continuation(commands_[segment.command].tag);
      if (!go_ahead) {
        ended = segment.command;
        if (segment.body && segment.body->streamed()) segment.body->pipe().close();
        continue;
      }
    }
    if (!segment.body) continue;
    if (segment.body->held()) {
      out_.push_back(segment.body->bytes());
      continue;
    }
    co_await flush();
    co_await segment.body->write_to([this](std::string_view bytes) -> Task<void> {
      std::vector<std::string_view> pieces(1, bytes);
      return session_.write(std::move(pieces));
    });
  }
  co_await flush();
}

Task<void> AppendCommands::collect(AppendBatch& batch) {
  for (const Command& command : commands_) {
    const StatusResponse status = co_await session_.finish(command.tag);
    if (status.status == Status::kOk) {
      store(batch, command, status);
    } else if (blames_message(status)) {
      batch.refused.push_back({command.range, status});
    } else if (judge(status).kind == ErrorKind::quota) {
      batch.no_room.push_back({command.range, status});
    } else if (judge(status).kind == ErrorKind::rejected) {
      batch.folder_refused = status;
    } else {
      throw session_.refused(status, "APPEND");
    }
  }
}

void AppendCommands::store(AppendBatch& batch, const Command& command,
                           const StatusResponse& status) const {
  std::vector<Uid> uids(command.range.count);
  const auto told = traits_.uidplus && status.has(Code::kAppendUid) ? code_append_uid(*status.code)
                                                                    : std::nullopt;
  if (told) {
    const auto validity = folder_.numbers.uid_validity;
    if (validity && told->uid_validity != *validity) {
      throw session_.error(
          ErrorKind::protocol,
          fmt::format("APPEND went into another folder: its UIDVALIDITY is {}, not {}",
                      told->uid_validity, *validity));
    }
    if (told->uids.count() != uids.size()) {
      throw session_.error(ErrorKind::protocol,
                           fmt::format("APPEND of {} messages was answered with {} UIDs",
                                       uids.size(), told->uids.count()));
    }
    std::size_t i = 0;
    for (const std::uint32_t uid : told->uids) uids[i++] = Uid{uid};
  }
  for (std::size_t i = 0; i < uids.size(); ++i) {
    batch.results[command.range.first + i] = Stored{uids[i]};
  }
}

}  // namespace postferry::imap
