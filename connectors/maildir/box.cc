#include "connectors/maildir/box.h"

#include <functional>
#include <optional>

#include "connectors/header_fields.h"
#include "connectors/maildir/message_file.h"
#include "engine/async/scope.h"
#include "engine/error.h"

namespace postferry::maildir {
namespace {

constexpr std::size_t kGroupMessages = 64;
constexpr std::size_t kPiece = 128 << 10;
constexpr std::size_t kUsualHeader = 16 << 10;

/// The file of a UID; nothing when it is gone. A file that was renamed since the folder was read is
/// looked for once more.
std::optional<MessageFile> open_message(Folder& folder, Uid uid, Moment now) {
  for (const bool again : {false, true}) {
    if (again && !folder.refresh(now)) break;
    const std::optional<std::size_t> index = folder.find(uid);
    if (!index) continue;
    if (auto file = MessageFile::open(folder.path(*index), parse_file_name(folder.name(*index)))) {
      return file;
    }
  }
  return std::nullopt;
}

std::optional<HeaderFields> read_fields(Folder& folder, Uid uid, Moment now) {
  std::optional<MessageFile> file = open_message(folder, uid, now);
  if (!file) return std::nullopt;
  std::string bytes = file->next(kUsualHeader);
  mail::HeaderScan scan = mail::scan_header(bytes);
  while (!scan.complete && bytes.size() < mail::kMaxHeaderBytes) {
    const std::string more = file->next(bytes.size());
    if (more.empty()) break;
    bytes += more;
    scan = mail::scan_header(bytes);
  }
  return header_fields(scan);
}

}  // namespace

struct Box::Loaded {
  Uid uid;
  Flags flags;
  InternalDate date;
  std::string bytes;                 // of one that is held
  std::optional<MessageFile> large;  // else
  std::uint64_t large_bytes = 0;
  bool gone = false;
  std::optional<std::string> unreadable;  // why
};

Layout layout_of(const Endpoint& end) {
  return end.layout == "fs" ? Layout::fs : Layout::maildirpp;
}

Task<Moment> moment() {
  const auto now = (co_await current_scope()).executor().wall_clock().time_since_epoch();
  co_return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

Task<void> Box::patiently(std::function<bool()> job) {
  constexpr std::chrono::milliseconds kGlance{50};
  constexpr std::chrono::seconds kMost{60};
  for (std::chrono::milliseconds waited{}; waited < kMost; waited += kGlance) {
    const bool done = co_await run(job);
    if (done) co_return;
    co_await sleep_for(kGlance);
  }
  throw Error(ErrorKind::transient, "another program holds the folder's lock, and does not end",
              folder_ ? printable(folder_->directory()) : std::string());
}

Task<std::vector<FolderInfo>> Box::list() {
  const Moment now = co_await moment();
  co_return co_await run([this, now] { return root_->list(now); });
}

Task<FolderNumbers> Box::select(FolderName name) {
  folder_.reset();
  const std::optional<std::string> directory =
      co_await run([this, &name] { return root_->find(name); });
  if (!directory) {
    throw Error(ErrorKind::rejected, "there is no such folder", "folder " + name.to_string());
  }
  folder_ = std::make_unique<Folder>(*directory, access_);
  co_await refresh();
  co_return folder_->numbers();
}

Task<void> Box::refresh() {
  const Moment now = co_await moment();
  co_await patiently([this, now] { return folder_->refresh(now); });
}

Task<std::vector<HeaderEntry>> Box::headers(std::vector<Uid> uids) {
  const Moment now = co_await moment();
  co_return co_await run([this, now, uids = std::move(uids)] {
    std::vector<HeaderEntry> out;
    for (const Uid uid : uids) {
      if (auto fields = read_fields(*folder_, uid, now)) {
        out.push_back({MessageKey(uid), std::move(*fields)});
      }
    }
    return out;
  });
}

/// Some messages at once, so that small ones cost no hop to a thread each.
std::vector<Box::Loaded> Box::load(const std::vector<Uid>& uids, std::size_t from, Moment now) {
  std::vector<Loaded> out;
  std::uint64_t bytes = 0;
  for (std::size_t i = from; i < uids.size() && out.size() < kGroupMessages && bytes < kHoldLimit;
       ++i) {
    Loaded& one = out.emplace_back();
    one.uid = uids[i];
    try {
      std::optional<MessageFile> file = open_message(*folder_, one.uid, now);
      one.gone = !file;
      if (!file) continue;
      one.flags = folder_->flags(*folder_->find(one.uid));
      one.date = file->date();
      const std::uint64_t size = file->size_bytes();
      if (size > kHoldLimit) {
        one.large_bytes = size;
        one.large = std::move(file);
        break;
      }
      for (std::string piece = file->next(kPiece); !piece.empty(); piece = file->next(kPiece)) {
        if (one.bytes.empty()) one.bytes.reserve(size);
        one.bytes += piece;
      }
      bytes += one.bytes.size();
    } catch (const Error& error) {
      one.unreadable = error.what();
    }
  }
  return out;
}

Task<void> Box::hand_over(Loaded& loaded, MessageSink& sink) {
  const MessageKey key(loaded.uid);
  if (loaded.gone || loaded.unreadable) {
    co_await sink.missing(key, loaded.gone, loaded.unreadable.value_or(""));
    co_return;
  }
  Message message{key, std::move(loaded.flags), loaded.date, {}};
  if (!loaded.large) {
    message.body = Body(std::move(loaded.bytes));
    co_await sink.message(std::move(message));
    co_return;
  }
  const auto pipe = std::make_shared<BodyPipe>(loaded.large_bytes);
  message.body = Body(pipe);
  // However this ends, the reader must not wait for more.
  const struct Closer {
    BodyPipe& pipe;
    ~Closer() { pipe.close(); }
  } closer{*pipe};
  co_await sink.message(std::move(message));
  MessageFile& file = *loaded.large;
  std::uint64_t sent = 0;
  while (true) {
    std::string piece = co_await run([&file] { return file.next(kPiece); });
    if (piece.empty()) break;
    sent += piece.size();
    if (sent > loaded.large_bytes) break;
    const bool wanted = co_await pipe->push(std::move(piece));
    if (!wanted) co_return;
  }
  if (sent != loaded.large_bytes) {
    throw Error(ErrorKind::transient, "the file changed while it was read",
                printable(folder_->directory()));
  }
}

Task<void> Box::fetch(std::vector<Uid> uids, MessageSink& sink) {
  const Moment now = co_await moment();
  std::vector<Loaded> unreadable;  // come last
  for (std::size_t at = 0; at < uids.size();) {
    std::vector<Loaded> group =
        co_await run([this, &uids, at, now] { return load(uids, at, now); });
    at += group.size();
    for (Loaded& loaded : group) {
      if (loaded.unreadable) {
        unreadable.push_back(std::move(loaded));
      } else {
        co_await hand_over(loaded, sink);
      }
    }
  }
  for (Loaded& loaded : unreadable) co_await hand_over(loaded, sink);
}

}  // namespace postferry::maildir
