#include "cli/job_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

using namespace postferry;
using namespace postferry::cli;

namespace {

constexpr const char* kEnds =
    "[source]\nurl = \"imaps://old.example\"\n[target]\nurl = \"imaps://new.example\"\n";

/// A directory with a job in it, gone with the test.
class Desk {
 public:
  Desk() {
    char name[] = "/tmp/postferry-job-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    directory_ = name;
  }
  ~Desk() { std::filesystem::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  Job load(const std::string& text, std::vector<std::string> more = {}, mode_t mode = 0600) {
    std::vector<std::string> arguments{"run", write("job.toml", text, mode)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Invocation invocation = parse_command_line(arguments);
    REQUIRE(invocation.job);
    return load_job(*invocation.job, [this](const std::string& key) -> std::optional<std::string> {
      const auto at = environment.find(key);
      return at == environment.end() ? std::nullopt : std::optional(at->second);
    });
  }
  /// Every fault as "file:line: text", the directory left out.
  std::vector<std::string> faults(const std::string& text, std::vector<std::string> more = {}) {
    std::vector<std::string> lines;
    try {
      (void)load(text, std::move(more));
    } catch (const JobFileError& error) {
      for (const JobFault& fault : error.faults()) {
        std::string line = fault_line(fault);
        if (line.starts_with(directory_)) line.erase(0, directory_.size() + 1);
        lines.push_back(line);
      }
    }
    return lines;
  }
  const std::string& directory() const { return directory_; }

  std::map<std::string, std::string> environment{{"POSTFERRY_SOURCE_PASSWORD", "s"},
                                                 {"POSTFERRY_TARGET_PASSWORD", "t"}};

 private:
  std::string directory_;
};

using Catch::Matchers::Contains;

}  // namespace

TEST_CASE("a job's accounts take their ends from [source] and [target]") {
  Desk desk;
  const Job job =
      desk.load(std::string("max_size = \"25M\"\n") + kEnds +
                "[[account]]\nsource_user = \"ann@old.example\"\ntarget_user = \"ann\"\n"
                "max_size = \"1M\"\n"
                "[[account]]\nname = \"Bob\"\nsource_user = \"b:b\"\n"
                "target_url = \"imaps://bob@third.example?sessions=2\"\n");
  REQUIRE(job.accounts.size() == 2);
  CHECK(job.accounts[0].account == "ann@old.example");
  CHECK(job.accounts[0].source.user == "ann@old.example");
  CHECK(job.accounts[0].source.host == "old.example");
  CHECK(job.accounts[0].target.user == "ann");
  CHECK(job.accounts[0].max_size_bytes == 1'000'000);
  CHECK(job.accounts[1].account == "Bob");
  CHECK(job.accounts[1].source.user == "b:b");
  CHECK(job.accounts[1].target.host == "third.example");
  CHECK(job.accounts[1].target.sessions == 2);
  CHECK(job.accounts[1].max_size_bytes == 25'000'000);
  CHECK(job.journal() == desk.directory() + "/job.db");
}

TEST_CASE("a job's accounts come from a table with a header, whatever parts its fields") {
  Desk desk;
  for (const char* table :
       {"source_user,target_user,source_password\r\nann,a.n,\"x,\"\"y\"\r\n\r\nbob,bob,z\r\n",
        "\xEF\xBB\xBFsource_user;target_user;source_password\nann;a.n;\"x,\"\"y\"\nbob;bob;z"}) {
    desk.write("people.csv", table);
    const Job job = desk.load(std::string("accounts = \"people.csv\"\n") + kEnds);
    REQUIRE(job.accounts.size() == 2);
    CHECK(job.accounts[0].target.user == "a.n");
    REQUIRE(job.accounts[0].source_password.literal);
    CHECK(job.accounts[0].source_password.literal->reveal() == "x,\"y");
    CHECK(job.warnings.empty());
  }
}

TEST_CASE("a table of passwords that others may read is warned of") {
  Desk desk;
  ::chmod(desk.write("people.csv", "source_user,target_user,source_password\na,a,x\n").c_str(),
          0644);
  const Job job = desk.load(std::string("accounts = \"people.csv\"\n") + kEnds);
  REQUIRE(job.warnings.size() == 1);
  CHECK_THAT(job.warnings[0], Contains("chmod 600"));
}

TEST_CASE("a job file with passwords that others may read is warned of, too") {
  Desk desk;
  const std::string text = std::string(kEnds) +
                           "[[account]]\nsource_user = \"ann\"\ntarget_user = \"ann\"\n"
                           "source_password = \"s\"\ntarget_password = \"t\"\n";
  CHECK(desk.load(text).warnings.empty());
  CHECK(desk.load(text, {}, 0644).warnings.size() == 1);
}

TEST_CASE(
    "a relay of a job wants a recipient for each account, and a login only if a user is given") {
  Desk desk;
  const std::string people =
      "[[account]]\nsource_user = \"ann\"\nsource_password = \"s\"\nrecipient = "
      "\"ann@new.example\"\n"
      "[[account]]\nsource_user = \"bob\"\nsource_password = \"s\"\nrecipient = "
      "\"bob@new.example\"\n";
  const std::string source = "[source]\nurl = \"imaps://old.example\"\n";
  const Job open = desk.load("envelope_sender = \"it@new.example\"\n" + source +
                             "[target]\nurl = \"smtp://new.example\"\n" + people);
  REQUIRE(open.accounts.size() == 2);
  CHECK(open.accounts[1].target.recipient == "bob@new.example");
  CHECK_FALSE(open.accounts[1].target.has_login());
  const std::string login =
      source + "[target]\nurl = \"smtp://new.example\"\nuser = \"it@new.example\"\n";
  desk.environment.clear();
  CHECK(desk.faults(login + people).size() == 2);  // the password
  const Job logged_in = desk.load(login + "password_command = \"pass it\"\n" + people);
  CHECK(logged_in.accounts[0].target.user == "it@new.example");
  const auto faults = desk.faults(source + "[target]\nurl = \"lmtp:run/lmtp\"\n" + people +
                                  "[[account]]\nsource_user = \"eve\"\nsource_password = \"s\"\n");
  REQUIRE_FALSE(faults.empty());
  CHECK_THAT(faults.back(), Contains("needs --recipient"));
  const Job socket = desk.load("envelope_sender = \"<>\"\n" + source +
                               "[target]\nurl = \"lmtp:run/lmtp\"\n" + people);
  CHECK_THAT(socket.accounts[0].target.path, Catch::StartsWith("/tmp/postferry-job-"));
}

TEST_CASE("no fault repeats what a shifted column of a table holds") {
  Desk desk;
  const char* column = GENERATE("max_size", "since", "map", "retries", "recipient", "source_daily",
                                "source_preset", "source_url", "sessions", "deletions");
  desk.write("people.csv", std::string("source_user,target_user,source_password,") + column +
                               "\nann,ann,hun,%ter2\n");
  const auto faults = desk.faults("accounts = \"people.csv\"\n" + std::string(kEnds));
  INFO(column);
  REQUIRE_FALSE(faults.empty());
  for (const std::string& fault : faults) CHECK_THAT(fault, !Contains("ter2"));
}

TEST_CASE("no fault repeats a password that stands where a port or a file's name should") {
  Desk desk;
  const auto ports = desk.faults(
      "[source]\nurl = \"imaps://ann:hunter2\"\n[target]\nurl = \"imaps://new.example\"\n"
      "[[account]]\nsource_user = \"ann\"\ntarget_user = \"ann\"\n");
  REQUIRE(ports.size() == 1);
  CHECK_THAT(ports[0], Contains("is not a port") && !Contains("hunter2"));
  desk.write("people.csv", "source_user,target_user,source_password_file\nann,ann,hunter2\n");
  const auto files = desk.faults("accounts = \"people.csv\"\n" + std::string(kEnds));
  REQUIRE(files.size() == 1);
  CHECK_THAT(files[0], Contains("source: password file of this row: ") && !Contains("hunter2"));
}

TEST_CASE("a password that is no text is refused, for it would be another one") {
  Desk desk;
  const char* value = GENERATE("0x10", "1_000", "1e3", "true", "1979-05-27", "[\"a\"]");
  const auto faults = desk.faults(std::string(kEnds) +
                                  "[[account]]\nsource_user = \"ann\"\ntarget_user = \"ann\"\n"
                                  "target_password = \"t\"\nsource_password = " +
                                  value + "\n");
  REQUIRE_FALSE(faults.empty());
  CHECK_THAT(faults[0], Contains("job.toml:9: source_password: a password is a text"));
}

TEST_CASE("every fault of a job is told at once, with its line") {
  Desk desk;
  desk.environment.clear();
  desk.write("people.csv",
             "source_user,target_user,source_password,target_password\n"
             "ann,ann,hush\n"  // a field is missing
             "bob,bob,hush,hush\n"
             "bob,bob2,hush,hush\n");  // the same name
  const std::vector<std::string> faults = desk.faults(
      "accounts = \"people.csv\"\nmax_size = \"much\"\ncolour = \"blue\"\n"
      "[source]\nurl = \"imaps://old.example\"\nbanana = 1\n"
      "[target]\nurl = \"imaps://new.example\"\n"
      "[[account]]\nsource_user = \"eve\"\ntarget_user = \"eve\"\n"
      "source_password = \"hush\"\nsince = \"yesterday\"\n"
      "[[account]]\ntarget_user = \"zoe\"\nname = \"zoe\"\n");
  const std::vector<std::string> wanted{"job.toml:2: --max-size:",
                                        "job.toml:3: there is no key colour",
                                        "job.toml:6: [source] has no key banana",
                                        "job.toml:9: no password for the target",
                                        "job.toml:13: --since:",
                                        "job.toml:14: source: no user",
                                        "people.csv:2: 3 fields",
                                        "people.csv:4: a second account is named bob"};
  for (const std::string& line : wanted) {
    INFO(line);
    CHECK(
        std::ranges::any_of(faults, [&](const std::string& one) { return one.starts_with(line); }));
  }
  for (const std::string& one : faults) {
    INFO(one);
    CHECK(one.find("hush") == std::string::npos);
  }
}

TEST_CASE("no password of a broken job file is echoed") {
  Desk desk;
  for (const char* broken :
       {"[[account]]\nsource_password = \"hush", "source_password = hush\n",
        "[source]\npassword = \"hush\"\n", "[source]\nurl = \"imaps://a:hush@b\"\n"}) {
    for (const std::string& line : desk.faults(broken)) {
      INFO(line);
      CHECK(line.find("hush") == std::string::npos);
    }
    CHECK_FALSE(desk.faults(broken).empty());
  }
  desk.write("people.csv", "ann,hush\nbob,hush\n");  // no header
  const auto faults = desk.faults(std::string("accounts = \"people.csv\"\n") + kEnds);
  CHECK_FALSE(faults.empty());
  for (const std::string& line : faults) {
    INFO(line);
    CHECK(line.find("hush") == std::string::npos);
  }
}

TEST_CASE("what the command line says wins over the job file") {
  Desk desk;
  const std::string text = std::string("folder = [\"A\", \"B\"]\nretries = 3\njobs = 2\n") + kEnds +
                           "[[account]]\nsource_user = \"a\"\ntarget_user = \"a\"\nfolder = \"C\"\n"
                           "[[account]]\nsource_user = \"b\"\ntarget_user = \"b\"\n";
  Job job = desk.load(text);
  CHECK(job.accounts[0].folders == std::vector<std::string>{"C"});
  CHECK(job.accounts[1].folders == std::vector<std::string>{"A", "B"});
  CHECK(job.whole.jobs == 2);
  job = desk.load(text, {"--folder", "D", "--folder", "E", "--jobs", "7", "--dry-run"});
  CHECK(job.accounts[0].folders == std::vector<std::string>{"D", "E"});
  CHECK(job.accounts[1].folders == std::vector<std::string>{"D", "E"});
  CHECK(job.accounts[1].retries == 3);
  CHECK(job.whole.jobs == 7);
  CHECK(job.accounts[0].dry_run);
}

TEST_CASE("names and users of a job stand in paths, and cannot leave them") {
  Desk desk;
  const std::string text =
      "[source]\nurl = \"imaps://old.example\"\nauth = \"plain\"\nas = \"{name}\"\n"
      "[target]\nurl = \"maildir:backup/{name}\"\n[[account]]\nsource_user = \"admin\"\nname = ";
  const Job job = desk.load(text + "\"ann\"\n");
  CHECK(job.accounts[0].target.path == desk.directory() + "/backup/ann");
  CHECK(job.accounts[0].source.authzid == "ann");
  CHECK(job.accounts[0].source.auth == "PLAIN");
  CHECK(desk.faults(text + "\"../ann\"\n").size() == 1);
}

TEST_CASE("a preset knows a provider's server, by its name or its host") {
  Desk desk;
  const Job job = desk.load(
      "[source]\npreset = \"icloud\"\n[target]\nurl = \"imaps://imap.gmail.com\"\n"
      "[[account]]\nsource_user = \"ann\"\ntarget_user = \"ann\"\n"
      "[[account]]\nsource_user = \"bob\"\ntarget_url = \"imaps://bob@notgmail.com\"\n");
  CHECK(job.accounts[0].source.host == "imap.mail.me.com");
  CHECK(job.accounts[0].source.sessions == 2);
  CHECK(job.accounts[0].target.sessions == 8);
  CHECK(job.accounts[1].target.sessions == 0);
  CHECK(job.accounts[0].target_daily == 500'000'000u);
  CHECK_FALSE(job.accounts[0].source_daily);
  CHECK_FALSE(job.accounts[1].target_daily);
  const auto faults = desk.faults(
      "[source]\npreset = \"gnail\"\n[target]\npreset = \"gmail\"\n"
      "[[account]]\nsource_user = \"ann\"\ntarget_user = \"ann\"\n");
  REQUIRE(faults.size() == 1);
  CHECK_THAT(faults[0], Contains("there is no preset gnail; there are gmail"));
}

TEST_CASE("a day's bytes are the account's, else the end's, else the provider's") {
  Desk desk;
  const std::string text =
      "[source]\nurl = \"imaps://imap.gmail.com\"\n"
      "[target]\nurl = \"imaps://imap.gmail.com\"\ndaily = \"200M\"\n"
      "[[account]]\nsource_user = \"ann\"\ntarget_user = \"anna\"\ntarget_daily = \"none\"\n"
      "[[account]]\nsource_user = \"bob\"\ntarget_user = \"rob\"\nsource_daily = \"1G\"\n"
      "[[account]]\nsource_url = \"pop3s://eve@pop.gmail.com\"\ntarget_user = \"eva\"\n";
  const Job job = desk.load(text);
  CHECK(job.accounts[0].source_daily == 2'500'000'000u);
  CHECK(job.accounts[0].target_daily == 0u);
  CHECK(job.accounts[1].source_daily == 1'000'000'000u);
  CHECK(job.accounts[1].target_daily == 200'000'000u);
  CHECK(job.accounts[2].source_daily == 1'250'000'000u);
  const Job told = desk.load(text, {"--target-daily", "300M"});
  CHECK(told.accounts[0].target_daily == 300'000'000u);
  CHECK(told.accounts[1].target_daily == 300'000'000u);
  const auto faults = desk.faults(text + "source_daily = \"lots\"\n");
  REQUIRE(faults.size() == 1);
  CHECK_THAT(faults[0], Contains("job.toml:17: source: daily: "));
}

TEST_CASE("one session at a host is too little where both ends are there") {
  Desk desk;
  const auto faults = desk.faults(
      "limit_sessions = 1\n[source]\nurl = \"imaps://mail.example\"\n[target]\nurl = "
      "\"imaps://mail.example\"\n[[account]]\nsource_user = \"ann\"\ntarget_user = \"bob\"\n");
  REQUIRE(faults.size() == 1);
  CHECK_THAT(faults[0], Contains("source and target are one host, mail.example"));
}

TEST_CASE("two accounts of a job never have the same two ends") {
  Desk desk;
  const auto faults =
      desk.faults(std::string(kEnds) +
                  "[[account]]\nname = \"a\"\nsource_user = \"x\"\ntarget_user = \"x\"\n"
                  "[[account]]\nname = \"b\"\nsource_user = \"x\"\ntarget_user = \"x\"\n");
  REQUIRE(faults.size() == 1);
  CHECK_THAT(faults[0], Contains("job.toml:9:"));
}

TEST_CASE("failed wants passwords only where it exports") {
  Desk desk;
  desk.environment.clear();
  const std::string path = desk.write("job.toml", std::string(kEnds) +
                                                      "[[account]]\nsource_user = \"ann\"\n"
                                                      "target_user = \"ann\"\n");
  const auto load = [&](std::vector<std::string> arguments) {
    return load_job(*parse_command_line(std::move(arguments)).job,
                    [](const std::string&) { return std::nullopt; });
  };
  CHECK(load({"failed", path, "--accept"}).accounts.size() == 1);
  CHECK_THROWS_AS(load({"failed", path, "--export=out"}), JobFileError);
  CHECK_THROWS_AS(load({"undo", path, "last"}), JobFileError);
}
