#include "cli/exit_code.h"

#include <catch2/catch.hpp>

using namespace postferry;
using namespace postferry::cli;

namespace {

Ledger ledger_with(Outcome outcome, std::optional<ErrorKind> error, bool listed) {
  Ledger ledger;
  ledger.outcome = outcome;
  if (error) ledger.error = Error(*error, "it broke");
  if (listed) ledger.folders.emplace_back();
  return ledger;
}

}  // namespace

TEST_CASE("the numbers are those of the contract") {
  CHECK(static_cast<int>(ExitCode::complete) == 0);
  CHECK(static_cast<int>(ExitCode::usage) == 64);
  CHECK(static_cast<int>(ExitCode::partial) == 65);
  CHECK(static_cast<int>(ExitCode::unreachable) == 69);
  CHECK(static_cast<int>(ExitCode::bug) == 70);
  CHECK(static_cast<int>(ExitCode::local_file) == 73);
  CHECK(static_cast<int>(ExitCode::journal) == 74);
  CHECK(static_cast<int>(ExitCode::interrupted) == 75);
  CHECK(static_cast<int>(ExitCode::protocol) == 76);
  CHECK(static_cast<int>(ExitCode::auth) == 77);
  CHECK(static_cast<int>(ExitCode::at_once) == 130);
}

TEST_CASE("each kind of error that ends the account has its status") {
  struct Row {
    ErrorKind kind;
    ExitCode before_listing, after_listing;
  };
  const Row rows[] = {
      {ErrorKind::transient, ExitCode::interrupted, ExitCode::interrupted},
      {ErrorKind::throttled, ExitCode::interrupted, ExitCode::interrupted},
      {ErrorKind::unreachable, ExitCode::unreachable, ExitCode::interrupted},
      {ErrorKind::auth, ExitCode::auth, ExitCode::auth},
      {ErrorKind::rejected, ExitCode::partial, ExitCode::partial},
      {ErrorKind::quota, ExitCode::partial, ExitCode::partial},
      {ErrorKind::protocol, ExitCode::protocol, ExitCode::protocol},
      {ErrorKind::tls, ExitCode::protocol, ExitCode::protocol},
      {ErrorKind::local, ExitCode::local_file, ExitCode::local_file},
      {ErrorKind::journal, ExitCode::journal, ExitCode::journal},
      {ErrorKind::usage, ExitCode::usage, ExitCode::usage},
  };
  for (const Row& row : rows) {
    INFO(to_string(row.kind));
    CHECK(exit_code(Error(row.kind, "x")) == row.before_listing);
    CHECK(exit_code(ledger_with(Outcome::failed, row.kind, false)) == row.before_listing);
    CHECK(exit_code(ledger_with(Outcome::interrupted, row.kind, true)) == row.after_listing);
  }
}

TEST_CASE("without an error the outcome decides") {
  CHECK(exit_code(ledger_with(Outcome::complete, {}, true)) == ExitCode::complete);
  CHECK(exit_code(ledger_with(Outcome::partial, {}, true)) == ExitCode::partial);
  CHECK(exit_code(ledger_with(Outcome::interrupted, {}, true)) == ExitCode::interrupted);
}

TEST_CASE("a folder that failed while the account went on leaves it partial") {
  Ledger ledger = ledger_with(Outcome::partial, {}, true);
  ledger.folders[0].error = Error(ErrorKind::rejected, "no such name allowed");
  CHECK(exit_code(ledger) == ExitCode::partial);
}

TEST_CASE("many accounts are complete, interrupted, or failed for one reason or several") {
  const Ledger done = ledger_with(Outcome::complete, {}, true);
  const Ledger stopped = ledger_with(Outcome::interrupted, {}, true);
  const Ledger refused = ledger_with(Outcome::failed, ErrorKind::auth, false);
  const Ledger away = ledger_with(Outcome::failed, ErrorKind::unreachable, false);
  const auto code = [](std::vector<Ledger> ledgers) { return exit_code(ledgers); };
  CHECK(code({}) == ExitCode::complete);
  CHECK(code({done, done}) == ExitCode::complete);
  CHECK(code({refused, refused}) == ExitCode::auth);
  CHECK(code({refused, away}) == ExitCode::partial);
  CHECK(code({refused, done}) == ExitCode::partial);
  CHECK(code({refused, stopped, done}) == ExitCode::interrupted);
}
