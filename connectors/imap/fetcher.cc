// The pump: windows out, FETCH responses in, matched by UID to what was asked and handed over in
// the order asked for.
#include "connectors/imap/fetcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>
#include <utility>

#include "connectors/imap/compression.h"
#include "connectors/imap/fetch_plan.h"
#include "connectors/imap/scan.h"
#include "connectors/mail/date.h"
#include "connectors/mail/header_scan.h"

namespace postferry::imap {
namespace {

constexpr std::size_t kMinInFlight = 2;            // windows, whatever their size
constexpr std::size_t kMaxInFlight = 16;           // windows, while there is room for their bytes
constexpr std::uint64_t kMaxReadyBytes = 1 << 20;  // of messages that came before their turn
constexpr std::uint64_t kOwnRoom = 2 << 20;        // for what comes before its turn
constexpr std::uint64_t kNearlyThere = 256 << 10;  // what a server has long put on the line
constexpr std::size_t kChunkBytes = 128 << 10;
constexpr std::size_t kMaxStubBytes = 16 << 10;

// Closes the pipe however the source ends, so that its reader does not wait for ever.
struct PipeCloser {
  std::shared_ptr<BodyPipe> pipe;
  explicit PipeCloser(std::shared_ptr<BodyPipe> p) : pipe(std::move(p)) {}
  PipeCloser(const PipeCloser&) = delete;
  PipeCloser& operator=(const PipeCloser&) = delete;
  ~PipeCloser() { pipe->close(); }
};

// Exchange puts this text where it cannot render a message.
bool is_stub(std::string_view body) {
  return body.size() <= kMaxStubBytes &&
         body.find("Retrieval using the IMAP4 protocol failed") != std::string_view::npos;
}

bool is_whole_body(const FetchSection& section) { return section.name.empty() && !section.origin; }

class Fetcher {
 public:
  Fetcher(Party& party, std::vector<Catalogue::Entry> wanted, MessageSink& sink)
      : party_(party),
        session_(party.session()),
        wanted_(std::move(wanted)),
        sink_(sink),
        own_share_(own_room_),
        share_(sink.share() ? *sink.share() : own_share_),
        meter_(session_),
        received_(session_.received()) {}
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;
  ~Fetcher() {
    share_.unreserve(reserved_bytes_);
    share_.unkeep(early_bytes_);
  }

  Task<void> run() {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const bool repeated = !pending_.emplace(uid(i), i).second;
      settled_.push_back(repeated);
      room_.push_back(HasRoom::no);
      if (!repeated) all.push_back(i);
    }
    Scope& scope = co_await current_scope();
    now_ = std::chrono::system_clock::to_time_t(scope.executor().wall_clock());
    WindowLimits limits;
    limits.set_octets = session_.quirks.command_octets - 100;
    windows_ = plan_windows(wanted_, all, limits);
    const auto once = [this](Turn& turn) -> Task<void> {
      std::optional<Opening> opening = co_await party_.reopen(turn);
      speaking_ = &turn;
      co_await send_windows();
      co_await turn.listen();
      std::exception_ptr refused;
      try {
        co_await party_.reopened(std::move(opening));
      } catch (const Error& failure) {
        if (failure.kind() != ErrorKind::rejected) throw;
        refused = std::current_exception();
      }
      if (refused) {
        for (const InFlight& asked : in_flight_) co_await session_.finish(asked.tag);
        std::rethrow_exception(refused);
      }
      may_compress_ = true;
      co_await pump();
    };
    co_await party_.in_turn(once);
    if (leftovers_.empty()) co_return;
    const auto again = [this]() { return ask_again(); };
    co_await party_.in_folder(again);
  }

 private:
  struct InFlight {
    std::string tag;
    Window window;
    bool cannot_wait = false;  // its one body has to be in turn
  };
  enum class HasRoom : std::uint8_t { no, on_its_way, here };  // a message, until its turn
  struct Leftover {
    std::size_t index;
    std::string words;
  };

  std::uint32_t uid(std::size_t index) const { return wanted_[index].key.uid().value; }

  Task<void> pump() {
    for (;;) {
      co_await send_windows();
      if (in_flight_.empty()) break;
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

  Task<void> send_windows() {
    if (may_compress_ && !windows_.empty() && compression_due(session_)) {
      if (!in_flight_.empty()) co_return;  // its answers come first
      co_await compress(session_);
    }
    while (!windows_.empty() && in_flight_.size() < kMaxInFlight) {
      const bool reserved = reserve(windows_.front());
      if (!reserved && !may_do_without(windows_.front())) break;
      InFlight next;
      next.window = std::move(windows_.front());
      windows_.pop_front();
      Command command = session_.command("UID FETCH")
                            .raw(next.window.set)
                            .raw("(UID FLAGS INTERNALDATE BODY.PEEK[])")
                            .finish();
      next.tag = command.tag;
      bytes_in_flight_ += next.window.bytes;
      next.cannot_wait = next.window.streams() && !reserved;
      stream_awaited_ = next.cannot_wait;
      in_flight_.push_back(std::move(next));
      co_await session_.send(std::move(command));
    }
    if (windows_.empty() && speaking_) std::exchange(speaking_, nullptr)->spoken();
  }

  // Whatever is in flight may come before its turn, and is held then.
  bool reserve(const Window& window) {
    if (stream_awaited_ || !share_.reserve(weight(window))) return false;
    reserved_bytes_ += weight(window);
    for (const std::size_t index : window.members) room_[index] = HasRoom::on_its_way;
    return true;
  }

  bool may_do_without(const Window& window) const {
    if (in_flight_.empty()) return true;
    if (stream_awaited_) return false;
    // If its one body came before its turn, there would be no room to hold it: it is asked for when
    // those before it are nearly all here, and nothing is asked for behind it until it has begun.
    if (window.streams())
      return streaming_ ? in_flight_.size() == 1 : bytes_in_flight_ < kNearlyThere;
    return in_flight_.size() < kMinInFlight && ready_bytes_ <= kMaxReadyBytes &&
           window.bytes <= WindowLimits().bytes;
  }

  std::uint64_t weight(const Window& window) const {
    std::uint64_t sum = 0;
    for (const std::size_t index : window.members) sum += weight(index);
    return sum;
  }
  std::uint64_t weight(std::size_t index) const {
    return wanted_[index].size_bytes + kMessageWeight;
  }

  // It is handed over, or will not come.
  void give_room_back(std::size_t index) {
    const HasRoom had = std::exchange(room_[index], HasRoom::no);
    if (had == HasRoom::no) return;
    reserved_bytes_ -= weight(index);
    share_.unreserve(weight(index));
    if (had != HasRoom::here) return;
    early_bytes_ -= weight(index);
    share_.unkeep(weight(index));
  }

  // It comes before its turn, and is held until then.
  Task<void> keep(std::size_t index) {
    if (room_[index] != HasRoom::on_its_way) co_return;
    if (!share_.keeps(weight(index))) sink_.waiting();
    co_await share_.keep(weight(index));
    room_[index] = HasRoom::here;
    early_bytes_ += weight(index);
  }

  bool in_turn(std::size_t index) {
    while (!alone_ && next_ < wanted_.size() && settled_[next_]) ++next_;
    return alone_ || index == next_;
  }

  // The entry that a FETCH speaks of, if it was asked for and has not come yet.
  std::optional<std::size_t> wanted_index(const FetchData& fetch) const {
    std::optional<std::size_t> index;
    if (fetch.uid) {
      const auto found = pending_.find(*fetch.uid);
      if (found != pending_.end()) index = found->second;
    } else if (alone_ && in_flight_.size() == 1) {
      // A server that says the UID only behind the body: one was asked for, so it is known.
      index = in_flight_.front().window.members.front();
      if (!pending_.contains(uid(*index))) index.reset();
    }
    if (index && settled_[*index] && !alone_) index.reset();  // too late: it is asked for again
    return index;
  }

  // It has come: nothing more of this UID counts.
  void take_off(std::size_t index) {
    pending_.erase(uid(index));
    bytes_in_flight_ -= std::min(bytes_in_flight_, wanted_[index].size_bytes);
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
    if (!index) co_return;
    const bool room =
        room_[*index] != HasRoom::no && begin.size_bytes <= wanted_[*index].size_bytes;
    if (!in_turn(*index) && room) {
      co_await keep(*index);
      const auto size = static_cast<std::size_t>(begin.size_bytes);
      held_ = co_await session_.take_body(size, size);
    } else {
      co_await stream(*index, std::move(begin));
    }
  }

  Task<void> stream(std::size_t index, BodyBegin begin) {
    const auto pipe = std::make_shared<BodyPipe>(begin.size_bytes);
    const PipeCloser closer(pipe);
    std::string chunk = co_await next_chunk();
    Message message = describe(index, begin.head, chunk);
    message.body = Body(pipe);
    take_off(index);
    settled_[index] = true;
    stream_awaited_ = false;
    streaming_ = true;
    give_room_back(index);
    co_await send_windows();
    co_await sink_.message(std::move(message));
    while (!chunk.empty()) {
      const bool taken = co_await pipe->push(std::move(chunk));
      if (!taken) break;  // the reader wants no more of it: the rest is passed over
      chunk = co_await next_chunk();
    }
    streaming_ = false;
  }

  Task<std::string> next_chunk() {
    std::string chunk;
    while (chunk.size() < kChunkBytes) {
      const std::string_view bytes = co_await session_.next_body_bytes();
      if (bytes.empty()) break;
      chunk.append(bytes);
    }
    if (session_.crawls()) sink_.crawling();
    co_return chunk;
  }

  Task<void> take_response(Response response) {
    const Traffic before = std::exchange(received_, session_.received());
    meter_.moved(received_.bytes - before.bytes, received_.waited - before.waited);
    if (session_.crawls()) sink_.crawling();
    if (auto* status = std::get_if<StatusResponse>(&response)) {
      if (status->tagged()) end_window(std::move(*status));
    } else if (auto* fetch = std::get_if<FetchData>(&response)) {
      co_await take_fetch(std::move(*fetch));
    }
    co_await deliver_ready();
  }

  Task<void> take_fetch(FetchData fetch) {
    std::optional<std::string> held = std::exchange(held_, std::nullopt);
    const auto section = std::ranges::find_if(fetch.sections, is_whole_body);
    if (section == fetch.sections.end() || section->form == FetchSection::Form::kNil) co_return;
    const auto index = wanted_index(fetch);
    if (!index) co_return;
    if (section->form == FetchSection::Form::kStreamed && !held) co_return;
    std::string body = held ? std::move(*held) : std::move(section->bytes);
    if (body.empty() && wanted_[*index].size_bytes > 0) co_return;
    if (session_.quirks.stub_bodies && is_stub(body)) {
      if (alone_)
        stub_words_ =
            "the server gives only this: " + printable(body.substr(0, body.find_first_of("\r\n")));
      co_return;
    }
    if (!in_turn(*index)) co_await keep(*index);
    Message message = describe(*index, fetch, body);
    take_off(*index);
    ready_bytes_ += body.size();
    message.body = Body(std::move(body));
    ready_.emplace(*index, std::move(message));
  }

  // Dovecot begins the next FETCH when the line is full, and comes back to the first one later:
  // what is ahead of its turn waits.
  Task<void> deliver_ready() {
    for (;;) {
      const auto ready = alone_ ? ready_.begin() : ready_.find(next_);
      if (ready != ready_.end()) {
        const std::size_t index = ready->first;
        settled_[index] = true;
        Message message = std::move(ready->second);
        ready_.erase(ready);
        ready_bytes_ -= message.body.size_bytes();
        give_room_back(index);
        co_await sink_.message(std::move(message));
      } else if (!alone_ && next_ < wanted_.size() && settled_[next_]) {
        ++next_;
      } else {
        break;
      }
    }
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
      message.date.reset();
      if (told) message.date = InternalDate{told->unix_seconds, told->zone_minutes};
    }
    return message;
  }

  void end_window(StatusResponse status) {
    const auto ended =
        std::ranges::find_if(in_flight_, [&](const InFlight& f) { return f.tag == status.tag; });
    // Another user of the line has spoken behind these windows, and is answered before them.
    if (ended == in_flight_.end()) return session_.keep(std::move(status));
    if (status.status != Status::kOk) {
      const Verdict verdict = judge_read(status);
      if (verdict.kind != ErrorKind::rejected && verdict.kind != ErrorKind::protocol) {
        throw refusal(status, verdict, "FETCH", session_.where());
      }
    }
    for (const std::size_t index : ended->window.members) {
      if (!pending_.contains(uid(index))) continue;
      leftovers_.push_back({index, status.status == Status::kOk ? "" : words(status)});
      settled_[index] = true;
      give_room_back(index);
      bytes_in_flight_ -= std::min(bytes_in_flight_, wanted_[index].size_bytes);
    }
    if (ended->cannot_wait) stream_awaited_ = false;
    in_flight_.erase(ended);
    if (in_flight_.empty()) bytes_in_flight_ = 0;
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
      if (!pending_.contains(uid(asked.index))) continue;  // it came when another was asked for
      if (!std::ranges::binary_search(alive, key.uid())) {
        take_off(asked.index);
        co_await sink_.missing(key, true, "");
        continue;
      }
      const std::vector<std::size_t> one(1, asked.index);
      windows_ = plan_windows(wanted_, one, WindowLimits());
      co_await pump();
      if (leftovers_.empty()) continue;
      const std::vector<Leftover> refused = std::exchange(leftovers_, {});
      take_off(asked.index);
      co_await sink_.missing(key, false, why(asked, refused.front()));
    }
  }

  std::string why(const Leftover& first, const Leftover& alone) {
    if (const std::string stub = std::exchange(stub_words_, {}); !stub.empty()) return stub;
    if (!alone.words.empty()) return alone.words;
    if (!first.words.empty()) return first.words;
    return fmt::format("the server lists this message ({} bytes) but gives no bytes for it",
                       wanted_[alone.index].size_bytes);
  }

  Party& party_;
  Session& session_;
  std::vector<Catalogue::Entry> wanted_;
  MessageSink& sink_;
  Room own_room_{kOwnRoom};
  Share own_share_;
  Share& share_;
  LineMeter meter_;
  Traffic received_;           // so far
  bool may_compress_ = false;  // no answer is due to anybody else
  std::int64_t now_ = 0;

  Turn* speaking_ = nullptr;    // until the last of them is asked for
  std::deque<Window> windows_;  // to be asked for
  std::deque<InFlight> in_flight_;
  std::uint64_t bytes_in_flight_ = 0;  // asked for and not here yet
  bool stream_awaited_ = false;        // the last window asked for cannot wait, and has not begun
  bool streaming_ = false;

  std::unordered_map<std::uint32_t, std::size_t> pending_;  // UIDs that have not come
  std::optional<std::string> held_;                         // the body of the FETCH under way
  std::map<std::size_t, Message> ready_;                    // came before their turn
  std::uint64_t ready_bytes_ = 0;
  std::vector<HasRoom> room_;
  std::uint64_t reserved_bytes_ = 0, early_bytes_ = 0;
  std::vector<bool> settled_;  // handed over, or left over
  std::size_t next_ = 0;       // the first that is not settled
  std::vector<Leftover> leftovers_;
  std::string stub_words_;  // what came instead of the last message asked for
  bool alone_ = false;      // leftovers are asked for one by one
};

}  // namespace

Task<void> fetch_messages(Party& party, std::vector<Catalogue::Entry> wanted, MessageSink& sink) {
  Fetcher fetcher(party, std::move(wanted), sink);
  co_await fetcher.run();
}

}  // namespace postferry::imap
