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
#include "engine/verify.h"

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
};

enum class Command { copy, check, verify, failed, retry, undo, status, report };
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
  bool dry_run = false;
  VerifyLevel level = VerifyLevel::header;
  std::optional<std::string> export_to;  // a directory
  bool accept = false;
  bool resend_unknown = false;  // retry --unknown
  bool yes = false;
  std::string run = "last";  // a number, or "last"
  ReportFormat format = ReportFormat::text;

  std::optional<int> sessions;
  std::uint64_t memory_bytes = 48u << 20;
  std::chrono::milliseconds timeout{120'000};
  int retries = 5;

  bool json = false;
  Progress progress = Progress::automatic;
  bool quiet = false;
  Level log_level = Level::info;
  std::optional<std::string> transcript;
};

/// What the command line asks for: a command to run, or a text to print on stdout (help, version)
/// with exit status 0.
struct Invocation {
  std::optional<PairOptions> run;
  std::string print;
};

/// Reads the arguments after the program's name. Throws UsageError.
Invocation parse_command_line(const std::vector<std::string>& arguments);

/// "0.1.0"
const char* version();

}  // namespace postferry::cli
