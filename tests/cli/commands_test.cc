// What commands make of the journal that they find.
#include "cli/commands/commands.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/commands/job.h"
#include "cli/commands/pair.h"
#include "cli/eml_files.h"
#include "cli/log.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/error.h"
#include "state/sqlite_journal.h"

using namespace postferry;
using namespace postferry::cli;

namespace {

struct Directory {
  Directory() {
    char name[] = "/tmp/postferry-commands-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

/// An account of a job, and what was run on it.
struct Account {
  Account() {
    options.account = "ann";
    options.source = parse_endpoint("imaps://ann@old.example");
    options.target = parse_endpoint("imaps://ann@new.example");
  }
  void ran(const char* command, Outcome outcome) {
    const AccountIdentity identity = identity_of(options);
    const AccountId account = block_on(
        executor,
        journal->account(identity.name, identity.source_identity, identity.target_identity));
    const RunId run = block_on(executor, journal->begin_run(account, ++now, command));
    Ledger ledger;
    ledger.outcome = outcome;
    block_on(executor, journal->end_run(run, ++now, ledger));
  }
  AccountPast past() { return block_on(executor, pasts_of(*journal, {options})).at(0); }

  ManualExecutor executor;
  std::unique_ptr<Journal> journal = open_journal_in_memory();
  PairOptions options;
  std::int64_t now = 1'700'000'000;
};

}  // namespace

TEST_CASE("an account is complete by its last copy, which a retry is none of") {
  Account account;
  CHECK_FALSE(account.past().complete());
  account.ran("retry", Outcome::complete);
  CHECK_FALSE(account.past().complete());
  account.ran("copy", Outcome::interrupted);
  account.ran("retry", Outcome::complete);
  CHECK_FALSE(account.past().complete());
  account.ran("copy", Outcome::complete);
  CHECK(account.past().complete());
  account.ran("retry", Outcome::partial);
  CHECK(account.past().complete());
  CHECK(account.past().last->command == "retry");
}

TEST_CASE("an account of which anything was taken back is not complete until the next copy") {
  Account account;
  account.ran("copy", Outcome::complete);
  account.ran("undo 1", Outcome::complete);
  CHECK_FALSE(account.past().complete());
  account.ran("retry", Outcome::complete);
  CHECK_FALSE(account.past().complete());
  account.ran("copy", Outcome::complete);
  CHECK(account.past().complete());
}

TEST_CASE("a pair that a job's journal does not know is wrong usage, and verified without it") {
  const Directory directory;
  const std::string journal = directory.path + "/job.db";
  {
    ManualExecutor executor;
    block_on(executor, open_journal(journal)->account("ann", "imaps://ann@a", "imaps://ann@b"));
  }
  for (const char* folder :
       {"/from/cur", "/from/new", "/from/tmp", "/to/cur", "/to/new", "/to/tmp"})
    std::filesystem::create_directories(directory.path + folder);
  const auto options = [&](const char* command) {
    return *parse_command_line({command, "maildir:" + directory.path + "/from",
                                "maildir:" + directory.path + "/to", "--journal", journal})
                .run;
  };
  Terminal terminal(2);
  Log log(terminal, Level::error);
  const auto kind_of = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::transient;
  };
  CHECK(kind_of([&] { run_status(options("status")); }) == ErrorKind::usage);
  CHECK(kind_of([&] { run_report(options("report")); }) == ErrorKind::usage);
  CHECK(kind_of([&] { run_failed(options("failed"), terminal, log); }) == ErrorKind::usage);
  const Report report = run_verify(options("verify"), terminal, log);
  CHECK(report.ledger.outcome == Outcome::complete);
  CHECK_FALSE(report.verify->journal_known);
}

TEST_CASE("a message that is there already is as good as written; another file stays") {
  const Directory directory;
  ManualExecutor executor;
  const std::string path = directory.path + "/one.eml";
  const auto written = [&](const std::string& text) {
    return block_on(executor, write_eml(Body(text), path));
  };
  CHECK(written("From: ann\r\n\r\n"));
  CHECK(written("From: ann\r\n\r\n"));
  CHECK_FALSE(written("From: bob\r\n\r\n"));
  CHECK_FALSE(written("From: ann\r\n\r\nmore"));
  CHECK(std::filesystem::file_size(path) == 13);
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/dev/null", path);
  CHECK_FALSE(written(""));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path))
    files += entry.path().extension() == ".part";
  CHECK(files == 0);
}

TEST_CASE("a message is written to a file of its own, wherever that is named from") {
  const Directory directory;
  const std::string before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path);
  ManualExecutor executor;
  for (const std::string& into : {std::string(), std::string("originals/"), directory.path + "/"}) {
    if (!into.empty()) make_directory(into.substr(0, into.size() - 1));
    block_on(executor, write_eml(Body(std::string("From: ann\r\n\r\n")), into + "one.eml"));
    CHECK(std::filesystem::file_size(into + "one.eml") == 13);
    std::filesystem::remove(into + "one.eml");
  }
  std::filesystem::current_path(before);
}
