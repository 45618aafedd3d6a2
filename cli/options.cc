#include "cli/options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <functional>
#include <numeric>

#include "cli/help.h"
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

int whole_number(const std::string& text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw BadValue(fmt::format("\"{}\" is not a whole number between {} and {}",
                               printable(text, 80), least, most));
  }
  return value;
}

Level level_of(const std::string& text) {
  for (Level level : {Level::debug, Level::info, Level::warning, Level::error}) {
    static constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
    if (text == kNames[static_cast<int>(level)]) return level;
  }
  throw BadValue(
      fmt::format("\"{}\" is no level; write debug, info, warning or error", printable(text, 80)));
}

ReportFormat format_of(const std::string& text) {
  for (ReportFormat format :
       {ReportFormat::text, ReportFormat::json, ReportFormat::csv, ReportFormat::html}) {
    static constexpr const char* kNames[] = {"text", "json", "csv", "html"};
    if (text == kNames[static_cast<int>(format)]) return format;
  }
  throw BadValue(
      fmt::format("\"{}\" is no format; write text, json, csv or html", printable(text, 80)));
}

VerifyLevel verify_level_of(const std::string& text) {
  for (VerifyLevel level : {VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes}) {
    if (text == to_string(level)) return level;
  }
  throw BadValue(
      fmt::format("\"{}\" is no level; write count, header or bytes", printable(text, 80)));
}

Deletions deletions_of(const std::string& text) {
  if (text == "keep") return Deletions::keep;
  if (text == "mirror") return Deletions::mirror;
  throw BadValue(fmt::format("\"{}\" is neither keep nor mirror", printable(text, 80)));
}

std::optional<std::chrono::days> after_copy_of(const std::string& text) {
  constexpr std::string_view kLater = "delete-after=";
  if (text == "keep") return std::nullopt;
  if (text == "delete") return std::chrono::days(0);
  if (!text.starts_with(kLater))
    throw BadValue(fmt::format("\"{}\" is neither keep nor delete nor delete-after=DAYS",
                               printable(text, 80)));
  return std::chrono::days(whole_number(text.substr(kLater.size()), 0, 36'500));
}

/// Describes options to CLI11 and fills a PairOptions from what it finds.
class Description {
 public:
  Description(CLI::App& app, PairOptions& into) : app_(app), into_(into) {}

  void all() {
    app_.add_option("SOURCE", source_);
    app_.add_option("TARGET", target_);
    if (is(Command::undo) || is(Command::report)) app_.add_option("RUN", into_.run);
    if (!is(Command::status) && !is(Command::report)) logins();
    relaying();
    selection();
    if (is(Command::copy)) following();
    if (is(Command::failed)) settling();
    if (!is(Command::check)) working();
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
  bool crosses() const { return is(Command::copy) || is(Command::retry); }

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
    if (!is(Command::copy) && !is(Command::check) && !is(Command::verify)) return;
    many(group, "--map", "FROM=TO", into_.map, parse_folder_pair,
         "Folder FROM of the source goes to TO; may be repeated.");
    if (into_.command == Command::check) return;
    one(group, "--since", "DATE", into_.since, parse_instant,
        "Only messages that arrived on or after DATE (2019-07-31, or RFC 3339), UTC.");
    one(group, "--before", "DATE", into_.before, parse_instant,
        "Only messages that arrived before DATE.");
    one(group, "--max-size", "SIZE", into_.max_size_bytes, parse_size,
        "No messages larger than SIZE, like 25M or 48MiB.");
  }

  void settling() {
    const char* group = "What becomes of it";
    one(group, "--export", "DIR", into_.export_to, as_is,
        "Fetch these messages from SOURCE and write each to DIR as an .eml file.");
    flag(
        group, "--accept", [this] { into_.accept = true; },
        "Settle them for good: no run tries them again, and they are no failure any more.");
  }

  void following() {
    const char* group = "What later runs do";
    one(group, "--deletions", "keep|mirror", into_.deletions, deletions_of,
        "mirror: messages that postferry copied and that are gone from the source are removed from "
        "the target too. Default: keep.");
    flag(
        group, "--force-deletions", [this] { into_.force_deletions = true; },
        "Mirror deletions even of more than a tenth of a folder.");
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
      flag(group, "--yes", [this] { into_.yes = true; }, "Do not ask.");
    }
    if (is(Command::verify)) {
      one(group, "--level", "count|header|bytes", into_.level, verify_level_of,
          "count: presence, size, flags and date. header: the headers of every message, too. "
          "bytes: every byte. Default: header.");
    }
    one(group, "--journal", "FILE", into_.journal, as_is,
        "Where to remember what has been copied. Default: a file for this pair of mailboxes under "
        "$XDG_STATE_HOME/postferry or ~/.local/state/postferry.");
    if (crosses()) {
      one(
          group, "--sessions", "N", into_.sessions,
          [](const std::string& text) { return whole_number(text, 1, 100); },
          "Connections to each server at once. Default: 4, or 8 where the way there is long.");
      one(
          group, "--memory", "SIZE", into_.memory_bytes,
          [](const std::string& text) {
            const std::uint64_t size = parse_size(text);
            if (size < (4u << 20)) throw BadValue("less than 4MiB is too little");
            return size;
          },
          "Most message data held at once. Default: 48MiB.");
    }
    if (is(Command::failed) || is(Command::status) || is(Command::report)) return;
    one(
        group, "--retries", "N", into_.retries,
        [](const std::string& text) { return whole_number(text, 0, 1000); },
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

/// How many letters must change to make `a` of `b`.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

[[noreturn]] void refuse_unknown(const CLI::App& app, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  std::string best;
  std::size_t best_distance = 4;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->nonpositional()) continue;
    const std::string candidate = option->get_name(false, false);
    if (const std::size_t far = distance(name, candidate); far < best_distance) {
      best_distance = far;
      best = candidate;
    }
  }
  throw UsageError(fmt::format("there is no option {}", printable(name, 80)),
                   best.empty()
                       ? fmt::format("`postferry {} --help` shows all options.", app.get_name())
                       : fmt::format("Did you mean {}?", best));
}

/// CLI11's complaint in our words.
[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error) {
  const std::string text = error.what();
  const std::string name = text.substr(0, text.find(':'));
  const std::string hint = fmt::format("`postferry {} --help` shows how.", app.get_name());
  if (text.find("required but received") != std::string::npos) {
    throw UsageError(fmt::format("{} is given more than once", printable(name, 80)), hint);
  }
  if (const std::size_t at = text.find(" was given a disallowed flag"); at != std::string::npos) {
    throw UsageError(fmt::format("--{} takes no value", printable(text.substr(0, at), 80)), hint);
  }
  if (text.find("missing") != std::string::npos) {
    throw UsageError(fmt::format("{} needs a value", printable(name, 80)), hint);
  }
  throw UsageError(printable(text), hint);
}

void check_together(const PairOptions& options) {
  for (const auto& [password, end] : {std::pair{&options.source_password, "source"},
                                      std::pair{&options.target_password, "target"}}) {
    if (password->file && password->command) {
      throw UsageError(
          fmt::format("--{0}-password-file and --{0}-password-command exclude each other", end));
    }
  }
  const auto useless = [](const char* end, const Endpoint& endpoint, const PasswordOptions& given) {
    if (endpoint.has_login() || (!given.file && !given.command)) return;
    throw UsageError(
        fmt::format("the {} {} takes no password", end, printable(endpoint.to_string())));
  };
  useless("source", options.source, options.source_password);
  useless("target", options.target, options.target_password);
  if (options.since && options.before && *options.since >= *options.before) {
    throw UsageError("no message arrived both since --since and before --before",
                     "--since must be the earlier of the two.");
  }
  if (options.force_deletions && options.deletions != Deletions::mirror) {
    throw UsageError("--force-deletions means nothing without --deletions mirror");
  }
  if (options.deletions == Deletions::mirror && options.source.protocol == Protocol::pop3) {
    throw UsageError(
        "deletions cannot be mirrored from POP3: it does not tell why a message is gone");
  }
  if (options.deletions == Deletions::mirror && options.remove_after) {
    throw UsageError("--deletions mirror and --after-copy delete exclude each other",
                     "What is deleted at the source after its copy must stay on the target.");
  }
  if (options.target.protocol == Protocol::pop3) {
    throw UsageError("POP3 cannot take mail, so it cannot be a target",
                     "Give the target's IMAP server, as in imaps://ann@new.example.");
  }
  if (options.target.protocol == Protocol::eml) {
    throw UsageError(".eml files are read, not written: they cannot be a target",
                     "Give a Maildir or an mbox, as in maildir:/backup/ann.");
  }
  if (options.source.identity() == options.target.identity()) {
    throw UsageError(fmt::format("source and target are the same account, {}",
                                 printable(options.source.to_string())));
  }
}

/// What a target that only takes mail needs, and what it cannot do.
void check_relay(PairOptions& options) {
  if (options.source.relays()) {
    throw UsageError("SMTP and LMTP only take mail, so they cannot be a source");
  }
  if (!options.target.relays()) {
    const char* given = options.recipient         ? "--recipient"
                        : options.envelope_sender ? "--envelope-sender"
                        : options.resent          ? "--resent"
                        : options.resend_unknown  ? "--unknown"
                                                  : nullptr;
    if (given != nullptr)
      throw UsageError(fmt::format("{} means nothing with the target {}", given,
                                   printable(options.target.to_string())),
                       "It is for smtp:, lmtp: and mx:.");
    return;
  }
  const char* const kBlind = "A relay takes mail and tells nothing of what became of it.";
  if (options.command == Command::verify) throw UsageError("a relay cannot be verified", kBlind);
  if (options.command == Command::undo)
    throw UsageError("what was handed to a relay cannot be taken back", kBlind);
  if (options.remove_after)
    throw UsageError("--after-copy cannot delete what went to a relay: its copy is never seen",
                     kBlind);
  if (options.deletions == Deletions::mirror)
    throw UsageError("--deletions mirror means nothing with a relay", kBlind);
  if (!options.map.empty()) throw UsageError("--map means nothing with a relay: it has no folders");
  if (!options.recipient)
    throw UsageError(fmt::format("the target {} needs --recipient ADDRESS",
                                 printable(options.target.to_string())),
                     "It says for whom the mail is handed over.");
  options.target.recipient = *options.recipient;
  options.target.envelope_sender = options.envelope_sender;
  options.target.resent = options.resent;
}

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
                     "`postferry status SOURCE TARGET` shows the runs.");
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
    return {std::nullopt, command_help(app)};
  } catch (const CLI::ParseError& error) {
    refuse(app, error);
  }
  for (const std::string& argument : app.remaining()) {
    if (argument.size() > 1 && argument[0] == '-') refuse_unknown(app, argument);
  }
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
  options.source = endpoint_of("SOURCE", description.source());
  options.target = endpoint_of("TARGET", description.target());
  check_relay(options);
  check_together(options);
  check_run(options, app.get_option_no_throw("RUN") && app.count("RUN") > 0);
  return {std::move(options), {}};
}

}  // namespace

const char* version() { return POSTFERRY_VERSION; }

Invocation parse_command_line(const std::vector<std::string>& arguments) {
  const std::string hint = "`postferry --help` shows the commands.";
  if (arguments.empty()) throw UsageError("nothing to do: no command given", hint);
  const std::string& first = arguments[0];
  static constexpr std::pair<const char*, Command> kCommands[] = {
      {"copy", Command::copy},     {"check", Command::check},  {"verify", Command::verify},
      {"failed", Command::failed}, {"retry", Command::retry},  {"undo", Command::undo},
      {"status", Command::status}, {"report", Command::report}};
  for (const auto& [name, command] : kCommands) {
    if (first == name) return parse_pair(command, name, arguments);
  }
  if (first == "--help" || first == "-h" || first == "help") return {std::nullopt, program_help()};
  if (first == "--version") return {std::nullopt, fmt::format("postferry {}\n", version())};
  if (first[0] == '-') {
    throw UsageError(fmt::format("the command must come before {}", printable(first, 80)), hint);
  }
  throw UsageError(fmt::format("there is no command \"{}\"", printable(first, 80)), hint);
}

}  // namespace postferry::cli
