#include <filesystem>

#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {

Report run_verify(const PairOptions& options, Terminal& terminal, Observer& log) {
  Wiring wiring(options, log);
  const std::string path = journal_path(options);
  const std::unique_ptr<Journal> journal =
      std::filesystem::exists(path) ? open_journal_read_only(path) : open_journal_in_memory();
  const AccountIdentity identity = identity_of(options);
  // The file may be another pair's, or a job's.
  const bool known = block_on(wiring.executor(), journal->knows(identity.name));
  const std::unique_ptr<Journal> empty = open_journal_in_memory();
  Journal& used = known ? *journal : *empty;
  StopRequest stop;
  const SignalWatch signals(wiring.executor(), options, terminal, log, stop);
  Report report;
  report.source = options.source.to_string();
  report.target = options.target.to_string();
  report.verify =
      block_on(wiring.executor(),
               verify_account({wiring.source(), wiring.target(), used, log}, identity,
                              crossing_options(options), options.level, options.against, stop));
  report.ledger = ledger_of(*report.verify);
  report.ledger.account = account_name(options);
  return report;
}

Ledger ledger_of(const VerifyReport& verify) {
  Ledger ledger;
  ledger.error = verify.error;
  ledger.seconds = verify.seconds;
  ledger.outcome = verify.stopped                           ? Outcome::interrupted
                   : verify.accounted_for()                 ? Outcome::complete
                   : verify.folders.empty() && verify.error ? Outcome::failed
                                                            : Outcome::partial;
  return ledger;
}

}  // namespace postferry::cli
