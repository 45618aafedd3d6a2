#include "cli/options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <functional>

#include "cli/choices.h"
#include "cli/help.h"
#include "cli/option_refusal.h"
#include "cli/presets.h"
#include "cli/values.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

/// Runs `read` on an option's value and puts the option's name before what is wrong with it.
template <class Read>
auto value_of(const std::string& option, const std::string& text, Read read) {
  try {
    if (text.empty()) throw BadValue("needs a value");
    return read(text);
  } catch (const BadValue& error) {
    throw UsageError(fmt::format("{}: {}", option, error.what()));
  }
}

/// The group of options that help does not show.
constexpr const char* kHidden = "";

std::string as_is(const std::string& text) { return text; }

/// Describes options to CLI11 and fills a PairOptions from what it finds.
class Description {
 public:
  Description(CLI::App& app, PairOptions& into) : app_(app), into_(into) {}

  void all() {
    app_.add_option("SOURCE", source_);
    if (!is(Command::run)) app_.add_option("TARGET", target_);
    if (is(Command::undo) || is(Command::report)) app_.add_option("RUN", into_.run);
    if (!is(Command::status) && !is(Command::report)) logins();
    relaying();
    selection();
    if (is(Command::copy) || is(Command::run)) following();
    if (is(Command::failed)) settling();
    if (is(Command::retry)) repairing();
    working();
    side_by_side();
    talking();
  }
  const std::string& source() const { return source_; }
  const std::string& target() const { return target_; }

 private:
  /// An option with one value, given at most once.
  template <class Read, class Into>
  CLI::Option* one(const char* group, const char* name, const char* type, Into& into, Read read,
                   const char* help) {
    const auto take = [name, &into, read](const std::string& text) {
      into = value_of(name, text, read);
    };
    return app_.add_option_function<std::string>(name, take, help)->type_name(type)->group(group);
  }
  /// An option with one value that may be given again and again.
  template <class Read, class Into>
  void many(const char* group, const char* name, const char* type, Into& into, Read read,
            const char* help) {
    const auto take = [name, &into, read](const std::vector<std::string>& texts) {
      into.clear();  // of what a job file says
      for (const std::string& text : texts) into.push_back(value_of(name, text, read));
    };
    app_.add_option_function<std::vector<std::string>>(name, take, help)
        ->type_name(type)
        ->group(group)
        ->allow_extra_args(false);
  }
  void flag(const char* group, const char* name, const std::function<void()>& set,
            const char* help) {
    app_.add_flag_callback(name, set, help)->group(group)->disable_flag_override();
  }

  bool is(Command command) const { return into_.command == command; }
  /// Whether it runs a crossing.
  bool crosses() const { return into_.carries(); }

  void logins() {
    const char* group = "Logging in";
    one(group, "--source-password-file", "FILE", into_.source_password.file, as_is,
        "The file's first line is the source's password.");
    one(group, "--target-password-file", "FILE", into_.target_password.file, as_is,
        "The same for the target.");
    one(group, "--source-password-command", "COMMAND", into_.source_password.command, as_is,
        "Run by /bin/sh at every login; the first line it prints is the password, or the token "
        "with auth=xoauth2.");
    one(group, "--target-password-command", "COMMAND", into_.target_password.command, as_is,
        "The same for the target.");
    one(group, "--timeout", "TIME", into_.timeout, parse_duration,
        "Give a server up that says nothing for so long, like 90 or 5m. Default: 120 seconds.");
  }

  void relaying() {
    if (is(Command::verify) || is(Command::undo)) return;
    const char* group = "Where SMTP and LMTP carry it";
    one(group, "--recipient", "ADDRESS", into_.recipient, parse_address,
        "Whom the mail is handed over for. Wanted where the target is smtp:, lmtp: or mx:.");
    if (is(Command::status) || is(Command::report)) return;
    one(
        group, "--envelope-sender", "ADDRESS", into_.envelope_sender,
        [](const std::string& text) { return text == "<>" ? std::string() : parse_address(text); },
        "Who sends it, for the server; <> for nobody. Default: the target's login, if that is an "
        "address.");
    flag(
        group, "--resent", [this] { into_.resent = true; },
        "Put Resent-Date, -From, -To and -Message-ID before each message's header.");
    if (!is(Command::retry)) return;
    flag(
        group, "--unknown", [this] { into_.resend_unknown = true; },
        "Send also what may have been delivered already, because its answer was lost.");
  }

  void selection() {
    if (is(Command::undo) || is(Command::status) || is(Command::report)) return;
    const char* group = crosses() || is(Command::check) ? "What is copied" : "What is looked at";
    many(group, "--folder", "GLOB", into_.folders, as_is,
         "Only folders that match; may be repeated. Default: all.");
    many(group, "--exclude", "GLOB", into_.excludes, as_is,
         "No folders that match; may be repeated; wins over --folder.");
    if (is(Command::failed) || is(Command::retry)) return;
    many(group, "--map", "FROM=TO", into_.map, parse_folder_pair,
         "Folder FROM of the source goes to TO, and all below it; / is all folders. May be "
         "repeated, the first that fits counts.");
    if (into_.command == Command::check) return;
    one(group, "--since", "DATE", into_.since, parse_instant,
        "Only messages that arrived on or after DATE (2019-07-31, or RFC 3339), UTC.");
    one(group, "--before", "DATE", into_.before, parse_instant,
        "Only messages that arrived before DATE.");
    one(group, "--max-size", "SIZE", into_.max_size_bytes, parse_size,
        "No messages larger than SIZE, like 25M or 48MiB.");
  }

  void side_by_side() {
    if (is(Command::copy)) return;
    const char* group = "Which accounts of a job, and how many at once";
    many(group, "--only", "GLOB", into_.only, as_is,
         "Only accounts whose name matches; may be repeated.");
    if (!is(Command::status) && !is(Command::report)) {
      one(
          group, "--jobs", "N", into_.jobs,
          [](const std::string& text) { return parse_whole_number(text, 1, 1000); },
          "Accounts side by side. Default: by cores and --memory.");
    }
    if (!is(Command::run) && !is(Command::retry)) return;
    if (is(Command::run)) only_by_last_run(group);
    one(
        group, "--limit-sessions", "N", into_.limit_sessions,
        [](const std::string& text) { return parse_whole_number(text, 1, 100'000); },
        "So many connections at most to each host at once, of all accounts together.");
    one(
        group, "--limit-logins", "N", into_.limit_logins,
        [](const std::string& text) { return parse_whole_number(text, 1, 100'000); },
        "So many connections a minute at most to each host.");
    one(group, "--limit-host-rate", "SIZE", into_.limit_host_rate, parse_rate,
        "So many bytes a second at most with each host, in each direction.");
  }

  void only_by_last_run(const char* group) {
    flag(
        group, "--failed", [this] { into_.failed_accounts = true; },
        "Only accounts whose last copy did not complete.");
    flag(
        group, "--skip-complete", [this] { into_.skip_complete = true; },
        "No accounts whose last copy completed.");
  }

  void settling() {
    const char* group = "What becomes of it";
    one(group, "--export", "DIR", into_.export_to, as_is,
        "Fetch these messages from SOURCE and write each to DIR as an .eml file.");
    flag(
        group, "--accept", [this] { into_.accept = true; },
        "Settle them for good: no run tries them again, and they are no failure any more.");
  }

  void repairing() {
    flag(
        "What may be altered", "--repair", [this] { into_.repair = true; },
        "Change in a message that is refused what keeps it from being taken, step by step and no "
        "more than that: line ends, NULs, mbox From lines, the header's end, 8-bit words in it, "
        "lines above 998 bytes, at last its date and its flags. Each step is told, and the "
        "original kept beside the journal in JOURNAL.originals. Without this nothing is ever "
        "altered.");
  }

  void following() {
    const char* group = "What later runs do";
    one(group, "--deletions", "keep|mirror", into_.deletions, deletions_of,
        "mirror: messages that postferry copied and that are gone from the source are removed from "
        "the target too. Default: keep.");
    flag(
        group, "--force-deletions", [this] { into_.force_deletions = true; },
        "Mirror deletions even of more than a tenth (and 20 messages), or more than half, of a "
        "folder "
        "or of the account.");
    one(group, "--after-copy", "keep|delete|delete-after=DAYS", into_.remove_after, after_copy_of,
        "What becomes of messages at the source once their copies have been seen on the target: "
        "delete removes them, delete-after=DAYS so long after they were copied. Default: keep.");
  }

  void working() {
    const char* group = "How it works";
    if (crosses() || is(Command::undo)) {
      flag(
          group, "--dry-run", [this] { into_.dry_run = true; },
          "Show what would be done; write nothing anywhere.");
    }
    if (is(Command::undo)) {
      flag(
          group, "--yes", [this] { into_.yes = true; }, "Do not ask.");
    }
    if (is(Command::verify)) {
      one(group, "--level", "count|header|bytes", into_.level, verify_level_of,
          "count: presence, size, flags and date. header: the headers of every message, too. "
          "bytes: every byte. Default: header.");
      one(group, "--against", "source|journal", into_.against, verify_against_of,
          "journal: SOURCE is not spoken to, and what the journal knows to have been copied must "
          "be on TARGET; what has come since is not seen. Default: source.");
    }
    one(group, "--journal", "FILE", into_.journal, as_is,
        "Where to remember what has been copied. Default: a file for this pair of mailboxes under "
        "$XDG_STATE_HOME/postferry or ~/.local/state/postferry.");
    if (is(Command::check)) return;
    if (is(Command::copy) || is(Command::run)) {
      flag(
          group, "--same-account", [this] { into_.same_account = true; },
          "The journal is of the same mailboxes under other names: a server that was renamed. This "
          "is checked first, by UIDVALIDITY and a sample of messages. Wants --journal for a pair.");
    }
    if (crosses()) {
      one(
          group, "--sessions", "N", into_.sessions,
          [](const std::string& text) { return parse_whole_number(text, 1, 100); },
          "Connections to each server at once. Default: 4, or 8 where the way there is long.");
      one(
          group, "--memory", "SIZE", into_.memory_bytes,
          [](const std::string& text) {
            const std::uint64_t size = parse_size(text);
            if (size < (4u << 20)) throw BadValue("less than 4MiB is too little");
            return size;
          },
          "Most message data held at once. Default: 48MiB.");
      one(group, "--limit-rate", "SIZE", into_.limit_rate, parse_rate,
          "So many bytes a second at most, in each direction, over all connections together.");
      one(
          group, "--limit-messages", "N", into_.limit_messages,
          [](const std::string& text) { return parse_whole_number(text, 1, 1'000'000); },
          "So many messages a second at most.");
      one(group, "--source-daily", "SIZE", into_.source_daily, parse_daily,
          "So many bytes a day at most come from the source, those of earlier runs counted, or "
          "none for no limit. Default: what is known of its provider, as 2500M of Gmail.");
      one(group, "--target-daily", "SIZE", into_.target_daily, parse_daily,
          "So many bytes a day at most go to the target, in the same way.");
      flag(
          group, "--no-wait", [this] { into_.wait = false; },
          "Where it must stay away for more than an hour, because a server asks for it or the "
          "day's bytes are used up, end with 75 instead of waiting.");
    }
    if (is(Command::failed) || is(Command::status) || is(Command::report)) return;
    one(
        group, "--retries", "N", into_.retries,
        [](const std::string& text) { return parse_whole_number(text, 0, 1000); },
        "How often in a row to try again after a lost line, until something moves. Default: 5.");
  }

  void talking() {
    const char* group = "What it says";
    flag(
        group, "--json", [this] { into_.json = true; },
        "Print the result as one JSON object on stdout.");
    if (is(Command::report)) {
      one(group, "--format", "text|json|csv|html", into_.format, format_of,
          "The form of the report on stdout. Default: text.");
    }
    const bool shows_progress = crosses();
    flag(
        shows_progress ? group : kHidden, "--no-progress",
        [this] { into_.progress = Progress::none; }, "No progress, neither in place nor as lines.");
    if (shows_progress || is(Command::verify) || is(Command::failed)) {
      flag(
          group, "--quiet", [this] { into_.quiet = true; },
          "Say nothing but errors, and in the end only what failed.");
    }
    one(group, "--log-level", "LEVEL", into_.log_level, level_of,
        "debug, info, warning or error. Default: info.");
    one(group, "--transcript", "FILE", into_.transcript, as_is,
        "Write all that is said with the servers to FILE; passwords are left out, mail is cut "
        "short.");
    app_.set_help_flag("-h,--help", "Show this.")->group(group);
  }

  CLI::App& app_;
  PairOptions& into_;
  std::string source_, target_;
};

Endpoint endpoint_of(const char* end, const std::string& url) {
  try {
    return parse_endpoint(url);
  } catch (const Error& error) {
    throw UsageError(
        fmt::format("{}: {}", end, error.what()),
        "Write it like imaps://ann@mail.example; `postferry copy --help` shows all forms.");
  }
}

void check_run(PairOptions& options, bool given) {
  if (options.command == Command::undo && !given) {
    throw UsageError("undo needs the number of a run, or last",
                     "`postferry status` shows the runs.");
  }
  if (options.run == "last") return;
  std::int64_t number = 0;
  const char* const end = options.run.data() + options.run.size();
  const auto [stop, error] = std::from_chars(options.run.data(), end, number);
  if (error != std::errc() || stop != end || number < 1) {
    throw UsageError(
        fmt::format("\"{}\" is no run: write its number, or last", printable(options.run, 80)));
  }
}

/// What was given of an option, in a form that can be parsed again.
void append_given(const CLI::Option& option, std::vector<std::string>& arguments) {
  if (option.count() == 0) return;
  const std::string name = option.get_name(false, false);
  if (option.get_expected_min() == 0) {
    arguments.push_back(name);
  } else {
    for (const std::string& value : option.results()) arguments.push_back(name + "=" + value);
  }
}

/// The job file comes first; `report` may have a run after it, `undo` must.
Invocation parse_job(const char* name, PairOptions options, const Description& description,
                     CLI::App& app) {
  if (description.source().empty()) {
    throw UsageError(fmt::format("{} needs a job file", name),
                     fmt::format("As in: postferry {} move.toml", name));
  }
  if (options.command == Command::copy) {
    throw UsageError("copy takes a SOURCE and a TARGET, no job file",
                     "`postferry run JOB.toml` copies its accounts.");
  }
  const bool takes_run = options.command == Command::report || options.command == Command::undo;
  const bool run_given = takes_run && !description.target().empty();
  if (run_given) options.run = description.target();
  const bool extra = !takes_run && !description.target().empty();
  if (extra || !app.remaining().empty() || (takes_run && app.count("RUN") > 0)) {
    throw UsageError("one argument too many after the job file",
                     "A name with spaces or a * in it wants quotes.");
  }
  JobRequest request{description.source(), std::move(options), {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) append_given(*option, request.arguments);
  }
  check_run(request.options, run_given);
  return {std::nullopt, std::move(request), {}};
}

/// A pair is one account: there are none to choose from.
void refuse_job_options(const CLI::App& app) {
  for (const char* name : {"--only", "--jobs", "--failed", "--skip-complete", "--limit-sessions",
                           "--limit-logins", "--limit-host-rate"}) {
    const CLI::Option* option = app.get_option_no_throw(name);
    if (option != nullptr && option->count() > 0)
      throw UsageError(fmt::format("{} is for a job file, not for a SOURCE and a TARGET", name));
  }
}

Invocation parse_pair(Command command, const char* name,
                      const std::vector<std::string>& arguments) {
  PairOptions options;
  options.command = command;
  CLI::App app("", name);
  app.allow_extras();
  Description description(app, options);
  description.all();
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), std::prev(arguments.rend())));
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, std::nullopt, command_help(app)};
  } catch (const CLI::ParseError& error) {
    refuse(app, error);
  }
  for (const std::string& argument : app.remaining()) {
    if (argument.size() > 1 && argument[0] == '-') refuse_unknown(app, argument);
  }
  if (command == Command::run || description.source().ends_with(".toml"))
    return parse_job(name, std::move(options), description, app);
  if (description.source().empty() || description.target().empty()) {
    throw UsageError(
        fmt::format("{} needs a SOURCE and a TARGET", name),
        fmt::format("As in: postferry {} imaps://ann@old.example imaps://ann@new.example", name));
  }
  if (!app.remaining().empty()) {
    // Not repeated where it may hold a password.
    const std::string extra = app.remaining()[0];
    const bool harmless = extra.find(':') == std::string::npos;
    throw UsageError(fmt::format("one argument too many{}",
                                 harmless ? ": " + printable(extra, 80) : ", a third URL"),
                     "A name with spaces or a * in it wants quotes.");
  }
  refuse_job_options(app);
  options.source = endpoint_of("SOURCE", description.source());
  options.target = endpoint_of("TARGET", description.target());
  apply_presets(options);
  check_relaying(options);
  check_together(options);
  check_run(options, app.get_option_no_throw("RUN") && app.count("RUN") > 0);
  return {std::move(options), std::nullopt, {}};
}

}  // namespace

const char* version() { return POSTFERRY_VERSION; }

void add_options(PairOptions& options, const std::vector<std::string>& arguments) {
  CLI::App app("", "");
  app.allow_extras();
  Description description(app, options);  // CLI11 calls it back while it parses
  description.all();
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    refuse(app, error);
  }
  if (!app.remaining().empty()) {
    const std::string extra = app.remaining()[0];
    throw UsageError(
        fmt::format("there is no option {}", printable(extra.substr(0, extra.find('=')), 80)));
  }
}

Invocation parse_command_line(const std::vector<std::string>& arguments) {
  const std::string hint = "`postferry --help` shows the commands.";
  if (arguments.empty()) throw UsageError("nothing to do: no command given", hint);
  const std::string& first = arguments[0];
  static constexpr std::pair<const char*, Command> kCommands[] = {
      {"copy", Command::copy},     {"run", Command::run},       {"check", Command::check},
      {"verify", Command::verify}, {"failed", Command::failed}, {"retry", Command::retry},
      {"undo", Command::undo},     {"status", Command::status}, {"report", Command::report}};
  for (const auto& [name, command] : kCommands) {
    if (first == name) return parse_pair(command, name, arguments);
  }
  if (first == "--help" || first == "-h" || first == "help")
    return {std::nullopt, std::nullopt, program_help()};
  if (first == "--version")
    return {std::nullopt, std::nullopt, fmt::format("postferry {}\n", version())};
  if (first[0] == '-') {
    throw UsageError(fmt::format("the command must come before {}", printable(first, 80)), hint);
  }
  throw UsageError(fmt::format("there is no command \"{}\"", printable(first, 80)), hint);
}

}  // namespace postferry::cli
