// Calls of the port about accounts, folders, runs and traffic, on a journal in memory and on one in
// a file.

#include <catch2/catch.hpp>

#include "state/sqlite_journal.h"
#include "tests/state/journal_fixture.h"

using namespace postferry;
using namespace postferry::tests;

TEST_CASE("An account is found again under its name") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const AccountId ann = run(journal->account("ann", "imap://a@x", "imap://b@y"));
  const AccountId bob = run(journal->account("bob", "imap://a@x", "imap://b@y"));
  const AccountId again = run(journal->account("ann", "imap://a@x", "imap://b@y"));
  CHECK(ann == again);
  CHECK(ann != bob);
}

TEST_CASE("An account with other ends is refused as a usage error that names both") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  run(journal->account("ann", "imap://a@x", "imap://b@y"));
  const Error error =
      error_of([&] { run(journal->account("ann", "imap://a@x", "imap://other@y")); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK_THAT(error.what(), Catch::Contains("imap://b@y") && Catch::Contains("imap://other@y"));
}

TEST_CASE("An account is new until something of it is recorded") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal, "ann");
  const Crossing bob = begin_crossing(run, *journal.journal, "bob");
  CHECK(run(journal->is_new(ann.account)));
  SECTION("a message") { run(journal->record(record_of(ann, {row(key(1), 1)}))); }
  SECTION("a failure") {
    Record record = record_of(ann, {});
    record.failures.push_back({key(1), 10, "NO", ann.run});
    run(journal->record(record));
  }
  SECTION("a batch") {
    OpenBatch batch;
    batch.folder = ann.folder.id;
    batch.keys = {key(1)};
    run(journal->open_batch(ann.folder.target_folder, batch));
  }
  CHECK_FALSE(run(journal->is_new(ann.account)));
  CHECK(run(journal->is_new(bob.account)));
}

TEST_CASE("A folder keeps its mapping from the first time that its target folder was opened") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const AccountId account = run(journal->account("ann", "s", "t"));
  const FolderName odd(std::vector<std::string>{"a/b", "50%", "Entwürfe ", "*\"\\"});
  const FolderRecord refused = run(journal->folder(account, odd, name("Refused")));
  const FolderRecord first = run(journal->folder(account, odd, name("Drafts")));
  CHECK(first.id == refused.id);
  CHECK(first.target == name("Drafts"));
  CHECK(first.target_folder != refused.target_folder);
  Record opened;
  opened.folder = first.id;
  opened.target_folder = first.target_folder;
  opened.target_uid_validity = 7;
  run(journal->record(std::move(opened)));
  const FolderRecord again = run(journal->folder(account, odd, name("Elsewhere")));
  CHECK(first.id == again.id);
  CHECK(again.source == odd);
  CHECK(again.target == name("Drafts"));
  CHECK_FALSE(again.completed);
  CHECK_FALSE(again.source_uid_validity);
  const std::vector<FolderRecord> all = run(journal->folders(account));
  REQUIRE(all.size() == 1);
  CHECK(all[0].id == first.id);
  CHECK(all[0].source == odd);
}

TEST_CASE("A folder of an account that is not there is an error") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Error error =
      error_of([&] { run(journal->folder(AccountId{7}, name("INBOX"), name("INBOX"))); });
  CHECK(error.kind() == ErrorKind::journal);
}

TEST_CASE("Accounts that fill one mailbox share its target folders") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal, "ann");
  const Crossing bob = begin_crossing(run, *journal.journal, "bob");
  const AccountId eve = run(journal->account("eve", "imap://eve@x", "imap://else@new.example"));
  const FolderRecord other = run(journal->folder(eve, name("INBOX"), name("INBOX")));
  CHECK(ann.folder.id != bob.folder.id);
  CHECK(ann.folder.target_folder == bob.folder.target_folder);
  CHECK(other.target_folder != ann.folder.target_folder);

  run(journal->record(record_of(ann, {row(key(1), 5)})));
  run(journal->record(record_of(bob, {row(key(9), 6), row(key(10), 5)})));
  const std::vector<Uid> named = run(journal->named(ann.folder.target_folder, Uid{1}));
  CHECK(numbers(named) == std::vector<std::uint32_t>{5, 6});
  CHECK(run(journal->named(other.target_folder, Uid{1})).empty());
}

TEST_CASE("A completed folder gives back its numbers, and forgets them on request") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  FolderNumbers numbers;
  numbers.uid_validity = 4'294'967'295u;
  numbers.messages = 12;
  numbers.highest_modseq = 9'223'372'036'854'775'807ull;
  run(journal->complete(ann.folder.id, numbers, "abc", 11));
  FolderRecord record = run(journal->folders(ann.account))[0];
  CHECK(record.completed == numbers);
  CHECK(record.options_hash == "abc");
  CHECK(record.completed_present == 11);
  run(journal->complete(ann.folder.id, std::nullopt, "", 0));
  record = run(journal->folders(ann.account))[0];
  CHECK_FALSE(record.completed);
  CHECK(record.completed_present == 0);
}

TEST_CASE("A run begins, ends and can be made durable") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  const RunId second = run(journal->begin_run(ann.account, 1'700'000'100, "copy --json"));
  CHECK(second != ann.run);
  run(journal->end_run(ann.run, 1'700'000'050, Ledger{}));
  run(journal->make_durable());
  const Error error = error_of([&] { run(journal->begin_run(AccountId{99}, 0, "copy")); });
  CHECK(error.kind() == ErrorKind::journal);
}

TEST_CASE("A run is remembered with its whole ledger, the newest first") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  Ledger ledger;
  ledger.outcome = Outcome::partial;
  ledger.seconds = 1.25;
  ledger.error = Error(ErrorKind::quota, "over quota", "target new.example");
  FolderTally folder;
  folder.source = name("a/b");
  folder.target = name("c");
  folder.messages = {9, 1, 2, 1, 2, 1, 1, 1, 3, 1};
  folder.flags_updated = 4, folder.deleted = 5, folder.bytes_copied = 6, folder.flags_dropped = 7;
  folder.removed = 8, folder.left_at_source = 9;
  folder.error = Error(ErrorKind::rejected, "no", "folder a/b");
  ledger.folders = {FolderTally{}, folder};
  run(journal->end_run(ann.run, 1'700'000'050, ledger));
  const RunId second = run(journal->begin_run(ann.account, 1'700'000'100, "retry"));
  MessageRow mine = row(key(1), 5);
  mine.run = second;
  run(journal->record(record_of(ann, {mine, row(key(2), 6)})));

  const std::vector<RunRecord> runs = run(journal->runs(ann.account, 10));
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].id == second);
  CHECK(runs[0].command == "retry");
  CHECK_FALSE(runs[0].ended_at);
  CHECK(runs[0].copied_so_far == 1);
  const RunRecord& first = runs[1];
  CHECK(first.started_at == 1'700'000'000);
  CHECK(first.ended_at == 1'700'000'050);
  CHECK(first.ledger.outcome == Outcome::partial);
  CHECK(first.ledger.seconds == 1.25);
  REQUIRE(first.ledger.error);
  CHECK(first.ledger.error->kind() == ErrorKind::quota);
  CHECK(first.ledger.error->message() == "over quota");
  CHECK(first.ledger.error->context() == "target new.example");
  REQUIRE(first.ledger.folders.size() == 2);
  const FolderTally& got = first.ledger.folders[1];
  CHECK(got.source == name("a/b"));
  CHECK(got.target == name("c"));
  CHECK(got.messages.seen == 9);
  CHECK(got.messages.balances());
  CHECK(got.messages.pending == 1);
  CHECK(got.messages.twins == 3);
  CHECK(got.messages.accepted == 1);
  CHECK(got.flags_updated == 4);
  CHECK(got.deleted == 5);
  CHECK(got.bytes_copied == 6);
  CHECK(got.flags_dropped == 7);
  CHECK(got.removed == 8);
  CHECK(got.left_at_source == 9);
  REQUIRE(got.error);
  CHECK(got.error->kind() == ErrorKind::rejected);

  CHECK(run(journal->runs(ann.account, 1)).size() == 1);
  CHECK(run(journal->run(ann.account, ann.run))->ledger.folders.size() == 2);
  CHECK_FALSE(run(journal->run(ann.account, RunId{99})));
}

TEST_CASE("What a run appended is told apart from what others did, and from what it adopted") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  MessageRow adopted = row(key(2), 6), other = row(key(3), 7);
  adopted.origin = Origin::adopted;
  other.run = RunId{2};
  run(journal->record(record_of(ann, {row(key(1), 5), adopted, other, row(key(4), 8)})));
  const auto rows = run(journal->rows_of_run(ann.folder.id, ann.run, MessageKey(), 10));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].key == key(1));
  CHECK(rows[1].key == key(4));
  CHECK(run(journal->rows_of_run(ann.folder.id, ann.run, key(1), 10)).size() == 1);
}

TEST_CASE("What a login carried is added up by the hour, and forgotten after a month") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const auto add = [&](const char* login, Direction direction, TrafficHour hour) {
    run(journal->add_traffic(login, direction, hour));
  };
  add("ann", Direction::down, {100, 5});
  add("ann", Direction::down, {102, 7});
  add("ann", Direction::down, {102, 8});
  add("ann", Direction::up, {102, 1});
  add("bob", Direction::down, {102, 2});
  const auto bytes = [&](const char* login, Direction direction, std::int64_t from) {
    std::vector<std::pair<std::int64_t, std::uint64_t>> hours;
    for (const TrafficHour& hour : run(journal->traffic(login, direction, from)))
      hours.emplace_back(hour.hour, hour.bytes);
    return hours;
  };
  using Hours = std::vector<std::pair<std::int64_t, std::uint64_t>>;
  CHECK(bytes("ann", Direction::down, 0) == Hours{{100, 5}, {102, 15}});
  CHECK(bytes("ann", Direction::down, 101) == Hours{{102, 15}});
  CHECK(bytes("ann", Direction::up, 0) == Hours{{102, 1}});
  CHECK(bytes("bob", Direction::down, 0) == Hours{{102, 2}});
  add("ann", Direction::down, {101 + 31 * 24, 3});
  CHECK(bytes("ann", Direction::down, 0) == Hours{{102, 15}, {101 + 31 * 24, 3}});
}

TEST_CASE("What a login carried goes with it when its mailbox is called otherwise") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  run(journal->account("ann", "imap://a@x", "imap://b@y"));
  const auto carried = [&](const char* login, Direction direction) {
    std::uint64_t sum = 0;
    for (const TrafficHour& hour : run(journal->traffic(login, direction, 0))) sum += hour.bytes;
    return sum;
  };
  run(journal->add_traffic("imap://a@x", Direction::down, {1000, 5}));
  run(journal->add_traffic("imap://b@y", Direction::up, {1000, 7}));
  run(journal->add_traffic("imap://b@new", Direction::up, {1000, 1}));
  run(journal->rename_ends({"imap://a@x", "imap://b@y"}, {"imap://a@new", "imap://b@new"}));
  CHECK(carried("imap://a@new", Direction::down) == 5);
  CHECK(carried("imap://b@new", Direction::up) == 8);
  CHECK(carried("imap://a@x", Direction::down) + carried("imap://b@y", Direction::up) == 0);
}
