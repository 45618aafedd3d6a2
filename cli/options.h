// The command line, read into values. Opens nothing and prints nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "connectors/endpoint.h"
#include "engine/model.h"
#include "engine/observer.h"
#include "engine/proof/verify.h"
#include "engine/secret.h"

namespace postferry::cli {

/// The command line cannot be obeyed (exit 64). what() is one line; hint() says what to do, or is
/// empty.
class UsageError : public std::runtime_error {
 public:
  explicit UsageError(const std::string& reason, std::string hint = {})
      : std::runtime_error(reason), hint_(std::move(hint)) {}
  const std::string& hint() const { return hint_; }

 private:
  std::string hint_;
};

/// Where the password of one end comes from, as far as options say; at most one is set.
struct PasswordOptions {
  std::optional<std::string> file;
  std::optional<std::string> command;
  std::optional<Secret> literal;  // from a job file
};

enum class Command { copy, run, check, verify, failed, retry, undo, status, report };
enum class ReportFormat { text, json, csv, html };
enum class Progress { automatic, none };
enum class Deletions { keep, mirror };

/// Connections to each server at once, where nothing else is asked for; more where a round trip
/// takes long.
constexpr int kSessions = 4;
constexpr int kSessionsAfar = 8;

/// What a command is asked to do with a pair of mailboxes. Defaults are those of the program.
struct PairOptions {
  Command command = Command::copy;
  std::string account;  // its name in a job; empty: a pair by itself
  Endpoint source, target;
  PasswordOptions source_password, target_password;

  // For a target that relays.
  std::optional<std::string> recipient, envelope_sender;  // an empty sender is <>
  bool resent = false;

  std::vector<std::string> folders;   // globs
  std::vector<std::string> excludes;  // globs
  std::vector<std::pair<FolderName, FolderName>> map;
  std::optional<std::int64_t> since, before;  // seconds UTC
  std::optional<std::uint64_t> max_size_bytes;
  Deletions deletions = Deletions::keep;
  bool force_deletions = false;
  std::optional<std::chrono::days> remove_after;  // --after-copy; nothing: keep

  std::optional<std::string> journal;
  bool same_account = false;  // the ends may be called otherwise than the journal says
  bool dry_run = false;
  VerifyLevel level = VerifyLevel::header;
  VerifyAgainst against = VerifyAgainst::source;
  std::optional<std::string> export_to;  // a directory
  bool accept = false;
  bool resend_unknown = false;  // retry --unknown
  bool repair = false;          // retry --repair
  bool yes = false;
  std::string run = "last";  // a number, or "last"
  ReportFormat format = ReportFormat::text;

  std::optional<int> sessions;
  std::uint64_t memory_bytes = 48u << 20;
  std::chrono::milliseconds timeout{120'000};
  int retries = 5;
  std::optional<std::uint64_t> limit_rate;  // bytes a second, in each direction
  std::optional<int> limit_messages;        // a second
  /// Bytes a day that come from the source, and go to the target; 0: no limit, not even the
  /// provider's.
  std::optional<std::uint64_t> source_daily, target_daily;
  bool wait = true;  // where it must stay away for long

  // Of a job as a whole.
  int jobs = 0;                                  // accounts side by side; 0: by cores and memory
  std::vector<std::string> only;                 // accounts by name, as globs
  bool skip_complete = false;                    // accounts whose last run completed
  bool failed_accounts = false;                  // only those whose last run did not
  std::optional<int> limit_logins;               // a minute, to each host
  std::optional<int> limit_sessions;             // at once, with each host
  std::optional<std::uint64_t> limit_host_rate;  // bytes a second, with each host, each direction

  bool json = false;
  Progress progress = Progress::automatic;
  bool quiet = false;
  Level log_level = Level::info;
  std::optional<std::string> transcript;

  /// Whether mail crosses.
  bool carries() const {
    return command == Command::copy || command == Command::run || command == Command::retry;
  }
  /// Whether the mailboxes may be changed.
  bool changes_mailboxes() const { return (carries() || command == Command::undo) && !dry_run; }
};

/// A command on all accounts of a job file.
struct JobRequest {
  std::string path;
  PairOptions options;                 // as far as the command line tells them
  std::vector<std::string> arguments;  // that told them; they win over the file's
};

/// What the command line asks for: a command to run on a pair or a job, or a text to print on
/// stdout (help, version) with exit status 0.
struct Invocation {
  std::optional<PairOptions> run;
  std::optional<JobRequest> job;
  std::string print;
};

/// Reads the arguments after the program's name. Throws UsageError.
Invocation parse_command_line(const std::vector<std::string>& arguments);

/// Obeys further options of options.command, as `--name=value` each, over those that are there.
/// Throws UsageError.
void add_options(PairOptions& options, const std::vector<std::string>& arguments);

/// Gives a target that relays what it needs. Throws UsageError for what it cannot do, and for what
/// only it could.
void check_relaying(PairOptions& options);

/// Throws UsageError for options that exclude each other, or do not fit the ends.
void check_together(const PairOptions& options);

/// "0.1.0"
const char* version();

}  // namespace postferry::cli
