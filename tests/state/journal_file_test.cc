// The file: its modes, its lock, and what is said of files that are no journal.

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "state/schema.h"
#include "state/sqlite.h"
#include "state/sqlite_journal.h"
#include "tests/state/journal_fixture.h"

using namespace postferry;
using namespace postferry::tests;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Without the rights of root, for as long as it lives.
class Unprivileged {
 public:
  Unprivileged() : user_(geteuid()) {
    if (user_ == 0 && seteuid(65534) != 0) throw std::runtime_error("seteuid failed");
  }
  ~Unprivileged() {
    if (seteuid(user_) != 0) abort();
  }

 private:
  uid_t user_;
};

Error open_error(const std::string& path) {
  Error error = error_of([&] { open_journal(path); });
  CHECK(error.kind() == ErrorKind::journal);
  CHECK_THAT(error.what(), Catch::Contains(std::filesystem::path(path).filename().string()));
  return error;
}

}  // namespace

TEST_CASE("A new journal is readable by its owner alone, in directories of its own") {
  TempDirectory directory;
  const mode_t before = umask(0);
  const std::unique_ptr<Journal> journal = open_journal(directory / "state/postferry/j.db");
  umask(before);
  Runner run;
  begin_crossing(run, *journal);
  CHECK(mode_of(directory / "state") == 0700);
  CHECK(mode_of(directory / "state/postferry") == 0700);
  CHECK(mode_of(directory / "state/postferry/j.db") == 0600);
  CHECK(mode_of(directory / "state/postferry/j.db-wal") == 0600);
  CHECK(mode_of(directory / "state/postferry/j.db.lock") == 0600);
}

TEST_CASE("A journal that others may read is closed to them when it is opened to be written") {
  TempDirectory directory;
  const std::string path = directory / "j.db";
  open_journal(path).reset();
  chmod(path.c_str(), 0644);
  const std::unique_ptr<Journal> journal = open_journal(path);
  CHECK(mode_of(path) == 0600);
}

TEST_CASE("What lies where the lock belongs, and is none, is neither followed nor written to") {
  TempDirectory directory;
  const std::string path = directory / "j.db", other = directory / "other";
  std::ofstream(other) << "somebody's words, longer than any process number";
  const auto size = std::filesystem::file_size(other);
  SECTION("a link") { std::filesystem::create_symlink(other, path + ".lock"); }
  SECTION("another name of it") { std::filesystem::create_hard_link(other, path + ".lock"); }
  CHECK_THAT(open_error(path).what(), Catch::Contains(".lock"));
  CHECK(std::filesystem::file_size(other) == size);
}

TEST_CASE("A lock that a killed process left is taken over") {
  TempDirectory directory;
  const std::string path = directory / "j.db";
  std::ofstream(path + ".lock") << "12345\n";
  CHECK_NOTHROW(open_journal(path));
}

TEST_CASE("A closed journal is one file, and holds what was recorded") {
  TempDirectory directory;
  Runner run;
  Crossing ann;
  {
    const std::unique_ptr<Journal> journal = open_journal(directory / "j.db");
    ann = begin_crossing(run, *journal);
    run(journal->record(record_of(ann, {row(key(1), 1)})));
  }
  CHECK(std::filesystem::exists(directory / "j.db"));
  CHECK_FALSE(std::filesystem::exists(directory / "j.db-wal"));
  CHECK_FALSE(std::filesystem::exists(directory / "j.db.lock"));
  const std::unique_ptr<Journal> journal = open_journal(directory / "j.db");
  CHECK(begin_crossing(run, *journal).folder.id == ann.folder.id);
  CHECK(run(journal->rows(ann.folder.id, MessageKey(), 10)).size() == 1);
}

TEST_CASE("A kept connection leaves one file behind each journal, and shows it to the next") {
  TempDirectory directory;
  const std::string path = directory / "j.db";
  Runner run;
  KeptConnection kept;
  for (const char* name : {"ann", "bob"}) {
    const std::unique_ptr<Journal> journal = open_journal_on("unix", path, &kept);
    run(journal->account(name, "source", "target"));
  }
  CHECK(read_file(path + "-wal").empty());
  CHECK(read_file(path).find("bob") != std::string::npos);
  const std::unique_ptr<Journal> journal = open_journal_on("unix", path, &kept);
  CHECK(run(journal->knows("ann")));
}

TEST_CASE("A second writer is refused, and told which process holds the journal") {
  TempDirectory directory;
  const std::string path = directory / "j.db";
  std::unique_ptr<Journal> journal = open_journal(path);
  CHECK_THAT(open_error(path).what(),
             Catch::Contains("in use by process " + std::to_string(getpid())));

  std::filesystem::create_symlink(path, directory / "link.db");
  CHECK_THAT(error_of([&] { open_journal(directory / "link.db"); }).what(),
             Catch::Contains("in use"));

  const pid_t child = fork();
  if (child == 0) {
    // The child asks for the lock anew; what it inherited is its parent's.
    try {
      open_journal(path);
      _exit(1);
    } catch (const Error& error) {
      _exit(error.kind() == ErrorKind::journal ? 0 : 2);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(status == 0);

  journal.reset();
  CHECK_NOTHROW(open_journal(path));
}

TEST_CASE("A lock file that a dead process left is no lock") {
  TempDirectory directory;
  write_file(directory / "j.db.lock", "4194304\n");
  CHECK_NOTHROW(open_journal(directory / "j.db"));
}

TEST_CASE("A journal can be read while another process writes it") {
  TempDirectory directory;
  const std::unique_ptr<Journal> writer = open_journal(directory / "j.db");
  Runner run;
  const Crossing ann = begin_crossing(run, *writer);
  const std::unique_ptr<Journal> reader = open_journal_read_only(directory / "j.db");
  run(writer->record(record_of(ann, {row(key(1), 1)})));
  CHECK(run(reader->rows(ann.folder.id, MessageKey(), 10)).size() == 1);
  const Error error = error_of([&] { run(reader->record(record_of(ann, {row(key(2), 2)}))); });
  CHECK(error.kind() == ErrorKind::journal);
  CHECK_THAT(error.what(), Catch::Contains("may not be written"));
}

TEST_CASE(
    "A copy of a journal takes writes that never reach the file, and leaves nothing beside it") {
  TempDirectory directory;
  const std::string path = directory / "j?.db";
  Runner run;
  FolderId folder;
  {
    const std::unique_ptr<Journal> journal = open_journal(path);
    const Crossing ann = begin_crossing(run, *journal);
    folder = ann.folder.id;
    run(journal->record(record_of(ann, {row(key(1), 1)})));
    const std::unique_ptr<Journal> busy = open_journal_copy(path);  // while it is written
    CHECK(run(busy->rows(folder, MessageKey(), 10)).size() == 1);
  }
  {
    const std::unique_ptr<Journal> copy = open_journal_copy(path);
    const Crossing ann = begin_crossing(run, *copy);
    run(copy->record(record_of(ann, {row(key(2), 2)})));
    CHECK(run(copy->rows(folder, MessageKey(), 10)).size() == 2);
    CHECK_FALSE(std::filesystem::exists(path + "-shm"));
  }
  CHECK(run(open_journal_copy(path)->rows(folder, MessageKey(), 10)).size() == 1);
  CHECK_THROWS_AS(open_journal_copy(directory / "none.db"), Error);
}

TEST_CASE("A journal that is not there cannot be read") {
  TempDirectory directory;
  const Error error = error_of([&] { open_journal_read_only(directory / "none.db"); });
  CHECK(error.kind() == ErrorKind::journal);
  CHECK_THAT(error.what(), Catch::Contains("No such file"));
  CHECK_FALSE(std::filesystem::exists(directory / "none.db"));
}

TEST_CASE("An empty file becomes a journal") {
  TempDirectory directory;
  write_file(directory / "j.db", "");
  CHECK_NOTHROW(open_journal(directory / "j.db"));
}

TEST_CASE("A file that is no database is refused and left as it is") {
  TempDirectory directory;
  const std::string text = "Dear diary,\n" + std::string(5000, 'x');
  write_file(directory / "diary.txt", text);
  CHECK_THAT(open_error(directory / "diary.txt").what(),
             Catch::Contains("is not a postferry journal"));
  CHECK(read_file(directory / "diary.txt") == text);
}

TEST_CASE("Another program's database is refused and left as it is") {
  TempDirectory directory;
  const std::string path = directory / "other.db";
  {
    state::Database other = state::Database::open(path, state::Database::Mode::create);
    other.execute("CREATE TABLE bookmark (url TEXT)");
  }
  const std::string bytes = read_file(path);
  CHECK_THAT(open_error(path).what(), Catch::Contains("another program's database"));
  CHECK(read_file(path) == bytes);
}

TEST_CASE("A journal of a newer format is refused and left as it is") {
  TempDirectory directory;
  const std::string path = directory / "j.db";
  open_journal(path);
  {
    state::Database newer = state::Database::open(path, state::Database::Mode::create);
    newer.execute("PRAGMA user_version = 99");
  }
  const std::string bytes = read_file(path);
  CHECK_THAT(open_error(path).what(),
             Catch::Contains("format 99") && Catch::Contains("newer postferry"));
  CHECK(read_file(path) == bytes);
  CHECK_THAT(error_of([&] { open_journal_read_only(path); }).what(), Catch::Contains("format 99"));
}

TEST_CASE("A damaged journal is an error that says so") {
  TempDirectory directory;
  const std::string path = directory / "j.db";
  Runner run;
  Crossing ann;
  {
    const std::unique_ptr<Journal> journal = open_journal(path);
    ann = begin_crossing(run, *journal);
    std::vector<MessageRow> rows;
    for (std::uint32_t i = 1; i <= 2000; ++i) rows.push_back(row(key(i), i));
    run(journal->record(record_of(ann, rows)));
  }
  std::string bytes = read_file(path);
  SECTION("overwritten in the middle") {
    for (std::size_t i = 20 * 4096; i < bytes.size(); ++i) bytes[i] = static_cast<char>(0xA5);
    write_file(path, bytes);
    const Error error = error_of([&] {
      const std::unique_ptr<Journal> journal = open_journal(path);
      run(journal->rows(ann.folder.id, MessageKey(), 10'000));
    });
    CHECK(error.kind() == ErrorKind::journal);
    CHECK_THAT(error.what(), Catch::Contains("damaged") && Catch::Contains("j.db"));
  }
  SECTION("cut off") {
    write_file(path, bytes.substr(0, bytes.size() / 2));
    const Error error = error_of([&] {
      const std::unique_ptr<Journal> journal = open_journal(path);
      run(journal->rows(ann.folder.id, MessageKey(), 10'000));
    });
    CHECK(error.kind() == ErrorKind::journal);
    CHECK_THAT(error.what(), Catch::Contains("damaged") && Catch::Contains("j.db"));
  }
}

TEST_CASE("Where nothing can be written, the error says what and why") {
  TempDirectory directory;
  SECTION("a directory that cannot be made") {
    write_file(directory / "file", "");
    CHECK_THAT(open_error(directory / "file/j.db").what(), Catch::Contains("cannot"));
  }
  SECTION("a directory that may not be written") {
    std::filesystem::create_directory(directory / "locked");
    chmod((directory / "locked").c_str(), 0555);
    chmod(directory.path().c_str(), 0755);
    const Unprivileged now;
    CHECK_THAT(open_error(directory / "locked/j.db").what(), Catch::Contains("Permission denied"));
  }
  SECTION("the path of a directory") {
    std::filesystem::create_directory(directory / "j.db");
    open_error(directory / "j.db");
  }
}

TEST_CASE("Who holds a journal is told while it is held, and its runs can be read") {
  TempDirectory directory;
  const std::string path = directory / "j.db";
  Runner run;
  {
    const std::unique_ptr<Journal> journal = open_journal(path);
    const Crossing ann = begin_crossing(run, *journal);
    CHECK(journal_holder(path) == std::to_string(getpid()));
    const std::unique_ptr<Journal> reader = open_journal_read_only(path);
    CHECK(run(reader->runs(ann.account, 9)).size() == 1);
  }
  CHECK_FALSE(journal_holder(path));
  std::ofstream(path + ".lock") << "0\n";  // as no process ever wrote it
  CHECK_FALSE(journal_holder(path));
}
