// Options that exclude each other, or do not fit the ends.
#include <fmt/core.h>

#include "cli/options.h"
#include "engine/error.h"

namespace postferry::cli {

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
  if (options.same_account && options.account.empty() && !options.journal) {
    throw UsageError(
        "--same-account needs --journal FILE, the journal of the mailboxes as they "
        "were called",
        "`postferry status` with the former SOURCE and TARGET shows where it is.");
  }
  if (options.target.protocol == Protocol::pop3) {
    throw UsageError("POP3 cannot take mail, so it cannot be a target",
                     "Give the target's IMAP server, as in imaps://ann@new.example.");
  }
  if (options.target.protocol == Protocol::eml) {
    throw UsageError(".eml files are read, not written: they cannot be a target",
                     "Give a Maildir or an mbox, as in maildir:/backup/ann.");
  }
  const bool one_host = !options.source.host.empty() && options.source.host == options.target.host;
  if (one_host && options.limit_sessions == 1) {
    throw UsageError(
        fmt::format("--limit-sessions 1 is too little: source and target are one host, {}",
                    printable(options.source.host)));
  }
  if (options.source.identity() == options.target.identity()) {
    throw UsageError(fmt::format("source and target are the same account, {}",
                                 printable(options.source.to_string())));
  }
}

/// What a target that only takes mail needs, and what it cannot do.
void check_relaying(PairOptions& options) {
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
  if (options.repair)
    throw UsageError("--repair means nothing with a relay: messages go to it as they are");
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

}  // namespace postferry::cli
