// The window planner, and the pump that matches FETCH responses to what was asked.
#include "connectors/imap/fetcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

#include "connectors/imap/scan.h"
#include "connectors/mail/date.h"
#include "connectors/mail/header_scan.h"

namespace postferry::imap {
namespace {

constexpr std::uint64_t kWindowBytes = 2 << 20;
constexpr std::size_t kWindowMessages = 200;
constexpr std::size_t kMinInFlight = 2;  // windows, whatever their size
constexpr std::size_t kMaxInFlight = 8;  // windows, while their bytes fit in one
constexpr std::size_t kChunkBytes = 128 << 10;
constexpr std::size_t kMaxStubBytes = 16 << 10;
constexpr std::string_view kItems = " (UID FLAGS INTERNALDATE BODY.PEEK[])";

struct Window {
  std::string set;
  std::vector<std::size_t> members;  // indexes into the wanted entries
  std::uint64_t bytes = 0;
};

// Windows of ascending UIDs: a descent in the order asked for begins a new one.
std::deque<Window> plan(const std::vector<Catalogue::Entry>& wanted,
                        const std::vector<std::size_t>& members, std::size_t window_messages,
                        std::size_t max_octets) {
  std::deque<Window> windows;
  SequenceSet set;
  std::uint32_t last = 0;
  for (const std::size_t index : members) {
    const std::uint32_t uid = wanted[index].key.uid().value;
    const std::uint64_t size = wanted[index].size_bytes;
    const bool room =
        !windows.empty() && uid > last && windows.back().members.size() < window_messages &&
        windows.back().bytes + size <= kWindowBytes && (set.ranges().size() + 1) * 22 < max_octets;
    if (!room) {
      if (!windows.empty()) windows.back().set = set.to_string();
      set = SequenceSet();
      windows.emplace_back();
    }
    set.add(uid);
    windows.back().members.push_back(index);
    windows.back().bytes += size;
    last = uid;
  }
  if (!windows.empty()) windows.back().set = set.to_string();
  return windows;
}

// Closes the pipe however the source ends, so that its reader does not wait for ever.
struct PipeCloser {
  std::shared_ptr<BodyPipe> pipe;
  explicit PipeCloser(std::shared_ptr<BodyPipe> p) : pipe(std::move(p)) {}
  PipeCloser(const PipeCloser&) = delete;
  PipeCloser& operator=(const PipeCloser&) = delete;
  ~PipeCloser() { pipe->close(); }
};

class Fetcher {
 public:
  Fetcher(Session& session, std::vector<Catalogue::Entry> wanted, MessageSink& sink)
      : session_(session), wanted_(std::move(wanted)), sink_(sink) {}

  Task<void> run() {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      if (pending_.emplace(wanted_[i].key.uid().value, i).second) all.push_back(i);
    }
    Scope& scope = co_await current_scope();
    now_ = std::chrono::system_clock::to_time_t(scope.executor().wall_clock());
    co_await pump(plan(wanted_, all, kWindowMessages, session_.quirks.command_octets - 100));
    if (!leftovers_.empty()) co_await ask_again();
  }

 private:
  struct InFlight {
    std::string tag;
    Window window;
  };

  Task<void> pump(std::deque<Window> windows) {
    while (!windows.empty() || !in_flight_.empty()) {
      while (!windows.empty() && may_send(windows.front())) {
        InFlight next;
        next.window = std::move(windows.front());
        windows.pop_front();
        bytes_in_flight_ += next.window.bytes;
        Command command =
            session_.command("UID FETCH").raw(next.window.set).raw(kItems.substr(1)).finish();
        next.tag = command.tag;
        in_flight_.push_back(std::move(next));
        co_await session_.send(std::move(command));
      }
      std::optional<Item> item = session_.poll();
      if (!item) {
        co_await session_.fill();
      } else if (auto* begin = std::get_if<BodyBegin>(&*item)) {
        co_await take_body(std::move(*begin));
      } else {
        co_await take_response(std::get<Response>(std::move(*item)));
      }
    }
  }

  bool may_send(const Window& window) const {
    return in_flight_.size() < kMinInFlight ||
           (in_flight_.size() < kMaxInFlight && bytes_in_flight_ + window.bytes <= kWindowBytes);
  }

  static bool is_whole_body(const FetchSection& section) {
    return section.name.empty() && !section.origin;
  }

  // The entry that a FETCH speaks of, if it was asked for and has not come yet.
  std::optional<std::size_t> wanted_index(const FetchData& fetch) const {
    if (fetch.uid) {
      const auto found = pending_.find(*fetch.uid);
      if (found != pending_.end()) return found->second;
    } else if (alone_ && in_flight_.size() == 1) {
      // A server that says the UID only behind the body: one was asked for, so it is known.
      const std::size_t index = in_flight_.front().window.members.front();
      if (pending_.contains(wanted_[index].key.uid().value)) return index;
    }
    return std::nullopt;
  }

  Task<void> take_body(BodyBegin begin) {
    held_.reset();
    if (begin.head.sections.empty() || !is_whole_body(begin.head.sections.back())) co_return;
    if (begin.size_bytes <= kHoldLimit) {
      held_ = co_await session_.take_body(begin.size_bytes, kHoldLimit);
      co_return;
    }
    const auto index = wanted_index(begin.head);
    // Not known whose it is: passed over now, and asked for alone later.
    if (index) co_await stream(*index, std::move(begin));
  }

  Task<void> stream(std::size_t index, BodyBegin begin) {
    const auto pipe = std::make_shared<BodyPipe>(begin.size_bytes);
    const PipeCloser closer(pipe);
    std::string chunk = co_await next_chunk();
    Message message = describe(index, begin.head, chunk);
    message.body = Body(pipe);
    pending_.erase(wanted_[index].key.uid().value);
    co_await sink_.message(std::move(message));
    while (!chunk.empty()) {
      const bool taken = co_await pipe->push(std::move(chunk));
      if (!taken) break;  // the reader wants no more of it: the rest is passed over
      chunk = co_await next_chunk();
    }
  }

  Task<std::string> next_chunk() {
    std::string chunk;
    while (chunk.size() < kChunkBytes) {
      const std::string_view bytes = co_await session_.next_body_bytes();
      if (bytes.empty()) break;
      chunk.append(bytes);
    }
    co_return chunk;
  }

  Task<void> take_response(Response response) {
    if (auto* status = std::get_if<StatusResponse>(&response)) {
      if (status->tagged()) end_window(*status);
      co_return;
    }
    auto* fetch = std::get_if<FetchData>(&response);
    if (!fetch) co_return;
    std::optional<std::string> held = std::exchange(held_, std::nullopt);
    const auto section = std::ranges::find_if(fetch->sections, is_whole_body);
    if (section == fetch->sections.end()) co_return;
    const auto index = wanted_index(*fetch);
    if (!index) co_return;
    std::string body;
    switch (section->form) {
      case FetchSection::Form::kNil:
        co_return;
      case FetchSection::Form::kStreamed:
        if (!held) co_return;
        body = std::move(*held);
        break;
      default:
        body = std::move(section->bytes);
    }
    if (body.empty() && wanted_[*index].size_bytes > 0) co_return;
    if (session_.quirks.stub_bodies && is_stub(body)) co_return;
    Message message = describe(*index, *fetch, body);
    message.body = Body(std::move(body));
    pending_.erase(wanted_[*index].key.uid().value);
    co_await sink_.message(std::move(message));
  }

  // Exchange puts this text where it cannot render a message.
  static bool is_stub(std::string_view body) {
    return body.size() <= kMaxStubBytes &&
           body.find("Retrieval using the IMAP4 protocol failed") != std::string_view::npos;
  }

  Message describe(std::size_t index, const FetchData& fetch, std::string_view start) const {
    const Catalogue::Entry& entry = wanted_[index];
    Message message;
    message.key = entry.key;
    if (fetch.flags) {
      message.flags = flags_of(*fetch.flags);
    } else if (entry.flags) {
      message.flags = *entry.flags;
    }
    message.date = fetch.internal_date ? date_of(fetch.internal_date) : entry.date;
    if (!message.date || !mail::plausible({message.date->seconds, 0}, now_)) {
      const auto told = mail::arrival_date(mail::scan_header(start), now_);
      if (told) message.date = InternalDate{told->unix_seconds, told->zone_minutes};
    }
    return message;
  }

  void end_window(const StatusResponse& status) {
    const auto ended =
        std::ranges::find_if(in_flight_, [&](const InFlight& f) { return f.tag == status.tag; });
    if (ended == in_flight_.end()) return;
    if (status.status != Status::kOk) {
      const ErrorKind kind = judge(status).kind;
      if (kind != ErrorKind::rejected && kind != ErrorKind::protocol) {
        throw session_.refused(status, "FETCH");
      }
    }
    for (const std::size_t index : ended->window.members) {
      if (!pending_.contains(wanted_[index].key.uid().value)) continue;
      leftovers_.push_back({index, status.status == Status::kOk ? "" : words(status)});
    }
    bytes_in_flight_ -= ended->window.bytes;
    in_flight_.erase(ended);
  }

  Task<void> ask_again() {
    std::vector<Uid> uids;
    for (const Leftover& left : leftovers_) uids.push_back(wanted_[left.index].key.uid());
    const std::vector<Uid> alive = co_await still_there(session_, uids);
    std::vector<Leftover> left = std::exchange(leftovers_, {});
    std::ranges::sort(left, {}, &Leftover::index);
    alone_ = true;
    for (const Leftover& asked : left) {
      const MessageKey key = wanted_[asked.index].key;
      if (!std::ranges::binary_search(alive, key.uid())) {
        co_await sink_.missing(key, true, "");
        continue;
      }
      const std::vector<std::size_t> one(1, asked.index);
      co_await pump(plan(wanted_, one, 1, session_.quirks.command_octets));
      if (leftovers_.empty()) continue;
      const std::vector<Leftover> refused = std::exchange(leftovers_, {});
      co_await sink_.missing(key, false, why(asked, refused.front()));
    }
  }

  struct Leftover {
    std::size_t index;
    std::string words;
  };

  std::string why(const Leftover& first, const Leftover& alone) const {
    if (!alone.words.empty()) return alone.words;
    if (!first.words.empty()) return first.words;
    return fmt::format("the server lists this message ({} bytes) but gives no bytes for it",
                       wanted_[alone.index].size_bytes);
  }

  Session& session_;
  std::vector<Catalogue::Entry> wanted_;
  MessageSink& sink_;
  std::unordered_map<std::uint32_t, std::size_t> pending_;
  std::deque<InFlight> in_flight_;
  std::uint64_t bytes_in_flight_ = 0;
  std::optional<std::string> held_;  // the body of the FETCH under way
  std::vector<Leftover> leftovers_;
  std::int64_t now_ = 0;
  bool alone_ = false;
};

}  // namespace

Task<void> fetch_messages(Session& session, std::vector<Catalogue::Entry> wanted,
                          MessageSink& sink) {
  Fetcher fetcher(session, std::move(wanted), sink);
  co_await fetcher.run();
}

}  // namespace postferry::imap
