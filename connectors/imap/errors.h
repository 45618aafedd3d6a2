// Sorts what a server refused, by its code and, where there is none, by its words: whether to wait,
// to log in otherwise, or to give this one thing up. It chooses the kind; what is done about it is
// the engine's business.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "connectors/imap/codec/response.h"
#include "engine/error.h"

namespace postferry::imap {

struct Verdict {
  ErrorKind kind = ErrorKind::rejected;
  std::optional<std::chrono::milliseconds> retry_after;
};

/// What a NO, BAD or BYE means. Without a telling code or text a NO is `rejected`, a BAD
/// `protocol` and a BYE `transient`. OVERQUOTA is `quota`, except where Gmail means its daily
/// bandwidth. TRYCREATE is `transient`: the folder has gone and can be made again.
Verdict judge(const StatusResponse& status);

/// The same for a command that stores nothing: there LIMIT means our pace (Yahoo), else how much or
/// what may be stored (RFC 5530).
Verdict judge_read(const StatusResponse& status);

/// The same for an answer to LOGIN or AUTHENTICATE: there a NO is `auth`, unless it says that the
/// server is busy or broken, which is never a wrong password.
Verdict judge_login(const StatusResponse& status);

/// Whether a refused APPEND was refused for the message's own sake, so that another message may
/// pass. A BAD counts: Exchange answers so to lines that are too long.
bool blames_message(const StatusResponse& status);

/// The server's own words with their code, printable: `[OVERQUOTA] Quota exceeded`.
std::string words(const StatusResponse& status);

/// `what` is the operation: "SELECT". The message reads `SELECT was refused: NO [..] words`.
Error refusal(const StatusResponse& status, const Verdict& verdict, const std::string& what,
              const std::string& where);

}  // namespace postferry::imap
