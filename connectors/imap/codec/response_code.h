// The code in brackets of a status response, `[APPENDUID 38505 3955]`: its name, and what its
// arguments say. Arguments are kept raw; a helper that cannot read them returns nothing, because
// servers send broken codes (Outlook.com: `[COPYUID 14  ]`) with perfectly good answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/imap/codec/sequence_set.h"

namespace postferry::imap {

/// The codes that somebody here may act on (RFC 3501, 4315, 5530, 7162, 7889, 8474, 9738, 9051).
enum class Code {
  kOther,
  kAlert,
  kAlreadyExists,
  kAppendUid,
  kAuthenticationFailed,
  kAuthorizationFailed,
  kBadCharset,
  kCannot,
  kCapability,
  kClientBug,
  kClosed,
  kContactAdmin,
  kCopyUid,
  kCorruption,
  kExpired,
  kExpungeIssued,
  kHighestModSeq,
  kInUse,
  kLimit,
  kMailboxId,
  kMessageLimit,
  kNoModSeq,
  kNonExistent,
  kNoPerm,
  kOverQuota,
  kParse,
  kPermanentFlags,
  kPrivacyRequired,
  kReadOnly,
  kReadWrite,
  kSaveLimit,
  kServerBug,
  kThrottled,
  kTooBig,
  kTryCreate,
  kUidNext,
  kUidNotSticky,
  kUidValidity,
  kUnavailable,
  kUnknownCte,
  kUnseen,
  kUseAttr,
};

struct ResponseCode {
  Code code = Code::kOther;
  std::string name;  // upper case
  std::string args;  // raw, without the space after the name; often empty
};

/// Name and arguments of the text between the brackets.
ResponseCode parse_response_code(std::string_view inside);

/// The number of UIDVALIDITY, UIDNEXT, UNSEEN, HIGHESTMODSEQ and the like. UIDVALIDITY 0 is a 0.
std::optional<std::uint64_t> code_number(const ResponseCode& code);

/// The atoms of CAPABILITY, in upper case.
std::vector<std::string> code_capabilities(const ResponseCode& code);

/// The list of PERMANENTFLAGS; `\*` among them means that new keywords can be made.
std::optional<std::vector<std::string>> code_flags(const ResponseCode& code);

/// RFC 4315. `uids` are in the order of the messages of a MULTIAPPEND.
struct AppendUid {
  std::uint32_t uid_validity = 0;
  SequenceSet uids;
};
std::optional<AppendUid> code_append_uid(const ResponseCode& code);

/// RFC 4315. Source and target pair by position; the counts are equal.
struct CopyUid {
  std::uint32_t uid_validity = 0;
  SequenceSet source;
  SequenceSet target;
};
std::optional<CopyUid> code_copy_uid(const ResponseCode& code);

/// The id of MAILBOXID (RFC 8474), `(F2212ea8-...)` without its parentheses.
std::optional<std::string> code_mailbox_id(const ResponseCode& code);

/// RFC 9738: at most `count` messages were processed; with a `uid`, the command stopped at it.
struct MessageLimit {
  std::uint32_t count = 0;
  std::optional<std::uint32_t> uid;
};
std::optional<MessageLimit> code_message_limit(const ResponseCode& code);

}  // namespace postferry::imap
