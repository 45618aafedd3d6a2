#include "cli/options.h"

#include <catch2/catch.hpp>
#include <sstream>

#include "cli/help.h"

using namespace postferry;
using namespace postferry::cli;

namespace {

const std::string kSource = "imaps://ann@old.example";
const std::string kTarget = "imaps://ann@new.example";

PairOptions copy_with(std::vector<std::string> more) {
  std::vector<std::string> arguments{"copy", kSource, kTarget};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Invocation invocation = parse_command_line(arguments);
  REQUIRE(invocation.run);
  return *invocation.run;
}

/// The reason and the hint with which the arguments are refused.
std::pair<std::string, std::string> refusal(const std::vector<std::string>& arguments) {
  try {
    (void)parse_command_line(arguments);
  } catch (const UsageError& error) {
    return {error.what(), error.hint()};
  }
  return {"(taken)", ""};
}

std::string refusal_of_copy_with(std::vector<std::string> more) {
  std::vector<std::string> arguments{"copy", kSource, kTarget};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return refusal(arguments).first;
}

using Catch::Matchers::Contains;

}  // namespace

TEST_CASE("copy with two ends has the program's defaults") {
  const PairOptions options = copy_with({});
  CHECK(options.command == Command::copy);
  CHECK(options.source.host == "old.example");
  CHECK(options.target.host == "new.example");
  CHECK_FALSE(options.sessions);
  CHECK(options.memory_bytes == 48u << 20);
  CHECK(options.timeout == std::chrono::seconds(120));
  CHECK(options.retries == 5);
  CHECK(options.deletions == Deletions::keep);
  CHECK(options.log_level == Level::info);
  CHECK_FALSE(options.json);
  CHECK_FALSE(options.dry_run);
  CHECK_FALSE(options.quiet);
  CHECK_FALSE(options.journal);
}

TEST_CASE("every option of copy reaches its value") {
  const PairOptions options = copy_with({"--journal",     "j.db",
                                         "--dry-run",     "--folder",
                                         "Work/**",       "--folder=INBOX",
                                         "--exclude",     "Junk",
                                         "--map",         "Sent=Old/Sent",
                                         "--since",       "2019-01-01",
                                         "--before",      "2020-01-01",
                                         "--max-size",    "25M",
                                         "--sessions",    "7",
                                         "--memory",      "16MiB",
                                         "--timeout",     "30",
                                         "--retries",     "0",
                                         "--no-progress", "--quiet",
                                         "--log-level",   "debug",
                                         "--transcript",  "t.log",
                                         "--json",        "--source-password-file",
                                         "s.pw",          "--target-password-command",
                                         "pass show new", "--deletions",
                                         "mirror",        "--force-deletions"});
  CHECK(options.journal == "j.db");
  CHECK(options.dry_run);
  CHECK(options.folders == std::vector<std::string>{"Work/**", "INBOX"});
  CHECK(options.excludes == std::vector<std::string>{"Junk"});
  REQUIRE(options.map.size() == 1);
  CHECK(options.map[0].second.to_string() == "Old/Sent");
  CHECK(options.since == 1546300800);
  CHECK(options.before == 1577836800);
  CHECK(options.max_size_bytes == 25'000'000u);
  CHECK(options.sessions == 7);
  CHECK(options.memory_bytes == 16u << 20);
  CHECK(options.timeout == std::chrono::seconds(30));
  CHECK(options.retries == 0);
  CHECK(options.progress == Progress::none);
  CHECK(options.quiet);
  CHECK(options.log_level == Level::debug);
  CHECK(options.transcript == "t.log");
  CHECK(options.json);
  CHECK(options.source_password.file == "s.pw");
  CHECK(options.target_password.command == "pass show new");
  CHECK(options.deletions == Deletions::mirror);
  CHECK(options.force_deletions);
}

TEST_CASE("a repeated option takes one value each time and leaves the ends alone") {
  const Invocation invocation = parse_command_line(
      {"copy", "--folder", "A", kSource, "--folder", "B", kTarget, "--exclude", "C"});
  REQUIRE(invocation.run);
  CHECK(invocation.run->folders == std::vector<std::string>{"A", "B"});
  CHECK(invocation.run->target.host == "new.example");
}

TEST_CASE("check takes what concerns looking and refuses what concerns copying") {
  const Invocation invocation =
      parse_command_line({"check", kSource, kTarget, "--json", "--folder", "A", "--journal", "j"});
  REQUIRE(invocation.run);
  CHECK(invocation.run->command == Command::check);
  CHECK(invocation.run->json);
  CHECK(invocation.run->journal == "j");
  for (const char* option : {"--dry-run", "--same-account", "--retries", "--deletions"}) {
    INFO(option);
    CHECK_THAT(refusal({"check", kSource, kTarget, option}).first,
               Contains(std::string("there is no option ") + option));
  }
}

TEST_CASE("no command, or one that does not exist, is refused") {
  CHECK_THAT(refusal({}).first, Contains("no command given"));
  CHECK_THAT(refusal({"kopy"}).first, Contains("no command \"kopy\""));
  CHECK_THAT(refusal({""}).first, Contains("no command \"\""));
  CHECK_THAT(refusal({"--json", "copy"}).first, Contains("must come before --json"));
  CHECK_THAT(refusal({"carry", "job.toml"}).first, Contains("no command \"carry\""));
  CHECK_THAT(refusal({"run"}).first, Contains("needs a job file"));
  CHECK_THAT(refusal({"copy", "job.toml"}).first, Contains("no job file"));
  CHECK_THAT(refusal({"check", "a.toml", "b"}).first, Contains("one argument too many"));
}

TEST_CASE("a command without its two ends, or with three, is refused") {
  CHECK_THAT(refusal({"copy"}).first, Contains("SOURCE and a TARGET"));
  CHECK_THAT(refusal({"copy", kSource}).first, Contains("SOURCE and a TARGET"));
  CHECK_THAT(refusal({"copy", kSource, "--json"}).first, Contains("SOURCE and a TARGET"));
  CHECK_THAT(refusal({"copy", kSource, kTarget, "third"}).first, Contains("too many: third"));
}

TEST_CASE("all commands but copy take a job file, and undo its run after that") {
  for (const char* command : {"run", "check", "verify", "failed", "retry", "status", "report"}) {
    INFO(command);
    const Invocation invocation = parse_command_line({command, "move.toml", "--only=ann"});
    REQUIRE(invocation.job);
    CHECK(invocation.job->path == "move.toml");
    CHECK(invocation.job->options.only == std::vector<std::string>{"ann"});
  }
  const Invocation undo = parse_command_line({"undo", "move.toml", "17", "--yes"});
  REQUIRE(undo.job);
  CHECK(undo.job->options.run == "17");
  CHECK(undo.job->options.yes);
  CHECK_THAT(refusal({"undo", "move.toml"}).first, Contains("the number of a run, or last"));
  CHECK_THAT(refusal({"undo", "move.toml", "x"}).first, Contains("is no run"));
  CHECK_THAT(refusal({"undo", "move.toml", "1", "2"}).first, Contains("one argument too many"));
}

TEST_CASE("what chooses accounts means nothing with a pair, and is refused") {
  for (const char* option : {"--only=ann", "--jobs=2", "--limit-logins=3", "--limit-sessions=3",
                             "--limit-host-rate=5K"}) {
    INFO(option);
    CHECK_THAT(refusal({"retry", kSource, kTarget, option}).first, Contains("is for a job file"));
  }
}

TEST_CASE("an unknown option is named, and the nearest one proposed") {
  const auto [reason, hint] = refusal({"copy", kSource, kTarget, "--foldr", "INBOX"});
  CHECK(reason == "there is no option --foldr");
  CHECK(hint == "Did you mean --folder?");
  CHECK_THAT(refusal({"copy", kSource, kTarget, "--xyzzy-plugh"}).second, Contains("--help"));
  CHECK_THAT(refusal_of_copy_with({"-x"}), Contains("no option -x"));
}

TEST_CASE("each wrong value is refused in one line that begins with the option") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"--since", "yesterday"}, {"--before", "2019-02-30"},
      {"--max-size", "big"},    {"--memory", "1k"},
      {"--memory", "much"},     {"--sessions", "0"},
      {"--sessions", "101"},    {"--sessions", "two"},
      {"--sessions", "3x"},     {"--retries", "-1"},
      {"--retries", "1001"},    {"--timeout", "0"},
      {"--timeout", "forever"}, {"--map", "Sent"},
      {"--log-level", "loud"},  {"--deletions", "all"},
      {"--journal", ""},        {"--folder", ""},
      {"--transcript", ""},     {"--source-password-file", ""}};
  for (const auto& [option, value] : wrong) {
    INFO(option << " " << value);
    const std::string reason = refusal_of_copy_with({option + "=" + value});
    CHECK(reason.find(option) == 0);
    CHECK(reason.find('\n') == std::string::npos);
  }
}

TEST_CASE("an option without its value, given twice, or a flag with a value, is refused") {
  CHECK_THAT(refusal_of_copy_with({"--journal"}), Contains("--journal"));
  CHECK_THAT(refusal_of_copy_with({"--sessions", "2", "--sessions", "3"}),
             Contains("--sessions is given more than once"));
  CHECK_THAT(refusal_of_copy_with({"--json=no"}), Contains("--json takes no value"));
}

TEST_CASE("options that contradict each other are refused") {
  CHECK_THAT(
      refusal_of_copy_with({"--source-password-file", "a", "--source-password-command", "b"}),
      Contains("exclude each other"));
  CHECK_THAT(refusal_of_copy_with({"--since", "2020-01-01", "--before", "2020-01-01"}),
             Contains("--since"));
  CHECK_THAT(refusal_of_copy_with({"--force-deletions"}), Contains("--deletions mirror"));
}

TEST_CASE("each wrong URL is refused, and a password in one is not repeated") {
  const std::vector<std::string> wrong = {"",
                                          "ann@old.example",
                                          "http://ann@old.example",
                                          "imaps://old.example",
                                          "imaps://ann@",
                                          "imaps://ann@old.example:0",
                                          "imaps://ann@old.example:70000",
                                          "imaps://ann@old.example/INBOX",
                                          "imaps://ann@old.example?tls=maybe",
                                          "imaps://ann@old.example?colour=red",
                                          "imaps://ann@old.example?verify=yes",
                                          "imaps://ann@old.example?pin=sha256:12",
                                          "imaps://ann@[::1",
                                          "smtps://ann@old.example"};
  for (const std::string& url : wrong) {
    INFO(url);
    CHECK(refusal({"copy", url, kTarget}).first != "(taken)");
    CHECK(refusal({"copy", kSource, url}).first != "(taken)");
  }
  const auto [reason, hint] = refusal({"copy", "imaps://ann:hunter2@old.example", kTarget});
  CHECK_THAT(reason, Contains("password"));
  CHECK((reason + hint).find("hunter2") == std::string::npos);
  CHECK(refusal({"copy", kSource, kTarget, "imaps://ann:hunter2@x"}).first.find("hunter2") ==
        std::string::npos);
}

TEST_CASE("a relay needs a recipient, and cannot do what needs a look at the copy") {
  const std::string relay = "smtp://ann@new.example@smtp.new.example";
  const auto with = [&](const char* command, std::vector<std::string> more) {
    std::vector<std::string> arguments{command, kSource, relay};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return refusal(arguments).first;
  };
  const std::vector<std::string> to{"--recipient", "bob@new.example"};
  CHECK(with("copy", to) == "(taken)");
  CHECK(with("check", to) == "(taken)");
  CHECK(with("retry", {"--recipient", "bob@new.example", "--unknown"}) == "(taken)");
  CHECK_THAT(with("copy", {}), Contains("--recipient"));
  CHECK_THAT(with("copy", {"--recipient", "bob@"}), Contains("no mail address"));
  CHECK_THAT(with("verify", {}), Contains("verified"));
  CHECK_THAT(with("undo", {"last"}), Contains("taken back"));
  for (const auto& more : std::vector<std::vector<std::string>>{
           {"--after-copy", "delete"}, {"--deletions", "mirror"}, {"--map", "a=b"}}) {
    std::vector<std::string> all = to;
    all.insert(all.end(), more.begin(), more.end());
    CHECK(with("copy", all) != "(taken)");
  }
  CHECK_THAT(refusal_of_copy_with(to), Contains("--recipient means nothing"));
  CHECK_THAT(refusal({"copy", relay, kTarget}).first, Contains("source"));
  const PairOptions options =
      *parse_command_line({"copy", kSource, relay, "--recipient", "bob@new.example",
                           "--envelope-sender", "<>", "--resent"})
           .run;
  CHECK(options.target.recipient == "bob@new.example");
  CHECK(options.target.envelope_sender == "");
  CHECK(options.target.resent);
}

TEST_CASE("a POP3 target and one account at both ends are refused") {
  CHECK_THAT(refusal({"copy", kSource, "pop3s://ann@new.example"}).first, Contains("POP3"));
  CHECK_THAT(refusal({"copy", kSource, "imaps://ann@OLD.example:993"}).first,
             Contains("same account"));
  CHECK(refusal({"copy", kSource, "imaps://bob@old.example"}).first == "(taken)");
  CHECK_THAT(refusal({"copy", "pop3s://ann@old.example", kTarget, "--deletions", "mirror"}).first,
             Contains("POP3"));
}

TEST_CASE("what becomes of copied messages is kept, deleted, or deleted after some days") {
  const auto of = [](const std::string& value) {
    return parse_command_line({"copy", kSource, kTarget, "--after-copy", value}).run->remove_after;
  };
  CHECK_FALSE(parse_command_line({"copy", kSource, kTarget}).run->remove_after);
  CHECK_FALSE(of("keep"));
  CHECK(of("delete") == std::chrono::days(0));
  CHECK(of("delete-after=30") == std::chrono::days(30));
  for (const char* wrong : {"remove", "delete-after", "delete-after=", "delete-after=-1",
                            "delete-after=1d", "delete-after=99999"}) {
    INFO(wrong);
    CHECK_THAT(refusal_of_copy_with({"--after-copy", wrong}), Contains("--after-copy"));
  }
}

TEST_CASE("mirrored deletions and deletion after the copy exclude each other") {
  for (const char* value : {"delete", "delete-after=7"})
    CHECK_THAT(refusal_of_copy_with({"--deletions", "mirror", "--after-copy", value}),
               Contains("exclude each other"));
  CHECK(refusal_of_copy_with({"--deletions", "mirror", "--after-copy", "keep"}) == "(taken)");
}

TEST_CASE("a password for a Maildir is refused, as nobody asks for it") {
  for (const char* option : {"--target-password-file", "--target-password-command"}) {
    CHECK_THAT(refusal({"copy", kSource, "maildir:/backup/ann", option, "x"}).first,
               Contains("maildir:/backup/ann takes no password"));
  }
  CHECK(refusal({"copy", kSource, "maildir:/backup/ann", "--source-password-file", "x"}).first ==
        "(taken)");
}

TEST_CASE("help shows every option of its command and no others, in lines of 80 columns") {
  const std::string copy = parse_command_line({"copy", "--help"}).print;
  const std::string check = parse_command_line({"check", "-h"}).print;
  for (const char* option : {"--source-password-file",
                             "--target-password-command",
                             "--folder",
                             "--exclude",
                             "--map",
                             "--since",
                             "--before",
                             "--max-size",
                             "--deletions",
                             "--force-deletions",
                             "--after-copy",
                             "--dry-run",
                             "--journal",
                             "--sessions",
                             "--memory",
                             "--timeout",
                             "--retries",
                             "--no-progress",
                             "--quiet",
                             "--log-level",
                             "--transcript",
                             "--json"}) {
    INFO(option);
    CHECK(copy.find(std::string("  ") + option) != std::string::npos);
  }
  CHECK(check.find("--dry-run") == std::string::npos);
  CHECK(check.find("--folder GLOB") != std::string::npos);
  for (const std::string& help : {copy, check, parse_command_line({"--help"}).print}) {
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      CHECK(line.size() <= 80);
    }
  }
}

TEST_CASE("help wins over whatever else is wrong") {
  CHECK(parse_command_line({"copy", "--help", "--no-such"}).print.find("Usage:") == 0);
}

TEST_CASE("the version is one line") {
  CHECK(parse_command_line({"--version"}).print == std::string("postferry ") + version() + "\n");
}

TEST_CASE("text is wrapped between words") {
  CHECK(wrap("aa bb cc dd", 5, 2) == "aa bb\n  cc dd");
  CHECK(wrap("unbreakable", 4, 2) == "unbreakable");
  CHECK(wrap("", 4, 2).empty());
}
