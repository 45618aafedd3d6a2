#include "cli/program.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <exception>

#include "cli/commands/commands.h"
#include "cli/format.h"
#include "cli/job_program.h"
#include "cli/ledger_json.h"
#include "cli/ledger_text.h"
#include "cli/log.h"
#include "cli/output.h"
#include "cli/proof_text.h"
#include "cli/report_csv.h"
#include "cli/report_html.h"
#include "cli/terminal.h"
#include "cli/verify_text.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

ExitCode refuse(Terminal& terminal, const std::string& reason, const std::string& hint) {
  terminal.line("postferry: " + printable(reason));
  if (!hint.empty()) terminal.line("  " + hint);
  return ExitCode::usage;
}

/// stdout that cannot be written is as bad as a disk that cannot.
ExitCode told(bool written, ExitCode code, Terminal& terminal) {
  if (written) return code;
  terminal.line("postferry: stdout cannot be written");
  return code == ExitCode::complete ? ExitCode::journal : code;
}

std::string past_text(const PairOptions& options, const Report& report, ExitCode code) {
  switch (options.format) {
    case ReportFormat::text:
      break;
    case ReportFormat::json:
      return ledger_json(report);
    case ReportFormat::csv:
      return report_csv(report);
    case ReportFormat::html:
      return report_html(report);
  }
  if (!report.past) return {};
  std::string text =
      fmt::format("run {}, {} UTC: {}\n", report.past->id.value, utc_text(report.past->started_at),
                  report.past->ended_at ? to_string(report.ledger.outcome)
                                        : "has not ended, or not in good order");
  if (!report.past->ended_at)
    text += counted(report.past->copied_so_far, "message", "messages") + " copied so far\n";
  if (report.ledger.error) text += printable(report.ledger.error->what()) + "\n";
  return text + ledger_text(report, code, false);
}

std::string text_of(const PairOptions& options, const Report& report, ExitCode code) {
  switch (options.command) {
    case Command::check:
      return check_text(report);
    case Command::verify:
      return report.verify ? verify_text(*report.verify, options.quiet) : "";
    case Command::failed:
      return report.failed ? failed_text(*report.failed, report.ledger, options.quiet) : "";
    case Command::undo:
      return report.undo ? undo_text(*report.undo, report.dry_run) : "";
    case Command::status:
      return report.history ? status_text(*report.history) : "";
    case Command::report:
      return past_text(options, report, exit_code(report.ledger));
    case Command::retry:
      if (code == ExitCode::complete && report.ledger.folders.empty() && !options.quiet)
        return "Nothing has failed.\n";
      break;
    case Command::copy:
    case Command::run:
      break;
  }
  return ledger_text(report, code, options.quiet);
}

Report run_command(const PairOptions& options, Terminal& terminal, Log& log) {
  switch (options.command) {
    case Command::check:
      return run_check(options, log);
    case Command::verify:
      return run_verify(options, terminal, log);
    case Command::failed:
      return run_failed(options, terminal, log);
    case Command::undo:
      return run_undo(options, terminal, log);
    case Command::status:
      return run_status(options);
    case Command::report:
      return run_report(options);
    case Command::copy:
    case Command::run:
    case Command::retry:
      break;
  }
  return run_copy(options, terminal, log);
}

ExitCode tell(const PairOptions& options, const Report& report, ExitCode code, Terminal& terminal) {
  if (options.json) {
    terminal.text(ledger_text(report, code, true));
    return told(write_stdout(ledger_json(report)), code, terminal);
  }
  return told(write_stdout(text_of(options, report, code)), code, terminal);
}

ExitCode run(const PairOptions& options, Terminal& terminal) {
  Log log(terminal, options.quiet ? std::max(options.log_level, Level::error) : options.log_level);
  Report report;
  ExitCode code = ExitCode::bug;
  try {
    report = run_command(options, terminal, log);
    if (report.past) return tell(options, report, ExitCode::complete, terminal);
    code = exit_code(report.ledger);
  } catch (const Error& error) {
    report.ledger.error = error;
    code = exit_code(error);
  } catch (const std::exception& bug) {
    report.failure = bug_failure(bug);
  }
  if (report.ledger.error || report.failure) {
    if (report.ledger.account.empty()) report.ledger.outcome = Outcome::failed;
    const std::string reason =
        report.failure ? report.failure->message : report.ledger.error->what();
    if (code == ExitCode::usage) return refuse(terminal, reason, {});
    log.note(Level::error, reason);
    const std::string hint = advice(report, code);
    if (report.ledger.folders.empty() && !hint.empty() && !options.quiet)
      terminal.line("  " + hint);
  }
  if (report.ledger.account.empty()) report.ledger.account = account_name(options);
  return tell(options, report, code, terminal);
}

}  // namespace

ExitCode run_program(const std::vector<std::string>& arguments) {
  // A peer that is gone, or a file that may grow no more, is an error of its write, not our end.
  for (int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);
  Terminal terminal(2);
  try {
    const Invocation invocation = parse_command_line(arguments);
    if (invocation.run) return run(*invocation.run, terminal);
    if (invocation.job) return run_on_job(*invocation.job, terminal);
    return told(write_stdout(invocation.print), ExitCode::complete, terminal);
  } catch (const UsageError& error) {
    return refuse(terminal, error.what(), error.hint());
  } catch (const std::exception& bug) {
    terminal.line(fmt::format("postferry: a bug: {}", printable(bug.what())));
    return ExitCode::bug;
  }
}

}  // namespace postferry::cli
