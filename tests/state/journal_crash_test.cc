// kill -9 loses nothing that a call has acknowledged.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "state/sqlite_journal.h"
#include "tests/state/journal_fixture.h"

using namespace postferry;
using namespace postferry::tests;

namespace {

/// Records message after message, and tells each on `pipe` once the journal has answered. Only
/// ends by being killed.
[[noreturn]] void write_until_killed(const std::string& path, int pipe) {
  try {
    const std::unique_ptr<Journal> journal = open_journal(path);
    Runner run;
    const Crossing ann = begin_crossing(run, *journal);
    for (std::uint32_t uid = 1;; ++uid) {
      OpenBatch batch;
      batch.folder = ann.folder.id;
      batch.keys = {key(uid)};
      Record record = record_of(ann, {row(key(uid), uid)});
      record.close_batches = {run(journal->open_batch(ann.folder.target_folder, batch))};
      record.watermark = Uid{uid + 1};
      run(journal->record(record));
      if (write(pipe, &uid, sizeof uid) != sizeof uid) _exit(2);
    }
  } catch (...) {
    _exit(3);
  }
}

/// Starts a writer, lets it acknowledge `count` messages, kills it, and returns the last that it
/// acknowledged.
std::uint32_t kill_after(const std::string& path, int count) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) write_until_killed(path, ends[1]);
  close(ends[1]);
  std::uint32_t last = 0;
  std::uint32_t uid = 0;
  for (int i = 0; i < count && read(ends[0], &uid, sizeof uid) == sizeof uid; ++i) last = uid;
  kill(child, SIGKILL);
  while (read(ends[0], &uid, sizeof uid) == sizeof uid) last = uid;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  return last;
}

}  // namespace

TEST_CASE("After kill -9 every acknowledged record is there, whole, and the lock is free") {
  for (const int count : {1, 7, 50, 300}) {
    TempDirectory directory;
    const std::uint32_t acknowledged = kill_after(directory / "j.db", count);
    REQUIRE(acknowledged >= static_cast<std::uint32_t>(count));

    const std::unique_ptr<Journal> journal = open_journal(directory / "j.db");
    Runner run;
    const Crossing ann = begin_crossing(run, *journal);
    const std::vector<MessageRow> rows = run(journal->rows(ann.folder.id, MessageKey(), 1'000'000));
    const std::size_t found = rows.size();
    CHECK(found >= acknowledged);
    CHECK(found <= acknowledged + 1);
    CHECK(rows.back().key == key(static_cast<std::uint32_t>(found)));
    // A row, its watermark and its batch's end came together.
    CHECK(run(journal->target_folder(ann.folder.target_folder)).watermark ==
          Uid{static_cast<std::uint32_t>(found) + 1});
    CHECK(run(journal->open_batches(ann.folder.target_folder)).size() <= 1);
  }
}
