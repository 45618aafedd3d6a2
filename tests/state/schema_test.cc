// Files of every released format open, and mean what they meant.

#include "state/schema.h"

#include <catch2/catch.hpp>
#include <map>

#include "state/sqlite.h"
#include "state/sqlite_journal.h"
#include "tests/state/journal_fixture.h"

using namespace postferry;
using namespace postferry::tests;

namespace {

/// Format 1 as it was written. Never edit it: files like this are out there.
constexpr const char* kFormat1 =
#include "tests/state/format1.sql.inc"
    ;

}  // namespace

TEST_CASE("A journal of format 1 opens with its account, folders, messages and batches") {
  TempDirectory directory;
  const std::string path = directory / "old.db";
  {
    state::Database old = state::Database::open(path, state::Database::Mode::create);
    old.execute(kFormat1);
  }
  Runner run;
  const std::unique_ptr<Journal> journal = open_journal(path);
  const AccountId account = run(journal->account("ann", "imap://ann@old", "imap://ann@new"));
  CHECK(account == AccountId{3});
  CHECK_FALSE(run(journal->is_new(account)));

  const std::vector<FolderRecord> folders = run(journal->folders(account));
  REQUIRE(folders.size() == 1);
  CHECK(folders[0].source == name("Sent Items"));
  CHECK(folders[0].target == name("Sent"));
  CHECK(folders[0].source_uid_validity == 77u);
  REQUIRE(folders[0].completed);
  CHECK(folders[0].completed->highest_modseq == 12u);
  CHECK(folders[0].completed_present == 2);
  CHECK(folders[0].options_hash == "hash");

  const TargetFolderRecord target = run(journal->target_folder(folders[0].target_folder));
  CHECK(target.uid_validity == 88u);
  CHECK(target.watermark == Uid{40});
  CHECK(target.uid_next_seen == Uid{41});

  const std::vector<MessageRow> rows = run(journal->rows(folders[0].id, MessageKey(), 10));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].key == key(7));
  CHECK(rows[0].size_bytes == 1500);
  REQUIRE(rows[0].sha256);
  CHECK((*rows[0].sha256)[31] == 0x1f);
  CHECK(rows[0].flags.names() == std::vector<std::string>{"\\Seen", "$Forwarded"});
  CHECK(rows[0].target_uid == Uid{39});
  CHECK(rows[0].date == InternalDate{1'600'000'000, -300});
  CHECK(rows[0].origin == Origin::appended);
  CHECK_FALSE(rows[0].repairs);
  CHECK(rows[1].key == key("uidl-8"));
  CHECK_FALSE(rows[1].sha256);
  CHECK_FALSE(rows[1].date);
  CHECK(rows[1].origin == Origin::adopted);
  for (const MessageRow& row : rows) {
    CHECK(row.copied_at == 1'700'000'100);  // when the run had ended
    CHECK(row.state == MessageState::copied);
    CHECK_FALSE(row.listed_bytes);
    CHECK_FALSE(row.header);
  }

  CHECK(run(journal->failures(folders[0].id)).at(0).text == "NO message contains NUL");
  CHECK_FALSE(run(journal->failures(folders[0].id)).at(0).accepted);
  for (const RunRecord& record : run(journal->runs(account, 9)))
    CHECK(record.ledger.folders.empty());
  CHECK(run(journal->traffic("imap://ann@old", Direction::down, 0)).empty());
  run(journal->add_traffic("imap://ann@old", Direction::down, {472'222, 9}));
  CHECK(run(journal->traffic("imap://ann@old", Direction::down, 0)).at(0).bytes == 9);
  const std::vector<OpenBatch> batches = run(journal->open_batches(folders[0].target_folder));
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].keys == std::vector<MessageKey>{key(9), key("x\"y")});
}

TEST_CASE("Why a message was left at the source, once known by its words, becomes a number") {
  TempDirectory directory;
  const std::string path = directory / "old.db";
  {
    state::Database old = state::Database::open(path, state::Database::Mode::create);
    old.execute(kFormat1);
    old.execute(R"sql(
      INSERT INTO failure (folder, key, size, text, run)
        SELECT message.folder, message.key, 1,
               'left at the source: it cannot be proved that this is what was copied under that name', 1
          FROM message WHERE message.key = 7;
      INSERT INTO failure (folder, key, size, text, run)
        SELECT folder, 500, 1, 'left at the source: says a server', 1 FROM message WHERE key = 7;
    )sql");
  }
  Runner run;
  const std::unique_ptr<Journal> journal = open_journal(path);
  const AccountId account = run(journal->account("ann", "imap://ann@old", "imap://ann@new"));
  const FolderId folder = run(journal->folders(account)).at(0).id;
  std::map<std::string, std::optional<LeftBecause>> left;
  for (const FailureRow& failure : run(journal->failures(folder)))
    left[failure.key.to_string()] = failure.left;
  CHECK(left.at("UID 7") == LeftBecause::not_proved);
  CHECK_FALSE(left.at("UID 500"));  // it has not crossed: these are a server's words
}

TEST_CASE("A new journal has the tables that are documented, and views in words") {
  TempDirectory directory;
  const std::string path = directory / "j.db";
  Runner run;
  {
    const std::unique_ptr<Journal> journal = open_journal(path);
    const Crossing ann = begin_crossing(run, *journal);
    run(journal->record(record_of(ann, {row(key(1), 5)})));
  }
  state::Database database = state::Database::open(path, state::Database::Mode::read_only);
  for (const char* table : {"account", "folder", "message", "batch", "failure", "run", "traffic"}) {
    state::Query query =
        database.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
    CHECK(query.bind({table}).step());
  }
  state::Query query = database.query(
      "SELECT account, folder, flags, target, target_uid, date_utc, origin, copied_utc, state"
      " FROM messages");
  REQUIRE(query.step());
  CHECK(query.text(0) == "ann");
  CHECK(query.text(1) == "INBOX");
  CHECK(query.text(2) == "\\Seen");
  CHECK(query.text(3) == "INBOX");
  CHECK(query.integer(4) == 5);
  CHECK(query.text(5) == "2023-11-14 22:13:20");
  CHECK(query.text(6) == "appended");
  CHECK(query.text(7) == "2023-11-14 22:15:00");
  CHECK(query.text(8) == "copied");
}

TEST_CASE("The look-ups by target UID use the index") {
  TempDirectory directory;
  const std::string path = directory / "j.db";
  open_journal(path);
  state::Database database = state::Database::open(path, state::Database::Mode::read_only);
  state::Query query = database.query(
      "EXPLAIN QUERY PLAN SELECT DISTINCT target_uid FROM message WHERE target_uid >= 5"
      " AND folder IN (SELECT id FROM folder WHERE target_folder = 1)"
      " ORDER BY target_uid");
  std::string plan;
  while (query.step()) plan += std::string(query.text(3)) + "\n";
  CHECK_THAT(plan, Catch::Contains("message_at (folder=? AND target_uid>?)"));
}
