// What the codes of RFC 5530 and the words of servers that send none come to.
#include "connectors/imap/errors.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "connectors/imap/codec/lexer.h"

namespace postferry::imap {
namespace {

using std::chrono::milliseconds;

struct Phrase {
  std::string_view text;  // upper case
  ErrorKind kind;
};

// Said by servers that have no code for it, or a code that means several things.
constexpr std::array kPhrases{
    Phrase{"SUGGESTED BACKOFF TIME", ErrorKind::throttled},  // Exchange Online
    Phrase{"THROTTLED", ErrorKind::throttled},               // Exchange Online, Gmail
    Phrase{"RATE LIMIT", ErrorKind::throttled},              // Yahoo
    Phrase{"BANDWIDTH LIMIT", ErrorKind::throttled},         // Gmail, under [OVERQUOTA]
    Phrase{"TOO MANY SIMULTANEOUS", ErrorKind::throttled},   // Gmail
    Phrase{"TOO MANY CONNECTIONS", ErrorKind::throttled},
    Phrase{"TOO MANY SESSIONS", ErrorKind::throttled},
    Phrase{"CONNECTION LIMIT", ErrorKind::throttled},
    Phrase{"MAXIMUM NUMBER OF CONNECTIONS", ErrorKind::throttled},    // Dovecot
    Phrase{"SESSION EXPIRED", ErrorKind::transient},                  // Gmail
    Phrase{"AUTHENTICATED BUT NOT CONNECTED", ErrorKind::transient},  // Exchange
    Phrase{"OVER QUOTA", ErrorKind::quota},
    Phrase{"OVERQUOTA", ErrorKind::quota},
    Phrase{"QUOTA EXCEEDED", ErrorKind::quota},
    Phrase{"EXCEEDED YOUR MAIL QUOTA", ErrorKind::quota},  // Courier
    Phrase{"MAILBOX IS FULL", ErrorKind::quota},
    Phrase{"TRY AGAIN LATER", ErrorKind::transient},
    Phrase{"TEMPORARY", ErrorKind::transient},
    Phrase{"TEMPORARILY", ErrorKind::transient},
};

std::optional<ErrorKind> by_code(const StatusResponse& status) {
  if (!status.code) return std::nullopt;
  switch (status.code->code) {
    case Code::kOverQuota:
      return ErrorKind::quota;
    case Code::kThrottled:
      return ErrorKind::throttled;
    case Code::kUnavailable:
    case Code::kInUse:
    case Code::kServerBug:
    case Code::kTryCreate:
    case Code::kExpungeIssued:
      return ErrorKind::transient;
    default:
      return std::nullopt;
  }
}

std::optional<milliseconds> backoff(std::string_view upper_text) {
  constexpr std::string_view kLead = "SUGGESTED BACKOFF TIME:";
  const std::size_t at = upper_text.find(kLead);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = upper_text.substr(at + kLead.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto number = to_number32(rest.substr(0, rest.find_first_not_of("0123456789")));
  if (!number) return std::nullopt;
  return milliseconds(*number);
}

const char* name_of(Status status) {
  switch (status) {
    case Status::kOk:
      return "OK";
    case Status::kNo:
      return "NO";
    case Status::kBad:
      return "BAD";
    case Status::kBye:
      return "BYE";
    case Status::kPreauth:
      return "PREAUTH";
  }
  return "";
}

}  // namespace

Verdict judge(const StatusResponse& status) {
  const std::string text = upper_ascii(status.text);
  Verdict verdict;
  verdict.kind = status.status == Status::kBye   ? ErrorKind::transient
                 : status.status == Status::kBad ? ErrorKind::protocol
                                                 : ErrorKind::rejected;
  if (const auto kind = by_code(status)) verdict.kind = *kind;
  // These codes say it all: the text may quote the name of a folder, `Temporary`.
  for (const Code plain :
       {Code::kNoPerm, Code::kNonExistent, Code::kCannot, Code::kAlreadyExists, Code::kReadOnly})
    if (status.has(plain)) return verdict;
  for (const Phrase& phrase : kPhrases) {
    if (text.find(phrase.text) == std::string::npos) continue;
    // `[OVERQUOTA] Mailbox is full, try again later` is no reason to try again; Gmail's bandwidth
    // is.
    if (status.has(Code::kOverQuota) && phrase.kind == ErrorKind::transient) continue;
    verdict.kind = phrase.kind;
    break;
  }
  verdict.retry_after = backoff(text);
  return verdict;
}

Verdict judge_read(const StatusResponse& status) {
  Verdict verdict = judge(status);
  if (status.has(Code::kLimit)) verdict.kind = ErrorKind::throttled;
  return verdict;
}

Verdict judge_login(const StatusResponse& status) {
  Verdict verdict = judge_read(status);
  if (status.has(Code::kLimit)) return verdict;
  if (status.has(Code::kAuthenticationFailed) || status.has(Code::kAuthorizationFailed) ||
      status.has(Code::kExpired) || status.has(Code::kPrivacyRequired) ||
      (status.status == Status::kNo && verdict.kind == ErrorKind::rejected)) {
    verdict.kind = ErrorKind::auth;
  }
  return verdict;
}

bool blames_message(const StatusResponse& status) {
  if (status.has(Code::kNoPerm) || status.has(Code::kNonExistent) || status.has(Code::kReadOnly)) {
    return false;  // the folder's fault
  }
  const ErrorKind kind = judge(status).kind;
  if (status.status == Status::kBad) return kind == ErrorKind::protocol;
  return status.status == Status::kNo && kind == ErrorKind::rejected;
}

std::string words(const StatusResponse& status) {
  std::string said;
  if (status.code) {
    said = "[" + status.code->name;
    if (!status.code->args.empty()) said += " " + status.code->args;
    said += "]";
  }
  if (!status.text.empty()) said += (said.empty() ? "" : " ") + status.text;
  if (said.empty()) said = "(no reason given)";
  return printable(said);
}

Error refusal(const StatusResponse& status, const Verdict& verdict, const std::string& what,
              const std::string& where) {
  Error error(verdict.kind,
              fmt::format("{} was refused: {} {}", what, name_of(status.status), words(status)),
              where);
  return verdict.retry_after ? error.after(*verdict.retry_after) : error;
}

}  // namespace postferry::imap
