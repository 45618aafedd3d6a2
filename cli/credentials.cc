#include "cli/credentials.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/descriptor.h"
#include "cli/output.h"
#include "cli/password_command.h"
#include "cli/password_prompt.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kMostBytes = 64 << 10;

[[noreturn]] void refuse_file(const std::string& path, const std::string& why) {
  throw Error(ErrorKind::local, fmt::format("password file {}: {}", printable(path), why));
}

/// Known from the start: typed in, or from the environment.
class FixedCredentials final : public Credentials {
 public:
  explicit FixedCredentials(Secret secret) : secret_(std::move(secret)) {}
  Task<Secret> secret() override { co_return secret_; }

 private:
  Secret secret_;
};

class FileCredentials final : public Credentials {
 public:
  FileCredentials(std::string path, Blocking& blocking)
      : path_(std::move(path)), blocking_(blocking) {}
  Task<Secret> secret() override {
    co_return co_await blocking_.run([path = path_] { return read_password_file(path); });
  }

 private:
  std::string path_;
  Blocking& blocking_;
};

class CommandCredentials final : public Credentials {
 public:
  CommandCredentials(std::string end, std::string command, Blocking& blocking)
      : end_(std::move(end)), command_(std::move(command)), blocking_(blocking) {}
  Task<Secret> secret() override {
    try {
      co_return co_await blocking_.run(
          [command = command_] { return run_password_command(command); });
    } catch (const Error& error) {
      throw error.in(end_ + " password command");
    }
  }

 private:
  std::string end_, command_;
  Blocking& blocking_;
};

/// For EXTERNAL and its like.
class NoCredentials final : public Credentials {
 public:
  explicit NoCredentials(std::string what) : what_(std::move(what)) {}
  Task<Secret> secret() override {
    throw Error(ErrorKind::usage, fmt::format("{} takes no password", what_));
    co_return Secret();
  }

 private:
  std::string what_;
};

/// At the start a file that cannot be read is a wrong option, not a lost disk.
Secret read_now(const std::string& path) {
  try {
    return read_password_file(path);
  } catch (const Error& error) {
    throw Error(ErrorKind::usage, error.message());
  }
}

std::unique_ptr<Credentials> from_file(const std::string& path, Blocking& blocking,
                                       const CredentialDoors& doors) {
  Secret first = read_now(path);
  struct stat status {};
  const bool regular = ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  if (!regular) return std::make_unique<FixedCredentials>(std::move(first));
  if (const auto warning = loose_mode(path)) doors.warn(*warning);
  return std::make_unique<FileCredentials>(path, blocking);
}

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

}  // namespace

Secret read_password_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) refuse_file(path, std::strerror(errno));
  std::string text(kMostBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse_file(path, std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  Secret whole(std::move(text));  // wiped whatever happens
  const std::string_view line = first_line(whole.reveal().substr(0, size));
  if (line.empty()) refuse_file(path, "its first line is empty");
  if (line.size() > kMostBytes) refuse_file(path, "its first line is longer than 64 KiB");
  return Secret(std::string(line));
}

std::optional<std::string> loose_mode(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  if ((status.st_mode & (S_IRGRP | S_IROTH)) == 0) return std::nullopt;
  return fmt::format("password file {} can be read by others; `chmod 600` it", printable(path));
}

CredentialDoors system_doors(std::function<void(const std::string&)> warn) {
  CredentialDoors doors;
  doors.environment = environment;
  doors.prompt = [](const std::string& question) { return prompt_on_terminal(question); };
  doors.warn = std::move(warn);
  return doors;
}

std::unique_ptr<Credentials> make_credentials(const std::string& end,
                                              const PasswordOptions& options,
                                              const Endpoint& endpoint, Blocking& blocking,
                                              const CredentialDoors& doors) {
  if (endpoint.in_files()) return std::make_unique<NoCredentials>("a file");
  if (!endpoint.has_login()) return std::make_unique<NoCredentials>("a server without a login");
  if (options.literal) return std::make_unique<FixedCredentials>(*options.literal);
  if (options.file) return from_file(*options.file, blocking, doors);
  if (options.command) return std::make_unique<CommandCredentials>(end, *options.command, blocking);
  if (auto value = doors.environment(fmt::format("POSTFERRY_{}_PASSWORD", upper(end)));
      value && !value->empty()) {
    return std::make_unique<FixedCredentials>(Secret(std::move(*value)));
  }
  if (const auto directory = doors.environment("CREDENTIALS_DIRECTORY")) {
    const std::string path = fmt::format("{}/{}-password", *directory, end);
    if (::access(path.c_str(), F_OK) == 0) return std::make_unique<FileCredentials>(path, blocking);
  }
  if (endpoint.auth == "EXTERNAL" || endpoint.auth == "ANONYMOUS") {
    return std::make_unique<NoCredentials>("auth=" + endpoint.auth);
  }
  try {
    return std::make_unique<FixedCredentials>(
        doors.prompt(fmt::format("Password of the {} {}: ", end, printable(endpoint.to_string()))));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    throw Error(ErrorKind::usage,
                fmt::format("no password for the {0} ({1}): give --{0}-password-file, "
                            "--{0}-password-command or POSTFERRY_{2}_PASSWORD",
                            end, error.message(), upper(end)));
  }
}

}  // namespace postferry::cli
