// Calls of the port about rows, failures and batches, on a journal in memory and on one in a file.

#include <catch2/catch.hpp>

#include "state/sqlite_journal.h"
#include "tests/state/journal_fixture.h"

using namespace postferry;
using namespace postferry::tests;

TEST_CASE("Rows come back whole, in pages, in the order of UIDs") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  MessageRow bare;  // the least that a row can say
  bare.key = key(4'294'967'295u);
  bare.origin = Origin::adopted;
  bare.date = InternalDate{-2'000'000'000, -720};
  MessageRow flagged = row(key(100), 100);
  flagged.flags.add("$Forwarded");
  flagged.flags.add("\\Flagged");
  flagged.size_bytes = 5'000'000'000ull;
  flagged.origin = Origin::folded;
  flagged.state = MessageState::leaving;
  flagged.listed_bytes = 5'000'000'001ull;
  flagged.header = 0xfedcba9876543210ull;
  run(journal->record(record_of(ann, {bare, row(key(9), 9), flagged, row(key(2), 2)})));

  const std::vector<MessageRow> first = run(journal->rows(ann.folder.id, MessageKey(), 3));
  REQUIRE(first.size() == 3);
  CHECK(same(first[0], row(key(2), 2)));
  CHECK(same(first[1], row(key(9), 9)));
  CHECK(same(first[2], flagged));
  const std::vector<MessageRow> rest = run(journal->rows(ann.folder.id, first[2].key, 3));
  REQUIRE(rest.size() == 1);
  CHECK(same(rest[0], bare));
  CHECK(run(journal->rows(ann.folder.id, rest[0].key, 3)).empty());
}

TEST_CASE("UIDLs stay text, ordered by bytes, also when they look like numbers") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  run(journal->record(
      record_of(ann, {row(key("b"), 1), row(key("10"), 2), row(key("9"), 3), row(key("B"), 4),
                      row(key("\xff\"\\"), 5), row(key("007"), 6)})));
  std::vector<std::string> keys;
  MessageKey after;
  while (true) {
    const std::vector<MessageRow> page = run(journal->rows(ann.folder.id, after, 2));
    if (page.empty()) break;
    for (const MessageRow& each : page) {
      CHECK_FALSE(each.key.is_uid());
      keys.push_back(each.key.uidl());
    }
    after = page.back().key;
  }
  CHECK(keys == std::vector<std::string>{"007", "10", "9", "B", "b", "\xff\"\\"});
}

TEST_CASE("A row recorded again replaces the first") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  run(journal->record(record_of(ann, {row(key(1), 0)})));
  run(journal->record(record_of(ann, {row(key(1), 77)})));
  const std::vector<MessageRow> rows = run(journal->rows(ann.folder.id, MessageKey(), 10));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].target_uid == Uid{77});
  CHECK(numbers(run(journal->named(ann.folder.target_folder, Uid{0}))) ==
        std::vector<std::uint32_t>{77});
}

TEST_CASE("Rows are found by their keys and by the target UIDs they name") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  const Crossing bob = begin_crossing(run, *journal.journal, "bob");
  run(journal->record(record_of(ann, {row(key(1), 11), row(key(2), 12), row(key(3), 0)})));
  run(journal->record(record_of(bob, {row(key(1), 12), row(key(2), 14)})));

  const std::vector<MessageRow> mine =
      run(journal->rows_for(ann.folder.id, {key(3), key(9), key(1)}));
  REQUIRE(mine.size() == 2);
  CHECK(same(mine[0], row(key(3), 0)));
  CHECK(same(mine[1], row(key(1), 11)));

  const TargetFolderId target = ann.folder.target_folder;
  CHECK(numbers(run(journal->named(target, Uid{12}))) == std::vector<std::uint32_t>{12, 14});
  CHECK(run(journal->rows_at(target, {Uid{12}, Uid{13}, Uid{14}})).size() == 3);
  CHECK(run(journal->rows_at(target, {Uid{0}})).empty());
  CHECK(run(journal->copies_sized(target, {row(key(1), 1).size_bytes, 1})).size() == 4);
  CHECK(run(journal->copies_sized(target, {1})).empty());
  CHECK(run(journal->copies_sized(target, {})).empty());
  CHECK(run(journal->copies_without_uid(target, ann.folder.id)).empty());
  CHECK(run(journal->copies_without_uid(target, bob.folder.id)) ==
        std::vector<CopyLook>{{row(key(3), 0).size_bytes, row(key(3), 0).date->seconds}});
}

TEST_CASE("A failure stays until its message crosses") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  Record record = record_of(ann, {});
  record.failures.push_back({key(3), 30, "NO first words", ann.run});
  record.failures.push_back({key(2), 20, "NO too \x80 strange", ann.run});
  run(journal->record(record));
  record.failures = {{key(3), 30, "NO other words", RunId{2}}};
  run(journal->record(record));
  std::vector<FailureRow> failures = run(journal->failures(ann.folder.id));
  REQUIRE(failures.size() == 2);
  CHECK(failures[0].key == key(2));
  CHECK(failures[0].text == "NO too \x80 strange");
  CHECK(failures[0].size_bytes == 20);
  CHECK(failures[1].text == "NO other words");
  CHECK(failures[1].run == RunId{2});

  run(journal->record(record_of(ann, {row(key(3), 1), row(key(4), 2)})));
  failures = run(journal->failures(ann.folder.id));
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].key == key(2));
}

TEST_CASE("A batch is open until it is closed, and settled when it is kept for late arrivals") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  const TargetFolderId target = ann.folder.target_folder;
  OpenBatch batch;
  batch.folder = ann.folder.id;
  batch.uid_validity = 4'000'000'000u;
  batch.uid_next = Uid{50};
  batch.keys = {key(9), key(3), key("17"), key("a\"b\\c\x01\xfe\x80/\t")};
  batch.opened_at = 1'700'000'001;
  batch.run = ann.run;
  const std::int64_t first = run(journal->open_batch(target, batch));
  batch.keys.clear();
  const std::int64_t second = run(journal->open_batch(target, batch));
  batch.keys = {key(1)};
  const std::int64_t third = run(journal->open_batch(target, batch));
  CHECK(first != second);

  std::vector<OpenBatch> open = run(journal->open_batches(target));
  REQUIRE(open.size() == 3);
  CHECK(open[0].id == first);
  CHECK(open[0].folder == ann.folder.id);
  CHECK(open[0].uid_validity == 4'000'000'000u);
  CHECK(open[0].uid_next == Uid{50});
  CHECK(open[0].opened_at == 1'700'000'001);
  CHECK(open[0].run == ann.run);
  CHECK_FALSE(open[0].settled);
  CHECK(open[0].keys ==
        std::vector<MessageKey>{key(9), key(3), key("17"), key("a\"b\\c\x01\xfe\x80/\t")});
  CHECK(open[1].keys.empty());

  Record record = record_of(ann, {row(key(9), 50)});
  record.close_batches = {third};
  record.settle_batches = {first};
  record.run = RunId{7};
  run(journal->record(record));
  open = run(journal->open_batches(target));
  REQUIRE(open.size() == 2);
  CHECK(open[0].settled);
  CHECK(open[0].run == RunId{7});  // That gave it up.
  CHECK_FALSE(open[1].settled);
  const std::int64_t fourth = run(journal->open_batch(target, batch));
  CHECK(fourth > third);  // A number is never used twice.
}

TEST_CASE("A message that has another name now has it in batches, too, of its folder alone") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal, "ann");
  const Crossing bob = begin_crossing(run, *journal.journal, "bob");
  const TargetFolderId target = ann.folder.target_folder;
  OpenBatch batch;
  batch.run = ann.run;
  batch.keys = {key("a"), key("b"), key("c")};
  for (const FolderId folder : {ann.folder.id, bob.folder.id}) {
    batch.folder = folder;
    run(journal->open_batch(target, batch));
  }
  Record record = record_of(ann, {});
  record.renamed = {{key("a"), key("b")}, {key("b"), key("a")}};  // at once
  run(journal->record(record));
  const std::vector<OpenBatch> open = run(journal->open_batches(target));
  REQUIRE(open.size() == 2);
  CHECK(open[0].keys == std::vector<MessageKey>{key("b"), key("a"), key("c")});
  CHECK(open[1].keys == std::vector<MessageKey>{key("a"), key("b"), key("c")});
}

TEST_CASE("The target folder's watermark is set as told, and its UIDNEXT only rises") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  const TargetFolderId target = ann.folder.target_folder;
  TargetFolderRecord found = run(journal->target_folder(target));
  CHECK(found.id == target);
  CHECK(found.watermark == Uid{1});
  CHECK(found.uid_next_seen == Uid{0});
  CHECK_FALSE(found.uid_validity);

  Record record = record_of(ann, {});
  record.watermark = Uid{90};
  record.target_uid_validity = 17;
  record.uid_next_seen = Uid{100};
  run(journal->record(record));
  Record later = record_of(ann, {});
  later.uid_next_seen = Uid{95};
  run(journal->record(later));
  found = run(journal->target_folder(target));
  CHECK(found.watermark == Uid{90});
  CHECK(found.uid_validity == 17u);
  CHECK(found.uid_next_seen == Uid{100});
}

TEST_CASE("Flags are updated for the keys that have rows") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  run(journal->record(record_of(ann, {row(key(1), 1), row(key(2), 2)})));
  Flags flags;
  flags.add("\\Answered");
  flags.add("Work");
  std::vector<std::pair<MessageKey, Flags>> changes{{key(2), flags}, {key(3), flags}};
  run(journal->update_flags(ann.folder.id, changes));
  const std::vector<MessageRow> rows = run(journal->rows(ann.folder.id, MessageKey(), 10));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].flags.names() == std::vector<std::string>{"\\Seen"});
  CHECK(rows[1].flags == flags);
}

TEST_CASE("Forgotten keys have neither row nor failure") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  Record record = record_of(ann, {row(key(1), 1), row(key(2), 2)});
  record.failures.push_back({key(3), 1, "NO", ann.run});
  run(journal->record(record));
  run(journal->forget(ann.folder.id, {key(1), key(3), key(99)}));
  CHECK(run(journal->failures(ann.folder.id)).empty());
  const std::vector<MessageRow> rows = run(journal->rows(ann.folder.id, MessageKey(), 10));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].key == key(2));
}

TEST_CASE("What a record forgets is gone before its rows are written") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  run(journal->record(record_of(ann, {row(key("old"), 1), row(key("same"), 2)})));
  Record record = record_of(ann, {row(key("new"), 1), row(key("same"), 3)});
  record.forget = {key("old"), key("same")};
  run(journal->record(std::move(record)));
  const std::vector<MessageRow> rows = run(journal->rows(ann.folder.id, MessageKey(), 9));
  REQUIRE(rows.size() == 2);
  CHECK(same(rows[0], row(key("new"), 1)));
  CHECK(same(rows[1], row(key("same"), 3)));
}

TEST_CASE("What may be removed from the source was copied by then, and has not been dealt with") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  std::vector<MessageRow> rows;
  for (std::uint32_t uid = 1; uid <= 6; ++uid) {
    rows.push_back(row(key(uid), uid));
    rows.back().copied_at = uid * 100;
    if (uid < 6) rows.back().state = static_cast<MessageState>(uid - 1);
  }
  run(journal->record(record_of(ann, std::move(rows))));
  const auto keys = [&](std::int64_t until, MessageKey after, std::size_t limit) {
    std::vector<std::uint32_t> found;
    for (const MessageRow& each : run(journal->removable(ann.folder.id, until, after, limit)))
      found.push_back(each.key.uid().value);
    return found;
  };
  CHECK(keys(1000, {}, 9) == std::vector<std::uint32_t>{1, 2, 3, 6});
  CHECK(keys(200, {}, 9) == std::vector<std::uint32_t>{1, 2});
  CHECK(keys(99, {}, 9).empty());
  CHECK(keys(1000, {}, 1) == std::vector<std::uint32_t>{1});
  CHECK(keys(1000, key(2), 9) == std::vector<std::uint32_t>{3, 6});

  run(journal->set_state(ann.folder.id, {key(1), key(6), key(77)}, MessageState::removed));
  CHECK(keys(1000, {}, 9) == std::vector<std::uint32_t>{2, 3});
  CHECK(run(journal->rows_for(ann.folder.id, {key(6)})).at(0).state == MessageState::removed);
}

TEST_CASE("A new UIDVALIDITY at the source voids the folder and nothing else") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal, "ann");
  const Crossing bob = begin_crossing(run, *journal.journal, "bob");
  const TargetFolderId target = ann.folder.target_folder;
  OpenBatch batch;
  batch.keys = {key(4)};
  batch.flags = {Flags::parse("\\Seen work")};
  batch.uid_next = Uid{10};
  batch.folder = ann.folder.id;
  run(journal->open_batch(target, batch));
  batch.folder = bob.folder.id;
  run(journal->open_batch(target, batch));
  Record record = record_of(ann, {row(key(1), 1)});
  record.failures.push_back({key(2), 1, "NO", ann.run});
  record.watermark = Uid{10};
  record.uid_next_seen = Uid{12};
  run(journal->record(record));
  Record others = record_of(bob, {row(key(1), 2)});
  others.watermark = Uid{10};
  run(journal->record(others));
  run(journal->complete(ann.folder.id, FolderNumbers{}, "x", 1));

  Record noted = record_of(ann, {});
  noted.source_uid_validity = 5;
  run(journal->record(noted));
  CHECK(run(journal->rows(ann.folder.id, MessageKey(), 10)).size() == 1);
  CHECK(run(journal->folders(ann.account))[0].completed);
  CHECK(run(journal->folders(ann.account))[0].source_uid_validity == 5u);

  noted.source_uid_validity = 6;
  noted.void_keys = true;
  run(journal->record(noted));
  CHECK(run(journal->rows(ann.folder.id, MessageKey(), 10)).empty());
  CHECK(run(journal->failures(ann.folder.id)).empty());
  CHECK_FALSE(run(journal->folders(ann.account))[0].completed);
  CHECK(run(journal->folders(ann.account))[0].source_uid_validity == 6u);
  CHECK_FALSE(run(journal->folders(ann.account))[0].matched);
  CHECK(run(journal->folders(bob.account))[0].matched);
  CHECK(run(journal->target_folder(target)).watermark == Uid{10});
  CHECK(run(journal->target_folder(target)).uid_next_seen == Uid{12});
  const std::vector<OpenBatch> open = run(journal->open_batches(target));
  REQUIRE(open.size() == 2);  // what may still arrive is waited for
  CHECK(open[0].keys.empty());
  CHECK(open[0].uid_next == Uid{1});
  CHECK(open[1].folder == bob.folder.id);
  CHECK(open[1].keys == std::vector<MessageKey>{key(4)});
  REQUIRE(open[1].flags.size() == 1);
  CHECK(open[1].flags[0] == Flags::parse("\\Seen work"));
  CHECK(run(journal->rows(bob.folder.id, MessageKey(), 10)).size() == 1);
}

TEST_CASE("A replaced target folder loses its UIDs, watermark and batches, of every account") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal, "ann");
  const Crossing bob = begin_crossing(run, *journal.journal, "bob");
  const TargetFolderId target = ann.folder.target_folder;
  const FolderRecord other = run(journal->folder(ann.account, name("Other"), name("Other")));
  Record elsewhere;
  elsewhere.folder = other.id;
  elsewhere.target_folder = other.target_folder;
  elsewhere.rows = {row(key(1), 8)};
  elsewhere.watermark = Uid{9};
  run(journal->record(elsewhere));
  Record record = record_of(ann, {row(key(1), 1)});
  record.watermark = Uid{10};
  record.uid_next_seen = Uid{12};
  record.target_uid_validity = 1;
  run(journal->record(record));
  run(journal->record(record_of(bob, {row(key(1), 2)})));
  run(journal->complete(bob.folder.id, FolderNumbers{}, "x", 1));
  OpenBatch batch;
  batch.folder = ann.folder.id;
  batch.uid_validity = 1;
  run(journal->open_batch(target, batch));

  CHECK(run(journal->folders(ann.account))[0].matched);
  run(journal->reset_target_folder(target, 2));
  CHECK(run(journal->named(target, Uid{1})).empty());
  const std::vector<OpenBatch> open = run(journal->open_batches(target));
  REQUIRE(open.size() == 1);  // what may still arrive is waited for
  CHECK(open[0].uid_validity == 0);  // what was sent to another
  CHECK(open[0].uid_next == Uid{1});
  CHECK_FALSE(run(journal->folders(ann.account))[0].matched);
  const TargetFolderRecord found = run(journal->target_folder(target));
  CHECK(found.watermark == Uid{1});
  CHECK(found.uid_next_seen == Uid{0});
  CHECK(found.uid_validity == 2u);
  CHECK(run(journal->rows(ann.folder.id, MessageKey(), 10))[0].target_uid == Uid{0});
  CHECK(run(journal->rows(bob.folder.id, MessageKey(), 10))[0].target_uid == Uid{0});
  CHECK_FALSE(run(journal->folders(bob.account))[0].completed);
  CHECK(numbers(run(journal->named(other.target_folder, Uid{1}))) == std::vector<std::uint32_t>{8});
  CHECK(run(journal->target_folder(other.target_folder)).watermark == Uid{9});
}

TEST_CASE("A failure that is accepted stays accepted when it is refused again") {
  AnyJournal journal(GENERATE(false, true));
  Runner run;
  const Crossing ann = begin_crossing(run, *journal.journal);
  Record record = record_of(ann, {});
  record.failures.push_back({key(1), 10, "NO", ann.run});
  run(journal->record(record));
  CHECK_FALSE(run(journal->failures(ann.folder.id)).at(0).accepted);
  run(journal->accept_failures(ann.folder.id));
  record.failures.push_back({key(2), 10, "NO", ann.run});
  run(journal->record(record));
  const std::vector<FailureRow> failures = run(journal->failures(ann.folder.id));
  CHECK(failures.at(0).accepted);
  CHECK_FALSE(failures.at(1).accepted);
}
