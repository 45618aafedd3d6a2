#include "engine/relay/check.h"

#include <chrono>
#include <map>
#include <utility>

#include "engine/async/timeout.h"

namespace postferry {

namespace {

/// Passes on what is said, and keeps what the plan tells of bytes.
class PlanWatch final : public Observer {
 public:
  explicit PlanWatch(Observer& inner) : inner_(inner) {}
  void folder_planned(const FolderName& folder, std::uint64_t, std::uint64_t,
                      std::uint64_t bytes_to_copy) override {
    bytes[folder] = bytes_to_copy;
  }
  void note(Level level, const std::string& text) override {
    if (text != what_a_relay_loses()) inner_.note(level, text);
  }
  std::map<FolderName, std::uint64_t> bytes;

 private:
  Observer& inner_;
};

Task<std::optional<std::uint64_t>> limit_of(Relay& relay) {
  constexpr std::chrono::seconds kGoodbye{5};
  const std::unique_ptr<RelaySession> session = co_await relay.connect();
  const std::optional<std::uint64_t> most = session->most_bytes();
  try {
    co_await with_timeout(kGoodbye, session->logout());
  } catch (const TimedOut&) {
    co_return most;  // it has said what was asked
  }
  co_return most;
}

}  // namespace

Task<CheckReport> check_relay(RelayEnds ends, AccountIdentity account, CrossingOptions options) {
  CheckReport report;
  report.source_sessions = ends.source.max_sessions();
  report.target_sessions = ends.relay.max_sessions();
  report.notes.emplace_back(what_a_relay_loses());
  const std::optional<std::uint64_t> most = co_await limit_of(ends.relay);
  if (most)
    report.notes.push_back("the target takes messages of up to " + std::to_string(*most) +
                           " bytes");
  options.dry_run = true;
  PlanWatch watch(ends.observer);
  const StopRequest no_stop;
  const RelayEnds watched{ends.source, ends.relay, ends.journal, watch, ends.spool};
  Ledger ledger = co_await relay_account(watched, std::move(account), std::move(options), no_stop);
  if (ledger.error) throw *ledger.error;
  for (const FolderTally& tally : ledger.folders) {
    CheckedFolder folder;
    folder.source = tally.source;
    folder.target = tally.target;
    folder.exists = true;
    folder.messages = tally.messages.seen;
    folder.filtered = tally.messages.filtered;
    folder.due = tally.messages.pending;
    folder.present = folder.messages - folder.filtered - folder.due;
    folder.due_bytes = folder.size_bytes = watch.bytes[tally.source];
    if (tally.error) report.problems.emplace_back(tally.error->what());
    report.folders.push_back(std::move(folder));
  }
  co_return report;
}

}  // namespace postferry
