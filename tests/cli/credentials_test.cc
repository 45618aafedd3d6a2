#include "cli/credentials.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>

#include "cli/password_command.h"
#include "cli/password_prompt.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/error.h"

using namespace postferry;
using namespace postferry::cli;
using Catch::Matchers::Contains;

namespace {

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "postferry-cli-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::string file(const std::string& name, const std::string& content, mode_t mode = 0600) const {
    const std::string path = path_ / name;
    std::ofstream(path, std::ios::binary) << content;
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return path;
  }
  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct World {
  std::map<std::string, std::string> variables;
  std::vector<std::string> questions, warnings;
  bool terminal = true;

  CredentialDoors doors() {
    CredentialDoors doors;
    doors.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto at = variables.find(name);
      return at == variables.end() ? std::nullopt : std::optional(at->second);
    };
    doors.prompt = [this](const std::string& question) {
      questions.push_back(question);
      if (!terminal) throw Error(ErrorKind::usage, "there is no terminal to ask on");
      return Secret("typed");
    };
    doors.warn = [this](const std::string& warning) { warnings.push_back(warning); };
    return doors;
  }
};

std::string secret_of(Credentials& credentials) {
  ManualExecutor executor;
  return std::string(block_on(executor, credentials.secret()).reveal());
}

std::string resolved(World& world, const PasswordOptions& options,
                     const std::string& end = "source",
                     const std::string& url = "imaps://ann@old.example") {
  InlineBlocking blocking;
  return secret_of(*make_credentials(end, options, parse_endpoint(url), blocking, world.doors()));
}

template <class F>
Error error_of(F action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorKind::usage, "(nothing was thrown)");
}

}  // namespace

TEST_CASE("a password file's first line is the password, whatever ends it") {
  TemporaryFolder folder;
  CHECK(read_password_file(folder.file("a", "s3cret\n")).reveal() == "s3cret");
  CHECK(read_password_file(folder.file("b", "s3cret\r\n")).reveal() == "s3cret");
  CHECK(read_password_file(folder.file("c", "s3cret")).reveal() == "s3cret");
  CHECK(read_password_file(folder.file("d", " s3 cret \nmore\n")).reveal() == " s3 cret ");
}

TEST_CASE("a password file that is missing, empty or huge is an error that names it") {
  TemporaryFolder folder;
  const std::string huge(70'000, 'x');
  for (const std::string& path :
       {folder.path() + "/missing", folder.file("empty", ""), folder.file("blank", "\nx\n"),
        folder.file("huge", huge), folder.path()}) {
    INFO(path);
    const Error error = error_of([&] { (void)read_password_file(path); });
    CHECK(error.kind() == ErrorKind::local);
    CHECK_THAT(error.what(), Contains(path));
  }
}

TEST_CASE("a password file that is missing at the start is wrong usage") {
  World world;
  PasswordOptions options;
  options.file = "/no/such/file";
  const Error error = error_of([&] { (void)resolved(world, options); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK_THAT(error.what(), Contains("/no/such/file"));
}

TEST_CASE("a password file that others can read brings a warning") {
  TemporaryFolder folder;
  World world;
  PasswordOptions options;
  options.file = folder.file("open", "x\n", 0644);
  CHECK(resolved(world, options) == "x");
  REQUIRE(world.warnings.size() == 1);
  CHECK_THAT(world.warnings[0], Contains("chmod 600"));
  options.file = folder.file("closed", "x\n", 0600);
  (void)resolved(world, options);
  CHECK(world.warnings.size() == 1);
}

TEST_CASE("a password file is read anew at every login") {
  TemporaryFolder folder;
  World world;
  InlineBlocking blocking;
  PasswordOptions options;
  options.file = folder.file("pw", "first\n");
  const auto credentials = make_credentials(
      "source", options, parse_endpoint("imaps://ann@old.example"), blocking, world.doors());
  CHECK(secret_of(*credentials) == "first");
  folder.file("pw", "second\n");
  CHECK(secret_of(*credentials) == "second");
}

TEST_CASE("a command's first line is the password, and it runs anew each time") {
  TemporaryFolder folder;
  World world;
  InlineBlocking blocking;
  PasswordOptions options;
  const std::string log = folder.path() + "/log";
  options.command = "echo ran >> '" + log + "'; wc -l < '" + log + "'; echo more";
  const auto credentials = make_credentials(
      "source", options, parse_endpoint("imaps://ann@old.example"), blocking, world.doors());
  CHECK(secret_of(*credentials) == "1");
  CHECK(secret_of(*credentials) == "2");
}

TEST_CASE("a command that fails tells its status and its last words") {
  const Error error = error_of(
      [] { (void)run_password_command("echo tok; echo first >&2; echo no key >&2; exit 3"); });
  CHECK(error.kind() == ErrorKind::local);
  CHECK(std::string(error.what()) == "failed with exit status 3: no key");
  CHECK_THAT(error_of([] { (void)run_password_command("kill -9 $$"); }).what(),
             Contains("signal 9"));
  CHECK_THAT(error_of([] { (void)run_password_command("true"); }).what(),
             Contains("printed nothing"));
  CHECK_THAT(error_of([] { (void)run_password_command("no-such-command-here"); }).what(),
             Contains("exit status 127"));
}

TEST_CASE("a command that fails at login names its end") {
  World world;
  PasswordOptions options;
  options.command = "exit 1";
  const Error error = error_of([&] { (void)resolved(world, options, "target"); });
  CHECK(error.kind() == ErrorKind::local);
  CHECK_THAT(error.what(), Contains("target password command"));
}

TEST_CASE("a command that never ends is killed") {
  const Error error = error_of(
      [] { (void)run_password_command("echo x; exec sleep 600", std::chrono::milliseconds(50)); });
  CHECK_THAT(error.what(), Contains("in time"));
}

TEST_CASE("a command may print much, and its stdin is empty") {
  CHECK(run_password_command("head -c 300000 /dev/zero | tr '\\0' y >&2; cat; echo tok").reveal() ==
        "tok");
  CHECK(run_password_command("echo tok; head -c 300000 /dev/zero | tr '\\0' y").reveal() == "tok");
}

TEST_CASE("a background process that keeps the pipe open is not waited for") {
  CHECK(run_password_command("echo tok; sleep 30 & exit 0", std::chrono::seconds(20)).reveal() ==
        "tok");
}

TEST_CASE("the option wins over the environment, that over systemd, that over the prompt") {
  TemporaryFolder folder;
  World world;
  PasswordOptions option, none;
  option.file = folder.file("pw", "from-option\n");
  folder.file("source-password", "from-systemd\n");
  world.variables["POSTFERRY_SOURCE_PASSWORD"] = "from-environment";
  world.variables["CREDENTIALS_DIRECTORY"] = folder.path();
  CHECK(resolved(world, option) == "from-option");
  CHECK(resolved(world, none) == "from-environment");
  world.variables.erase("POSTFERRY_SOURCE_PASSWORD");
  CHECK(resolved(world, none) == "from-systemd");
  CHECK(world.questions.empty());
  world.variables.erase("CREDENTIALS_DIRECTORY");
  CHECK(resolved(world, none) == "typed");
  REQUIRE(world.questions.size() == 1);
  CHECK_THAT(world.questions[0], Contains("source imaps://ann@old.example"));
}

TEST_CASE("each end has its own variable and credential") {
  TemporaryFolder folder;
  World world;
  world.variables["POSTFERRY_SOURCE_PASSWORD"] = "of-source";
  world.variables["CREDENTIALS_DIRECTORY"] = folder.path();
  folder.file("target-password", "of-target\n");
  CHECK(resolved(world, {}, "source") == "of-source");
  CHECK(resolved(world, {}, "target") == "of-target");
}

TEST_CASE("with no password and nobody to ask, the error says how to give one") {
  World world;
  world.terminal = false;
  const Error error = error_of([&] { (void)resolved(world, {}); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK_THAT(error.what(), Contains("--source-password-file"));
  CHECK_THAT(error.what(), Contains("POSTFERRY_SOURCE_PASSWORD"));
}

TEST_CASE("a mechanism without password does not ask") {
  World world;
  InlineBlocking blocking;
  const auto credentials =
      make_credentials("source", {}, parse_endpoint("imaps://ann@old.example?auth=external"),
                       blocking, world.doors());
  CHECK(world.questions.empty());
  CHECK(error_of([&] { (void)secret_of(*credentials); }).kind() == ErrorKind::usage);
}

TEST_CASE("the prompt takes a line without echo and gives the echo back") {
  int master = -1, slave = -1;
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  auto answer = std::async(std::launch::async, [slave] { return prompt_on(slave, "Password: "); });
  std::string shown;
  char c = 0;
  while (shown.find("Password: ") == std::string::npos && ::read(master, &c, 1) == 1) shown += c;
  termios during{};
  REQUIRE(::tcgetattr(slave, &during) == 0);
  CHECK((during.c_lflag & ECHO) == 0);
  REQUIRE(::write(master, "hunter2\n", 8) == 8);
  CHECK(answer.get().reveal() == "hunter2");
  termios after{};
  REQUIRE(::tcgetattr(slave, &after) == 0);
  CHECK((after.c_lflag & ECHO) != 0);
  ::close(slave);
  ::close(master);
}

TEST_CASE("an empty answer is no password") {
  int master = -1, slave = -1;
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  auto answer = std::async(std::launch::async, [slave] { return prompt_on(slave, "?"); });
  char c = 0;
  REQUIRE(::read(master, &c, 1) == 1);
  REQUIRE(::write(master, "\n", 1) == 1);
  CHECK_THROWS_AS(answer.get(), Error);
  ::close(slave);
  ::close(master);
}
