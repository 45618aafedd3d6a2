// The writer, the reader, and the repair of refused batches between them.
#include "connectors/imap/appender.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "connectors/imap/compression.h"
#include "engine/async/event.h"
#include "engine/async/scope.h"
#include "engine/async/task_group.h"

namespace postferry::imap {
namespace {

constexpr std::uint64_t kMaxUnansweredBytes = 8 << 20;
constexpr std::size_t kMaxUnansweredBatches = 32;

class Appender {
 public:
  Appender(Party& party, AppendTraits traits, AppendFeed& feed, std::uint64_t& dropped)
      : party_(party),
        session_(party.session()),
        folder_(party.folder()),
        traits_(traits),
        feed_(feed),
        dropped_(dropped),
        meter_(session_) {}

  Task<void> run() {
    if (traits_.literals == LiteralMode::kLiteralPlus) {
      co_await with_group([this](TaskGroup& group) -> Task<void> {
        group.spawn(write_batches());
        group.spawn(read_answers());
        co_await group.join();
      });
    } else {
      co_await lockstep();
    }
    throw_if_over();
  }

 private:
  bool over() const { return full_ || folder_refused_ || not_mended_; }

  void throw_if_over() {
    if (not_mended_) throw *not_mended_;
    party_.speak_of_folder();
    if (folder_refused_) throw session_.refused(*folder_refused_, "APPEND");
    if (full_) throw session_.refused(*full_, "APPEND");
  }

  /// A batch under way, in a turn of its own: the folder need not be open for it.
  struct Under {
    Under(AppendBatch prepared, std::unique_ptr<Turn> its_turn, Party& party,
          const AppendTraits& traits)
        : batch(std::move(prepared)),
          commands(party.session(), party.folder(), traits),
          turn(std::move(its_turn)) {
      for (const Range range : unanswered(batch)) commands.add(batch, range);
    }
    AppendBatch batch;
    AppendCommands commands;
    std::unique_ptr<Turn> turn;
    bool written = false;
  };

  /// When it is the turn to speak.
  std::unique_ptr<Under> take_up(Batch batch, std::unique_ptr<Turn> turn) {
    return std::make_unique<Under>(prepare_batch(std::move(batch), folder_, traits_, dropped_),
                                   std::move(turn), party_, traits_);
  }

  Task<void> turn_to_compression() {
    // Another user of the line may have come to it first.
    const auto alone = [this]() -> Task<void> {
      if (compression_due(session_)) co_await compress(session_);
    };
    awaiting_turn_ = true;
    co_await party_.alone_on_line(alone);
    awaiting_turn_ = false;
    wrote_.set();
  }

  // One batch after the other: the literals wait for the server anyway.
  Task<void> lockstep() {
    while (!over()) {
      std::optional<Batch> batch = co_await feed_.next();
      if (!batch) break;
      if (compression_due(session_)) co_await turn_to_compression();
      auto turn = std::make_unique<Turn>(*party_.line());
      co_await turn->speak();
      co_await turn->listen();
      party_.speak_of_folder();
      const std::unique_ptr<Under> under = take_up(std::move(*batch), std::move(turn));
      co_await under->commands.transmit();
      under->turn->spoken();
      co_await under->commands.collect(under->batch);
      under->turn->over();
      if (needs_repair(under->batch)) {
        const auto repaired = [&]() { return repair(under->batch); };
        co_await mend(repaired);
      }
      co_await hand_over(under->batch);
    }
  }

  Task<void> write_batches() {
    for (;;) {
      while (unanswered_bytes_ >= kMaxUnansweredBytes ||
             under_way_.size() >= kMaxUnansweredBatches) {
        room_.reset();
        co_await room_.wait();
      }
      if (over()) break;
      waiting_ = co_await feed_.next();
      if (!waiting_) break;
      const bool turning = compression_due(session_);
      while (turning && !under_way_.empty()) {
        room_.reset();
        co_await room_.wait();
      }
      if (over()) break;
      if (turning) co_await turn_to_compression();
      std::unique_ptr<Turn> turn = co_await turn_to_speak();
      if (!turn) break;
      unanswered_bytes_ += waiting_->bytes;
      under_way_.push_back(take_up(*std::exchange(waiting_, std::nullopt), std::move(turn)));
      arrived_.set();
      // The reader may be done with it, and it be gone, before the last write has returned.
      const std::shared_ptr<Under> under = under_way_.back();
      co_await under->commands.transmit();
      under->turn->spoken();
      under->written = true;
      wrote_.set();
    }
    ended_ = true;
    arrived_.set();
  }

  /// What was refused goes again before anything new. Null: nothing more is to be said.
  Task<std::unique_ptr<Turn>> turn_to_speak() {
    for (;;) {
      while (repairing_) {
        repaired_.reset();
        co_await repaired_.wait();
      }
      auto turn = std::make_unique<Turn>(*party_.line());
      awaiting_turn_ = true;
      co_await turn->speak();
      const bool speaks = !over() && !repairing_;
      if (!speaks) {
        turn->spoken();
        co_await turn->listen();
        turn->over();
      }
      awaiting_turn_ = false;
      wrote_.set();
      if (speaks) co_return turn;
      if (over()) co_return nullptr;
    }
  }

  Task<void> read_answers() {
    Executor& executor = (co_await current_scope()).executor();
    std::optional<TimePoint> busy_since;  // with what has not been answered yet
    for (;;) {
      while (answered_ == under_way_.size()) {
        if (ended_) co_return;
        arrived_.reset();
        co_await arrived_.wait();
      }
      AppendBatch& batch = under_way_[answered_]->batch;
      co_await hear(*under_way_[answered_]);
      ++answered_;
      const TimePoint now = executor.now();
      if (busy_since) meter_.moved(batch.batch.bytes, now - *busy_since);
      busy_since = answered_ < under_way_.size() ? std::optional(now) : std::nullopt;
      if (needs_repair(batch)) repairing_ = true;
      if (repairing_) {
        if (answered_ < under_way_.size()) continue;
        const auto repaired = [this]() { return repair_all(); };
        co_await mend(repaired);
      }
      while (answered_ > 0) {
        AppendBatch& front = under_way_.front()->batch;
        const std::uint64_t bytes = front.batch.bytes;
        co_await hand_over(front);
        unanswered_bytes_ -= bytes;
        under_way_.pop_front();
        --answered_;
        room_.set();
      }
      if (!over()) continue;
      if (waiting_) co_await hand_back(*std::exchange(waiting_, std::nullopt));
      // A turn that is given up before it is over would cost the line.
      while (awaiting_turn_) {
        wrote_.reset();
        co_await wrote_.wait();
      }
      // Ends the writer too, which may wait for a batch that will not come any more.
      throw_if_over();
    }
  }

  Task<void> hear(Under& under) {
    co_await under.turn->listen();
    party_.speak_of_folder();
    co_await under.commands.collect(under.batch);
    // A server may refuse before it has heard all of it.
    while (!under.written) {
      wrote_.reset();
      co_await wrote_.wait();
    }
    under.turn->over();
  }

  /// Where the folder is refused as it is opened again, what has been stored is told all the same.
  template <class F>
  Task<void> mend(F& repairs) {
    try {
      co_await party_.in_folder(repairs);
    } catch (const Error& failure) {
      if (failure.kind() != ErrorKind::rejected) throw;
      not_mended_ = failure;
    }
  }

  // Everything sent is answered.
  Task<void> repair_all() {
    for (std::size_t i = 0; i < answered_ && !folder_refused_; ++i)
      co_await repair(under_way_[i]->batch);
    if (over()) co_return;  // the writer has nothing more to say
    repairing_ = false;
    repaired_.set();
  }

  bool needs_repair(const AppendBatch& batch) const {
    return !batch.refused.empty() || !batch.no_room.empty() || batch.folder_refused ||
           !lost_flagged(batch).empty();
  }

  Task<void> repair(AppendBatch& batch) {
    co_await bisect_all(batch);
    co_await fill_up(batch);
    if (batch.folder_refused) {
      folder_refused_ = std::move(batch.folder_refused);
      co_return;
    }
    co_await store_flagged(batch);
  }

  Task<void> bisect_all(AppendBatch& batch) {
    std::vector<Refusal> refused = std::exchange(batch.refused, {});
    for (Refusal& refusal : refused) {
      if (batch.folder_refused) co_return;
      const Range range = refusal.range;
      if (range.count == 1) {
        co_await repair_one(batch, std::move(refusal));
        continue;
      }
      const std::size_t half = range.count / 2;
      co_await again(batch, {range.first, half}, traits_, true);
      co_await bisect_all(batch);
      co_await again(batch, {range.first + half, range.count - half}, traits_, true);
      co_await bisect_all(batch);
    }
  }

  // What still fits of a batch that had no room as a whole, until one message alone has none.
  Task<void> fill_up(AppendBatch& batch) {
    const std::vector<Refusal> refused = std::exchange(batch.no_room, {});
    for (const Refusal& refusal : refused) {
      const Range range = refusal.range;
      if (range.count == 1 && !batch.results[range.first]) full_ = refusal.status;
      const std::size_t half = range.count / 2;
      for (const Range part :
           {Range{range.first, half}, Range{range.first + half, range.count - half}}) {
        if (full_ || batch.folder_refused) co_return;
        if (range.count == 1) break;
        co_await again(batch, part, traits_, true);
        co_await bisect_all(batch);
        co_await fill_up(batch);
      }
    }
  }

  // What is refused anew is in batch.refused, or in batch.no_room.
  Task<void> again(AppendBatch& batch, Range range, AppendTraits traits, bool keywords) {
    if (batch.folder_refused) co_return;
    AppendCommands commands(session_, folder_, traits);
    commands.add(batch, range, keywords);
    co_await commands.transmit();
    co_await commands.collect(batch);
  }

  Task<void> repair_one(AppendBatch& batch, Refusal refusal) {
    const std::size_t index = refusal.range.first;
    const bool replayable = batch.batch.messages[index].body.replayable();
    // Exchange Online may answer BAD to a large literal that does not wait.
    const bool wait =
        refusal.status.status == Status::kBad && traits_.literals != LiteralMode::kSynchronising;
    const auto keywords = std::ranges::count_if(
        batch.flags[index], [](const std::string& flag) { return !flag.starts_with('\\'); });
    if (replayable) {
      if (wait) {
        AppendTraits traits = traits_;
        traits.literals = LiteralMode::kSynchronising;
        co_await again(batch, refusal.range, traits, true);
      }
      if (!batch.results[index] && keywords > 0) {
        co_await again(batch, refusal.range, traits_, false);
        if (batch.results[index]) dropped_ += static_cast<std::uint64_t>(keywords);
      }
    }
    // Where there is no room for it, or for nothing of the folder, that is not its own fault.
    const bool no_room = std::ranges::any_of(batch.no_room, [index](const Refusal& full) {
      return full.range.first == index && full.range.count == 1;
    });
    if (!batch.results[index] && !no_room && !batch.folder_refused)
      batch.results[index] = Rejected{words(refusal.status), !replayable && (wait || keywords > 0)};
    batch.refused.clear();
  }

  std::vector<std::uint32_t> lost_flagged(const AppendBatch& batch) const {
    std::vector<std::uint32_t> uids;
    if (!session_.quirks.append_loses_flagged) return uids;
    for (std::size_t i = 0; i < batch.results.size(); ++i) {
      const auto* stored = batch.results[i] ? std::get_if<Stored>(&*batch.results[i]) : nullptr;
      if (stored && stored->uid && (batch.batch.messages[i].flags.system & Flags::flagged)) {
        uids.push_back(stored->uid.value);
      }
    }
    std::ranges::sort(uids);
    const auto repeats = std::ranges::unique(uids);
    uids.erase(repeats.begin(), repeats.end());
    return uids;
  }

  Task<void> store_flagged(const AppendBatch& batch) {
    for (const std::string& set :
         split_set(lost_flagged(batch), session_.quirks.command_octets - 100)) {
      std::string tag = co_await session_.send(
          session_.command("UID STORE").raw(set).raw("+FLAGS.SILENT (\\Flagged)").finish());
      co_await session_.succeed(tag, "STORE");
    }
  }

  // Nothing of it has been sent, nor will be.
  Task<void> hand_back(Batch batch) {
    batch.messages.clear();
    batch.bytes = 0;
    co_await feed_.done(std::move(batch), {});
  }

  // When it is over, what has been stored is told; the rest was refused, or never sent.
  Task<void> hand_over(AppendBatch& batch) {
    std::vector<AppendResult> results;
    results.reserve(batch.results.size());
    Batch answered;
    answered.id = batch.batch.id;
    for (std::size_t i = 0; i < batch.results.size(); ++i) {
      if (over() && !batch.results[i]) continue;
      results.push_back(std::move(batch.results[i].value()));
      answered.bytes += batch.batch.messages[i].body.size_bytes();
      answered.messages.push_back(std::move(batch.batch.messages[i]));
    }
    co_await feed_.done(std::move(answered), std::move(results));
  }

  Party& party_;
  Session& session_;
  const Selected& folder_;
  const AppendTraits traits_;
  AppendFeed& feed_;
  std::uint64_t& dropped_;
  LineMeter meter_;

  std::deque<std::shared_ptr<Under>> under_way_;
  std::size_t answered_ = 0;  // at its front, kept while a repair is due
  std::uint64_t unanswered_bytes_ = 0;
  std::optional<Batch> waiting_;  // taken from the feed, nothing of it sent
  std::optional<StatusResponse> folder_refused_;
  std::optional<Error> not_mended_;     // why what was refused could not go again
  std::optional<StatusResponse> full_;  // why one message alone had no room
  bool awaiting_turn_ = false;          // with nothing of a batch said
  bool repairing_ = false;
  bool ended_ = false;
  Event arrived_;   // a batch came under way, or none will any more
  Event room_;      // a batch was answered
  Event wrote_;     // the writer's last write has returned, or its turn has come
  Event repaired_;  // the line is the writer's again
};

}  // namespace

Task<void> append_feed(Party& party, AppendTraits traits, AppendFeed& feed,
                       std::uint64_t& dropped) {
  Appender appender(party, traits, feed, dropped);
  co_await appender.run();
}

}  // namespace postferry::imap
