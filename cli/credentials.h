// Where passwords come from: options, environment, systemd, or a question on the terminal.
// Must not know what they are for.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/options.h"
#include "connectors/endpoint.h"
#include "engine/async/blocking.h"
#include "engine/secret.h"

namespace postferry::cli {

/// The doors to the outside, so that tests can stand in for them.
struct CredentialDoors {
  std::function<std::optional<std::string>(const std::string& name)> environment;
  /// Shows the question, takes the answer. Throws Error{usage} where nobody can be asked.
  std::function<Secret(const std::string& question)> prompt;
  std::function<void(const std::string& warning)> warn;
};

/// The process's environment and /dev/tty.
CredentialDoors system_doors(std::function<void(const std::string&)> warn);

/// The first of: the option (file or command), POSTFERRY_<END>_PASSWORD, the systemd credential
/// <end>-password, a prompt. `end` is "source" or "target". A prompt is asked now, once; a file is
/// looked at now and read again at every login (a pipe is read once); a command runs at every
/// login, off the loop. Mechanisms that need no password never ask. Throws Error{usage} for a file
/// that cannot be read now, and when there is no password and nobody to ask. `blocking` must
/// outlive the result.
std::unique_ptr<Credentials> make_credentials(const std::string& end,
                                              const PasswordOptions& options,
                                              const Endpoint& endpoint, Blocking& blocking,
                                              const CredentialDoors& doors);

/// The file's first line without its line end. Throws Error{local} when it cannot be read, is empty
/// or longer than 64 KiB.
Secret read_password_file(const std::string& path);

/// Set when others than the owner may read the regular file.
std::optional<std::string> loose_mode(const std::string& path);

}  // namespace postferry::cli
