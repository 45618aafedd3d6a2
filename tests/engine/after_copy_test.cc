// What becomes of messages at the source once they have crossed: every guard of DESIGN section 4.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

constexpr std::chrono::days kAtOnce{0};

MemoryOptions without_uidplus() {
  MemoryOptions options = modern();
  options.traits.uidplus = false;
  return options;
}

/// Passes everything on, and notes what is said of states and of the disk.
class WatchedJournal final : public Journal {
 public:
  explicit WatchedJournal(std::unique_ptr<Journal> inner) : inner_(std::move(inner)) {}
  std::vector<std::string> order;

  Task<void> set_state(FolderId f, std::vector<MessageKey> k, MessageState state) override {
    static constexpr const char* kNames[] = {"copied", "seen", "leaving", "marked", "removed"};
    order.emplace_back(kNames[static_cast<int>(state)]);
    return inner_->set_state(f, std::move(k), state);
  }
  Task<void> make_durable() override {
    order.emplace_back("durable");
    return inner_->make_durable();
  }

  Task<AccountId> account(std::string n, std::string s, std::string t) override {
    return inner_->account(std::move(n), std::move(s), std::move(t));
  }
  Task<RunId> begin_run(AccountId a, std::int64_t at, std::string c) override {
    return inner_->begin_run(a, at, std::move(c));
  }
  Task<void> end_run(RunId r, std::int64_t at, Ledger l) override {
    return inner_->end_run(r, at, std::move(l));
  }
  Task<std::vector<RunRecord>> runs(AccountId a, std::size_t n) override {
    return inner_->runs(a, n);
  }
  Task<std::optional<RunRecord>> run(AccountId a, RunId r) override { return inner_->run(a, r); }
  Task<std::vector<MessageRow>> rows_of_run(FolderId f, RunId r, MessageKey after,
                                            std::size_t n) override {
    return inner_->rows_of_run(f, r, std::move(after), n);
  }
  Task<void> accept_failures(FolderId f) override { return inner_->accept_failures(f); }
  Task<bool> knows(std::string name) override { return inner_->knows(std::move(name)); }
  Task<std::optional<EndNames>> ends_of(std::string name) override {
    return inner_->ends_of(std::move(name));
  }
  Task<void> rename_ends(EndNames from, EndNames to) override {
    return inner_->rename_ends(std::move(from), std::move(to));
  }
  Task<std::vector<RatePoint>> rates(AccountId a, RunId r, std::int64_t from,
                                     std::int64_t step) override {
    return inner_->rates(a, r, from, step);
  }
  Task<bool> is_new(AccountId a) override { return inner_->is_new(a); }
  Task<std::vector<FolderRecord>> folders(AccountId a) override { return inner_->folders(a); }
  Task<FolderRecord> folder(AccountId a, FolderName s, FolderName t) override {
    return inner_->folder(a, std::move(s), std::move(t));
  }
  Task<TargetFolderRecord> target_folder(TargetFolderId id) override {
    return inner_->target_folder(id);
  }
  Task<void> rename_folder(FolderId f, FolderName s) override {
    return inner_->rename_folder(f, std::move(s));
  }
  Task<void> doubt_target(AccountId account) override { return inner_->doubt_target(account); }
  Task<void> complete(FolderId f, std::optional<FolderNumbers> n, std::string h,
                      std::uint64_t p) override {
    return inner_->complete(f, std::move(n), std::move(h), p);
  }
  Task<std::vector<MessageRow>> rows(FolderId f, MessageKey after, std::size_t n) override {
    return inner_->rows(f, std::move(after), n);
  }
  Task<std::vector<MessageRow>> newest_rows(FolderId f, std::size_t n) override {
    return inner_->newest_rows(f, n);
  }
  Task<std::vector<MessageRow>> rows_outside(FolderId f, std::vector<UidRange> r) override {
    return inner_->rows_outside(f, std::move(r));
  }
  Task<std::vector<MessageRow>> rows_for(FolderId f, std::vector<MessageKey> k) override {
    return inner_->rows_for(f, std::move(k));
  }
  Task<std::vector<FailureRow>> failures(FolderId f) override { return inner_->failures(f); }
  Task<std::vector<Uid>> named(TargetFolderId f, Uid from) override {
    return inner_->named(f, from);
  }
  Task<std::vector<MessageRow>> last_rows(TargetFolderId folder, std::size_t limit) override {
    return inner_->last_rows(folder, limit);
  }
  Task<std::vector<CopySize>> copies_sized(TargetFolderId folder,
                                           std::vector<std::uint64_t> sizes) override {
    return inner_->copies_sized(folder, std::move(sizes));
  }
  Task<std::vector<CopyLook>> copies_without_uid(TargetFolderId folder,
                                                 FolderId other_than) override {
    return inner_->copies_without_uid(folder, other_than);
  }
  Task<std::vector<MessageRow>> rows_at(TargetFolderId f, std::vector<Uid> u) override {
    return inner_->rows_at(f, std::move(u));
  }
  Task<std::vector<OpenBatch>> open_batches(TargetFolderId f) override {
    return inner_->open_batches(f);
  }
  Task<std::int64_t> open_batch(TargetFolderId f, OpenBatch b) override {
    return inner_->open_batch(f, std::move(b));
  }
  Task<void> record(Record r) override { return inner_->record(std::move(r)); }
  Task<void> update_flags(FolderId f, std::vector<std::pair<MessageKey, Flags>> c) override {
    return inner_->update_flags(f, std::move(c));
  }
  Task<void> forget(FolderId f, std::vector<MessageKey> k) override {
    return inner_->forget(f, std::move(k));
  }
  Task<std::vector<MessageRow>> removable(FolderId f, std::int64_t t, MessageKey after,
                                          std::size_t n) override {
    return inner_->removable(f, t, std::move(after), n);
  }
  Task<void> reset_target_folder(TargetFolderId f, std::uint32_t v) override {
    return inner_->reset_target_folder(f, v);
  }
  Task<std::vector<TrafficHour>> traffic(std::string l, Direction d, std::int64_t h) override {
    return inner_->traffic(std::move(l), d, h);
  }
  Task<void> add_traffic(std::string l, Direction d, TrafficHour h) override {
    return inner_->add_traffic(std::move(l), d, h);
  }

 private:
  std::unique_ptr<Journal> inner_;
};

std::size_t at_source(Pair& pair) { return pair.source.folder("INBOX").messages.size(); }

/// The journal's rows of INBOX.
std::vector<MessageRow> rows_of(Pair& pair) {
  const auto read = [](Journal& journal) -> Task<std::vector<MessageRow>> {
    const AccountId account = co_await journal.account("ann", "source", "target");
    const FolderName inbox = FolderName::parse("INBOX");
    const FolderRecord folder = co_await journal.folder(account, inbox, inbox);
    co_return co_await journal.rows(folder.id, MessageKey(), 1000);
  };
  return block_on(pair.executor, read(*pair.journal));
}

void later(Pair& pair, std::chrono::hours hours) {
  pair.executor.set_wall_clock(pair.executor.wall_clock() + hours);
}

}  // namespace

TEST_CASE("what has crossed is removed from the source, and stays on the target") {
  Pair pair(GENERATE(pop3(), modern()));
  pair.fill("INBOX", 25);
  CHECK(pair.run().removed() == 0);
  pair.fill("INBOX", 5, "more");
  pair.options.remove_after = kAtOnce;
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.messages().copied == 5);
  CHECK(ledger.removed() == 30);
  CHECK(at_source(pair) == 0);
  CHECK(pair.on_target("INBOX") == 30);
  for (const MessageRow& row : rows_of(pair)) CHECK(row.state == MessageState::removed);
  CHECK(pair.run().messages().seen == 0);
  CHECK(pair.on_target("INBOX") == 30);
}

TEST_CASE("what did not cross stays at the source") {
  Pair pair(GENERATE(pop3(), modern()));
  pair.options.remove_after = kAtOnce;
  pair.options.max_size_bytes = 1000;
  pair.fill("INBOX", 3);
  pair.add("INBOX", letter("poison"));
  pair.add("INBOX", letter("big", std::string(5000, 'x')));
  pair.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.bytes.find("poison") == std::string::npos) return std::nullopt;
    return "NO not this one";
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().rejected == 1);
  CHECK(ledger.messages().filtered == 1);
  CHECK(ledger.removed() == 3);
  CHECK(at_source(pair) == 2);
}

TEST_CASE("a message whose copy is not on the target stays at the source, and that is said") {
  Pair pair(GENERATE(pop3(), modern()));
  pair.fill("INBOX", 4);
  pair.run();
  MemoryFolder& there = pair.target.folder("INBOX");
  there.remove(there.messages.at(0).uid);   // a user deleted it
  there.messages.at(0).bytes += "changed";  // another size
  if (there.messages.at(1).date)
    ++there.messages.at(1).date->seconds;  // another date, as of servers that keep none
  pair.options.remove_after = kAtOnce;
  CHECK(pair.run().removed() == 2);
  CHECK(at_source(pair) == 2);
  CHECK(pair.observer.said("is not on the target as it was copied"));
}

TEST_CASE("an original leaves only when what was there before has its bytes") {
  Pair pair(GENERATE(pop3(), modern()));
  const auto there = [&pair](const std::string& bytes) {
    pair.target.folder("INBOX").add(bytes, {}, InternalDate{1'000'000, 60});
  };
  pair.add("INBOX", letter("same"));
  there(letter("same"));
  pair.add("INBOX", letter("short", std::string(300, 'x')));
  there(letter("short", "[removed]"));
  pair.add("INBOX", letter("other", "here"));
  there(letter("other", "gone"));  // of the same size
  pair.options.remove_after = kAtOnce;
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().present == 3);
  CHECK(ledger.removed() == 1);
  CHECK(at_source(pair) == 2);
  CHECK(pair.observer.said("2 messages stay at the source: what the target had before"));
  CHECK(pair.run().removed() == 0);
  CHECK(pair.on_target("INBOX") == 3);
}

TEST_CASE("a UID given to another message of the same size takes no original with it") {
  Pair pair(modern());
  pair.options.remove_after = std::chrono::days(7);
  pair.add("INBOX", letter("first"));
  pair.add("INBOX", letter("older"));
  const bool found_there = GENERATE(false, true);
  if (found_there)
    for (const MemoryMessage& message : pair.source.folder("INBOX").messages)
      pair.target.folder("INBOX").add(message.bytes, message.flags, message.date);
  pair.run();
  MemoryMessage& older = pair.source.folder("INBOX").messages.at(1);
  REQUIRE(letter("newer").size() == older.bytes.size());
  older.bytes = letter("newer");
  const bool dated = GENERATE(false, true);
  if (dated)
    older.date->seconds += 60;
  else
    older.date.reset();
  ++pair.source.folder("INBOX").highest_modseq;
  later(pair, std::chrono::hours(24 * 8));
  pair.run();
  later(pair, std::chrono::hours(24 * 8));
  pair.run();
  CHECK(pair.on_target("INBOX") == 3);
}

TEST_CASE("a copy that was lost and found again must be seen before its original leaves") {
  Pair pair(modern());
  pair.options.remove_after = std::chrono::days(7);
  pair.add("INBOX", letter("cut", std::string(100, 'x')));
  pair.add("INBOX", letter("whole"));
  pair.run();
  pair.target.folder("INBOX").messages.at(0).bytes = letter("cut", "[removed]");
  pair.target.renumber(FolderName::parse("INBOX"), 9);
  later(pair, std::chrono::hours(24 * 8));
  CHECK(pair.run().removed() == 1);
  CHECK(at_source(pair) == 1);
  CHECK(pair.observer.said("is not on the target as it was copied"));
}

TEST_CASE("a copy that was seen once may be filed away before its message is due") {
  Pair pair(pop3());
  pair.options.remove_after = std::chrono::days(7);
  pair.fill("INBOX", 2);
  pair.run();
  MemoryFolder& there = pair.target.folder("INBOX");
  there.remove(there.messages.at(0).uid);
  later(pair, std::chrono::hours(24 * 7));
  CHECK(pair.run().removed() == 2);
  CHECK(pair.target.appended == 2);
}

TEST_CASE("a copy that was lost with its folder keeps its message at the source") {
  Pair pair(pop3());
  pair.options.remove_after = std::chrono::days(7);
  pair.fill("INBOX", 3);
  pair.run();
  pair.target.folder("INBOX").messages.clear();
  pair.target.renumber(FolderName::parse("INBOX"), 9);
  pair.options.max_size_bytes = 1;  // so that it is not copied again
  later(pair, std::chrono::hours(24 * 8));
  CHECK(pair.run().removed() == 0);
  CHECK(at_source(pair) == 3);
}

TEST_CASE("delete-after counts from when a message was copied") {
  Pair pair(GENERATE(pop3(), modern()));
  pair.options.remove_after = std::chrono::days(3);
  pair.fill("INBOX", 2);
  pair.run();
  later(pair, std::chrono::hours(48));
  pair.fill("INBOX", 2, "later");
  CHECK(pair.run().removed() == 0);
  later(pair, std::chrono::hours(23));
  CHECK(pair.run().removed() == 0);
  later(pair, std::chrono::hours(1));
  CHECK(pair.run().removed() == 2);
  later(pair, std::chrono::hours(48));
  CHECK(pair.run().removed() == 2);
  CHECK(at_source(pair) == 0);
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("an unchanged folder is passed over until something in it is due") {
  Pair pair(modern(), modern());
  pair.fill("INBOX", 3);
  pair.run();
  pair.options.remove_after = std::chrono::days(3);
  pair.source.calls.clear();
  pair.run();
  CHECK(pair.source.calls["select"] == 1);  // under other options
  pair.source.calls.clear();
  pair.run();
  CHECK(pair.source.calls["select"] == 0);
  later(pair, std::chrono::hours(73));
  CHECK(pair.run().removed() == 3);
}

TEST_CASE("the source is asked only when the row is on the disk and says so") {
  Pair pair(GENERATE(pop3(), modern()));
  pair.options.remove_after = kAtOnce;
  pair.fill("INBOX", 3);
  auto watched = std::make_unique<WatchedJournal>(std::move(pair.journal));
  std::vector<std::string>& order = watched->order;
  pair.journal = std::move(watched);
  pair.source.faults.on_call = [&](MemoryServer&, std::string_view call) {
    if (call == "remove") order.emplace_back("remove");
  };
  pair.run();
  CHECK(order == std::vector<std::string>{"seen", "leaving", "durable", "remove", "removed"});
}

TEST_CASE("a lost or refused answer is looked at again in the next session") {
  const MemoryRemoval fate =
      GENERATE(MemoryRemoval::lost_done, MemoryRemoval::lost_undone, MemoryRemoval::refused);
  Pair pair(GENERATE(pop3(), modern()));
  pair.options.remove_after = kAtOnce;
  pair.options.retries = GENERATE(0, 5);
  pair.fill("INBOX", 6);
  pair.source.faults.removals = {fate};
  const Ledger first = pair.run();
  CHECK(first.outcome == (pair.options.retries == 0 ? Outcome::interrupted : Outcome::complete));
  pair.run();
  CHECK(at_source(pair) == 0);
  CHECK(pair.on_target("INBOX") == 6);
  CHECK(pair.target.appended == 6);
  for (const MessageRow& row : rows_of(pair)) CHECK(row.state == MessageState::removed);
}

TEST_CASE("of equal messages none leaves before all have crossed") {
  Pair pair(pop3());
  pair.options.remove_after = kAtOnce;
  pair.add("INBOX", letter("twice"));
  pair.add("INBOX", letter("twice"));
  pair.add("INBOX", letter("once"));
  // Names that are made of what messages look like, and sizes that are not what comes.
  if (GENERATE(false, true))
    for (MemoryMessage& message : pair.source.folder("INBOX").messages) {
      message.uidl = " made " + std::to_string(message.uid.value);
      message.listed_bytes = message.bytes.size() + message.uid.value;
    }
  bool full = false;
  pair.target.faults.refuse = [&full](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.bytes != letter("twice")) return std::nullopt;
    return std::exchange(full, true) ? std::optional("not now") : std::nullopt;
  };
  pair.source.faults.removals.push_back(MemoryRemoval::lost_done);
  pair.run();
  CHECK(pair.source.folder("INBOX").messages.size() == 2);
  CHECK(pair.on_target("INBOX") == 2);
  CHECK(pair.observer.said("look the same"));
  pair.target.faults.refuse = nullptr;
  pair.run();
  CHECK(pair.source.folder("INBOX").messages.empty());
  CHECK(pair.on_target("INBOX") == 3);
}

TEST_CASE("without UIDPLUS a source message is only marked, which is said, and never followed") {
  Pair pair(without_uidplus(), modern());
  pair.options.remove_after = kAtOnce;
  pair.fill("INBOX", 3);
  CHECK(pair.run().removed() == 3);
  CHECK(pair.observer.said("only marked \\Deleted"));
  CHECK(at_source(pair) == 3);
  CHECK(pair.run().removed() == 0);
  pair.source.folder("INBOX").messages.at(0).flags.add("\\Flagged");
  ++pair.source.folder("INBOX").highest_modseq;
  pair.run();
  const MemoryFolder& there = pair.target.folder("INBOX");
  for (const MemoryMessage& copy : there.messages) CHECK((copy.flags.system & Flags::deleted) == 0);
  CHECK((there.messages.at(0).flags.system & Flags::flagged) != 0);
}

TEST_CASE("what we removed from the source is never mirrored") {
  Pair pair(modern());
  pair.fill("INBOX", 4);
  pair.options.remove_after = kAtOnce;
  const bool known = GENERATE(true, false);
  if (!known) {
    pair.source.faults.removals = {MemoryRemoval::lost_done};
    pair.options.retries = 0;
  }
  pair.run();
  REQUIRE(at_source(pair) == 0);
  pair.options.remove_after.reset();
  pair.options.retries = 5;
  pair.options.mirror_deletions = pair.options.force_deletions = true;
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("a dry run and a run that was told to stop remove nothing") {
  Pair pair(pop3());
  pair.fill("INBOX", 4);
  pair.run();
  pair.options.remove_after = kAtOnce;
  SECTION("dry") {
    pair.options.dry_run = true;
    CHECK(pair.run().removed() == 4);  // would be
  }
  SECTION("stopped") {
    pair.stop.request();
    CHECK(pair.run().removed() == 0);
  }
  CHECK(at_source(pair) == 4);
}

TEST_CASE("what was copied in this run leaves though the target tells another size or date of it") {
  Pair pair(modern(), modern());
  pair.fill("INBOX", 6);
  pair.options.remove_after = kAtOnce;
  const bool dates = GENERATE(true, false);
  pair.target.faults.on_call = [dates](MemoryServer& server, std::string_view call) {
    if (call != "look") return;
    for (MemoryMessage& message : server.folder("INBOX").messages) {
      if (dates) {
        message.date.reset();
      } else {
        message.bytes += "added by the server\r\n";
      }
    }
  };
  CHECK(pair.run().removed() == 6);
}
