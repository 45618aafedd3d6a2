#include "cli/job_program.h"

#include <algorithm>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/format.h"
#include "cli/job_file.h"
#include "cli/job_ledger_text.h"
#include "cli/ledger_json.h"
#include "cli/log.h"
#include "cli/output.h"
#include "cli/report_csv.h"
#include "cli/report_html.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

ExitCode code_of(const JobReport& report) {
  std::vector<Ledger> ledgers;
  for (const Report& account : report.accounts) ledgers.push_back(account.ledger);
  return exit_code(ledgers);
}

/// Whether the command asks the journal alone.
bool looks_back(Command command) {
  return command == Command::status || command == Command::report;
}

std::string text_of(const PairOptions& whole, const JobReport& report, ExitCode code) {
  switch (whole.command) {
    case Command::status:
      return job_status_text(report);
    case Command::check:
    case Command::verify:
    case Command::failed:
    case Command::undo:
      return job_each_text(report, whole.quiet);
    case Command::report:
      if (whole.format == ReportFormat::json) return job_json(report);
      if (whole.format == ReportFormat::csv) return job_csv(report);
      if (whole.format == ReportFormat::html) return job_html(report);
      return job_ledger_text(report, code_of(report), false);
    case Command::copy:
    case Command::run:
      break;
    case Command::retry:
      if (report.accounts.empty() && !whole.quiet) return "Nothing has failed.\n";
      break;
  }
  return job_ledger_text(report, code, whole.quiet);
}

ExitCode tell(const PairOptions& whole, const JobReport& report, ExitCode code,
              Terminal& terminal) {
  if (whole.json) terminal.text(job_ledger_text(report, code, true));
  if (write_stdout(whole.json ? job_json(report) : text_of(whole, report, code))) return code;
  terminal.line("postferry: stdout cannot be written");
  return code == ExitCode::complete ? ExitCode::journal : code;
}

}  // namespace

ExitCode run_on_job(const JobRequest& request, Terminal& terminal) {
  JobReport report;
  report.path = request.path;
  PairOptions whole = request.options;
  ExitCode code = ExitCode::bug;
  try {
    const Job job = load_job(request, environment);
    whole = job.whole;
    Log log(terminal, whole.quiet ? std::max(whole.log_level, Level::error) : whole.log_level);
    for (const std::string& warning : job.warnings) log.note(Level::warning, warning);
    const bool past = looks_back(whole.command);
    const bool undoes = whole.command == Command::undo;
    report = past     ? run_job_past(job)
             : undoes ? run_job_undo(job, terminal, log)
                      : run_job(job, terminal, log);
    code = past ? ExitCode::complete : code_of(report);
  } catch (const JobFileError& error) {
    code = ExitCode::job_file;
    report.faults = error.faults();
    for (const JobFault& fault : report.faults) terminal.line(fault_line(fault));
  } catch (const Error& error) {
    code = exit_code(error);
    report.failure = OtherFailure{to_string(error.kind()), error.what()};
    terminal.line(std::string("postferry: ") + error.what());
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& bug) {
    report.failure = bug_failure(bug);
    terminal.line("postferry: " + printable(report.failure->message));
  }
  return code == ExitCode::usage ? code : tell(whole, report, code, terminal);
}

}  // namespace postferry::cli
