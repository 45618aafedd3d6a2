// Names of response codes, and their arguments.
#include "connectors/imap/codec/response_code.h"

#include <algorithm>
#include <array>
#include <utility>

#include "connectors/imap/codec/lexer.h"

namespace postferry::imap {
namespace {

constexpr auto kNames = std::to_array<std::pair<std::string_view, Code>>({
    {"ALERT", Code::kAlert},
    {"ALREADYEXISTS", Code::kAlreadyExists},
    {"APPENDUID", Code::kAppendUid},
    {"AUTHENTICATIONFAILED", Code::kAuthenticationFailed},
    {"AUTHORIZATIONFAILED", Code::kAuthorizationFailed},
    {"BADCHARSET", Code::kBadCharset},
    {"CANNOT", Code::kCannot},
    {"CAPABILITY", Code::kCapability},
    {"CLIENTBUG", Code::kClientBug},
    {"CLOSED", Code::kClosed},
    {"CONTACTADMIN", Code::kContactAdmin},
    {"COPYUID", Code::kCopyUid},
    {"CORRUPTION", Code::kCorruption},
    {"EXPIRED", Code::kExpired},
    {"EXPUNGEISSUED", Code::kExpungeIssued},
    {"HIGHESTMODSEQ", Code::kHighestModSeq},
    {"INUSE", Code::kInUse},
    {"LIMIT", Code::kLimit},
    {"MAILBOXID", Code::kMailboxId},
    {"MESSAGELIMIT", Code::kMessageLimit},
    {"NOMODSEQ", Code::kNoModSeq},
    {"NONEXISTENT", Code::kNonExistent},
    {"NOPERM", Code::kNoPerm},
    {"OVERQUOTA", Code::kOverQuota},
    {"PARSE", Code::kParse},
    {"PERMANENTFLAGS", Code::kPermanentFlags},
    {"PRIVACYREQUIRED", Code::kPrivacyRequired},
    {"READ-ONLY", Code::kReadOnly},
    {"READ-WRITE", Code::kReadWrite},
    {"SAVELIMIT", Code::kSaveLimit},
    {"SERVERBUG", Code::kServerBug},
    {"THROTTLED", Code::kThrottled},
    {"TOOBIG", Code::kTooBig},
    {"TRYCREATE", Code::kTryCreate},
    {"UIDNEXT", Code::kUidNext},
    {"UIDNOTSTICKY", Code::kUidNotSticky},
    {"UIDVALIDITY", Code::kUidValidity},
    {"UNAVAILABLE", Code::kUnavailable},
    {"UNKNOWN-CTE", Code::kUnknownCte},
    {"UNSEEN", Code::kUnseen},
    {"USEATTR", Code::kUseAttr},
});

// The line is capped as well (limits.h).
constexpr std::size_t kMostRanges = 200'000;

/// The words between spaces.
std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (!word.empty()) out.push_back(word);
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return out;
}

/// What a code's one pair of parentheses holds.
std::optional<std::string_view> inside_parentheses(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.size() < 2 || !text.starts_with('(') || !text.ends_with(')')) return std::nullopt;
  return text.substr(1, text.size() - 2);
}

}  // namespace

ResponseCode parse_response_code(std::string_view inside) {
  const std::string_view name = inside.substr(0, inside.find_first_of(" ("));
  std::string_view args = inside.substr(name.size());
  while (args.starts_with(' ')) args.remove_prefix(1);
  ResponseCode code{Code::kOther, upper_ascii(name), std::string(args)};
  const auto known =
      std::ranges::find(kNames, code.name, [](const auto& entry) { return entry.first; });
  if (known != kNames.end()) code.code = known->second;
  return code;
}

std::optional<std::uint64_t> code_number(const ResponseCode& code) {
  const auto args = words(code.args);
  return args.empty() ? std::nullopt : to_number64(args.front());
}

std::vector<std::string> code_capabilities(const ResponseCode& code) {
  std::vector<std::string> names;
  for (const std::string_view word : words(code.args)) names.push_back(upper_ascii(word));
  return names;
}

std::optional<std::vector<std::string>> code_flags(const ResponseCode& code) {
  const auto list = inside_parentheses(code.args);
  if (!list) return std::nullopt;
  const auto flags = words(*list);
  return std::vector<std::string>(flags.begin(), flags.end());
}

std::optional<AppendUid> code_append_uid(const ResponseCode& code) {
  const auto args = words(code.args);
  if (args.size() != 2) return std::nullopt;
  const auto validity = to_number32(args[0]);
  auto uids = SequenceSet::parse(args[1], kMostRanges);
  if (!validity || !uids) return std::nullopt;
  return AppendUid{*validity, std::move(*uids)};
}

std::optional<CopyUid> code_copy_uid(const ResponseCode& code) {
  const auto args = words(code.args);
  if (args.size() != 3) return std::nullopt;
  const auto validity = to_number32(args[0]);
  auto source = SequenceSet::parse(args[1], kMostRanges);
  auto target = SequenceSet::parse(args[2], kMostRanges);
  if (!validity || !source || !target || source->count() != target->count()) return std::nullopt;
  return CopyUid{*validity, std::move(*source), std::move(*target)};
}

std::optional<std::string> code_mailbox_id(const ResponseCode& code) {
  const auto id = inside_parentheses(code.args);
  if (!id || id->empty()) return std::nullopt;
  return std::string(*id);
}

std::optional<MessageLimit> code_message_limit(const ResponseCode& code) {
  const auto args = words(code.args);
  if (args.empty() || args.size() > 2) return std::nullopt;
  const auto count = to_number32(args[0]);
  if (!count) return std::nullopt;
  MessageLimit limit{*count, std::nullopt};
  if (args.size() == 2) {
    limit.uid = to_number32(args[1]);
    if (!limit.uid) return std::nullopt;
  }
  return limit;
}

}  // namespace postferry::imap
