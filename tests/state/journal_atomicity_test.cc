// All or nothing, also when many calls share one transaction or the disk is full.

#include <catch2/catch.hpp>

#include "engine/async/task_group.h"
#include "state/group_commit.h"
#include "state/schema.h"
#include "state/sqlite_journal.h"
#include "tests/state/journal_fixture.h"

using namespace postferry;
using namespace postferry::tests;
using namespace postferry::state;

namespace {

/// A record whose last row is one that no journal takes: it has no key.
Record broken_record(const Crossing& crossing) {
  Record record = record_of(crossing, {row(key(1), 1), row(key(2), 2)});
  record.rows[0].flags.add("OnlyHere");
  record.rows.push_back(MessageRow{});
  record.watermark = Uid{99};
  return record;
}

/// A call that does what it is told, and counts how often.
class TestCall final : public Call {
 public:
  explicit TestCall(std::function<void(Store&)> work, bool durable = false)
      : work_(std::move(work)), durable_(durable) {}
  void run(Store& store) override {
    ++runs;
    work_(store);
  }
  bool durable() const override { return durable_; }
  int runs = 0;

 private:
  std::function<void(Store&)> work_;
  bool durable_;
};

/// A store with one folder, and how many messages it has.
struct StoreUnderTest {
  Database database = Database::open_in_memory();
  Store store{database};
  FolderRecord folder;
  StoreUnderTest() {
    migrate(database);
    const AccountId account = store.account("ann", "s", "t");
    folder = store.folder(account, name("INBOX"), name("INBOX"));
  }
  void add(std::uint32_t uid, std::size_t text_bytes = 1) {
    Record record;
    record.folder = folder.id;
    record.failures.push_back({key(uid), 1, std::string(text_bytes, 'x'), RunId{1}});
    store.record(record);
  }
  std::vector<std::uint32_t> kept() {
    std::vector<std::uint32_t> keys;
    for (const FailureRow& failure : store.failures(folder.id)) {
      keys.push_back(failure.key.uid().value);
    }
    return keys;
  }
};

std::string words(const std::exception_ptr& error) {
  if (error == nullptr) return "";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& thrown) {
    return thrown.what();
  }
}

Task<void> record_many(Journal& journal, Record good, Record bad, int& failed) {
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    for (std::uint32_t i = 1; i <= 200; ++i) {
      Record record = i % 10 == 0 ? bad : good;
      if (i % 10 != 0) record.rows = {row(key(i), i)};
      group.spawn([](Journal& to, Record what, int& failures) -> Task<void> {
        try {
          co_await to.record(std::move(what));
        } catch (const Error&) {
          ++failures;
        }
      }(journal, std::move(record), failed));
    }
    co_await group.join();
  });
}

}  // namespace

TEST_CASE("A record that fails leaves nothing behind") {
  TempDirectory directory;
  const std::unique_ptr<Journal> journal =
      GENERATE(false, true) ? open_journal(directory / "j.db") : open_journal_in_memory();
  Runner run;
  const Crossing ann = begin_crossing(run, *journal);
  const Error error = error_of([&] { run(journal->record(broken_record(ann))); });
  CHECK(error.kind() == ErrorKind::journal);
  CHECK(run(journal->rows(ann.folder.id, MessageKey(), 10)).empty());
  CHECK(run(journal->target_folder(ann.folder.target_folder)).watermark == Uid{1});

  // Flags whose number was rolled back get a new one.
  MessageRow again = row(key(1), 1);
  again.flags.add("OnlyHere");
  MessageRow other = row(key(2), 2);
  other.flags.add("Other");
  run(journal->record(record_of(ann, {other, again})));
  const std::vector<MessageRow> rows = run(journal->rows(ann.folder.id, MessageKey(), 10));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].flags == again.flags);
  CHECK(rows[1].flags == other.flags);
}

TEST_CASE("Messages of a folder that the journal does not know are refused") {
  const std::unique_ptr<Journal> journal = open_journal_in_memory();
  Runner run;
  Record record;
  record.folder = FolderId{12};
  record.rows = {row(key(1), 1)};
  CHECK(error_of([&] { run(journal->record(record)); }).kind() == ErrorKind::journal);
}

TEST_CASE("Of many calls at once only those fail that must") {
  TempDirectory directory;
  const std::unique_ptr<Journal> journal = open_journal(directory / "j.db");
  Runner run;
  const Crossing ann = begin_crossing(run, *journal);
  int failed = 0;
  run(record_many(*journal, record_of(ann, {}), broken_record(ann), failed));
  CHECK(failed == 20);
  CHECK(run(journal->rows(ann.folder.id, MessageKey(), 1000)).size() == 180);
  CHECK(run(journal->target_folder(ann.folder.target_folder)).watermark == Uid{1});
}

TEST_CASE("Calls of a group share one transaction, and a failing one is rolled back alone") {
  StoreUnderTest test;
  std::vector<bool> inside;
  TestCall first([&](Store& store) {
    inside.push_back(store.database().in_transaction());
    test.add(1);
  });
  TestCall bad([&](Store&) {
    test.add(2);
    throw Error(ErrorKind::journal, "planned");
  });
  TestCall last([&](Store&) { test.add(3); }, true);
  Call* calls[] = {&first, &bad, &last};
  commit_together(test.store, calls);
  CHECK(first.error == nullptr);
  CHECK(words(bad.error) == "planned");
  CHECK(last.error == nullptr);
  CHECK(first.runs == 1);
  CHECK(last.runs == 1);
  CHECK(inside == std::vector<bool>{true});
  CHECK_FALSE(test.database.in_transaction());
  CHECK(test.kept() == std::vector<std::uint32_t>{1, 3});
}

TEST_CASE("When the whole transaction is lost each call is tried once more alone") {
  StoreUnderTest test;
  bool lost_once = false;
  TestCall first([&](Store&) { test.add(1); });
  TestCall loses([&](Store& store) {
    test.add(2);
    if (lost_once) return;
    lost_once = true;
    store.database().query("ROLLBACK").run();  // As SQLite does by itself on an I/O error.
    throw Error(ErrorKind::journal, "planned");
  });
  TestCall last([&](Store&) { test.add(3); });
  Call* calls[] = {&first, &loses, &last};
  commit_together(test.store, calls);
  for (const Call* call : calls) CHECK(call->error == nullptr);
  CHECK(first.runs == 2);
  CHECK(test.kept() == std::vector<std::uint32_t>{1, 2, 3});
}

TEST_CASE("A full disk fails the call that does not fit, and says so") {
  StoreUnderTest test;
  test.database.query("PRAGMA max_page_count = 64").run();
  TestCall small([&](Store&) { test.add(1); });
  TestCall huge([&](Store&) { test.add(2, 64 * 4096); });
  TestCall after([&](Store&) { test.add(3); });
  Call* calls[] = {&small, &huge, &after};
  commit_together(test.store, calls);
  CHECK(small.error == nullptr);
  CHECK_THAT(words(huge.error),
             Catch::Contains("disk is full") && Catch::Contains("make room and run again"));
  CHECK(after.error == nullptr);
  CHECK(test.kept() == std::vector<std::uint32_t>{1, 3});
}

TEST_CASE("A call under way is not cut short by a cancel: what happened is written down") {
  TempDirectory directory;
  const std::unique_ptr<Journal> journal = open_journal(directory / "j.db");
  Runner run;
  const Crossing ann = begin_crossing(run, *journal);
  Scope scope(run.executor());
  scope.cancel();
  block_on(scope, journal->record(record_of(ann, {row(key(1), 1)})));
  CHECK(run(journal->rows(ann.folder.id, MessageKey(), 10)).size() == 1);
}

TEST_CASE("A row that SQLite refuses names the file in its error") {
  TempDirectory directory;
  const std::string path = directory / "named.db";
  const std::unique_ptr<Journal> journal = open_journal(path);
  Runner run;
  const Error error = error_of([&] { run(journal->begin_run(AccountId{5}, 0, "copy")); });
  CHECK_THAT(error.what(), Catch::Contains("named.db") && Catch::Contains("constraint failed"));
}
