#include "cli/help.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/options.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kColumn = 30;  // where the sentences begin

constexpr const char* kCopyIs =
    "Copies every message of SOURCE to TARGET, byte for byte, with its folder, flags and date. "
    "Messages that are there already stay as they are. It can be stopped at any moment: the same "
    "command goes on where it was, and nothing is lost or doubled.";
constexpr const char* kRunIs =
    "Carries every account of a job file over, as copy does for one, several side by side. One "
    "that "
    "fails stops no other. The same command goes on where it was. The whole file is checked before "
    "anything begins.";
constexpr const char* kCheckIs =
    "Logs in at both ends and shows what a copy would meet: folders and where they would go, "
    "messages, sizes, and what the target can do. Writes nothing anywhere.";
constexpr const char* kVerifyIs =
    "Compares the target with the source, anew and by itself, and lists what is missing or "
    "differs, by folder, UID and Message-ID. Exit status 0 means that every message of SOURCE is "
    "accounted for, 65 that one is not. Where SOURCE is gone for good, --against journal "
    "lets the journal stand for it. "
    "Give it the options that chose what was copied. Writes nothing anywhere.";

constexpr const char* kFailedIs =
    "Lists the messages that could not be copied, and why, in the server's words, and those that "
    "--after-copy left at the source for want of a copy. Of these --accept says that the copies "
    "are where they should be: the next run removes them. Exit status 65 means that there are some "
    "that have not been accepted. With --export and --accept together "
    "they are accepted only if all of them could be written.";
constexpr const char* kRetryIs =
    "Tries those messages again that could not be copied, and no others. A copy does so as well, "
    "unless they have been accepted. What --after-copy left at the source is sent once more. Exit "
    "status 65 also where whole folders failed, which only "
    "copy tries again.";
constexpr const char* kUndoIs =
    "Removes from TARGET exactly what a run appended and nobody changed since, and forgets it, so "
    "that another copy would copy it again. What the source no longer has stays. Asks first; see "
    "with --dry-run what would go. In a job, last is each account's last run that copied.";
constexpr const char* kStatusIs =
    "Shows the runs of this pair, what each came to, and whether one is under way.";
constexpr const char* kReportIs =
    "Shows what one run came to, folder by folder, and what failed and why.";

constexpr const char* kEndpoints = R"(SOURCE and TARGET:
  imaps://USER@HOST[:PORT]    IMAP over TLS
  imap://USER@HOST[:PORT]     IMAP, STARTTLS required
  pop3s://USER@HOST[:PORT]    POP3 over TLS; a source only
  pop3://USER@HOST[:PORT]     POP3, STLS required; a source only
  maildir:PATH[?layout=fs]    a Maildir on this machine, as Dovecot keeps it
  mbox:PATH[?labels=folders]  an mbox file, or a directory or a zip of them
  eml:PATH                    a directory of .eml files; a source only
  smtp://[USER@]HOST[:PORT]   submission, STARTTLS required, a target only
  smtps://[USER@]HOST[:PORT]  submission over TLS, a target only
  lmtp://HOST, lmtp:PATH      LMTP by TCP or a Unix socket, a target only
  mx:DOMAIN                   the domain's mail exchangers, a target only
  A user may hold an @, as in imaps://ann@old.example@imap.old.example. More may
  follow after a ?, joined by &: tls=implicit|starttls|none, ca=FILE,
  pin=sha256:HEX, verify=no, auth=MECHANISM, sessions=N, as=USER (act for USER),
  compress=auto|on|off (IMAP; auto: where the line is slow).
)";

constexpr const char* kPasswords =
    R"(Passwords come from the options above, else from POSTFERRY_SOURCE_PASSWORD and
POSTFERRY_TARGET_PASSWORD in the environment, else from the systemd credentials
source-password and target-password, else you are asked. Never from a URL.
)";

constexpr const char* kFolders =
    R"(Folder names have their levels parted by /; a / inside a name is written %2F.
In a GLOB, * stays within a level and ** crosses levels.
)";

constexpr const char* kExits = R"(Exit status:
   0  complete                       74  journal or disk failed
  64  wrong usage                    75  stopped before the end; run it again
  65  done, but something failed     76  protocol or TLS failure
  69  a server was never reached     77  login refused
  73  a local file failed            78  the job file is wrong
                                   130  stopped at once (second signal)
)";

constexpr const char* kCopyExamples = R"(Examples:
  Move a mailbox, asking for both passwords:
    postferry copy imaps://ann@old.example imaps://ann@new.example

  See first what would happen:
    postferry copy imaps://ann@old.example imaps://ann@new.example --dry-run

  Collect a POP3 account every night:
    postferry copy pop3s://ann@old.example imaps://ann@new.example --quiet \
      --source-password-file old.pw --target-password-file new.pw

  Back it up every night; the other way round restores it:
    postferry copy imaps://ann@mail.example maildir:/backup/ann --quiet

  Import an old archive:
    postferry copy mbox:takeout-001.zip imaps://ann@new.example

  Only part of it, into another folder:
    postferry copy imaps://ann@old.example imaps://ann@new.example \
      --folder 'Projects/**' --since 2019-01-01 --map Projects=Archive/Projects
)";

constexpr const char* kRunExamples = R"(A job file:
  [source]
  url = "imaps://imap.old.example"     # the user comes from the account
  [target]
  url = "imaps://imap.new.example"
  [[account]]                          # and, or instead: accounts = "people.csv"
  source_user = "ann"
  target_user = "ann"
  source_password_file = "ann.old"
  target_password_file = "ann.new"

  Options are keys as well, at the top or of an account: max_size = "25M".
  A CSV has these columns: name, source_user, target_user, source_password,
  target_password, ..._password_file, ..._password_command, source_url, target_url.

Examples:
  postferry run move.toml
  postferry run move.toml --only 'a*' --jobs 2
  postferry run move.toml --failed
)";
constexpr const char* kVerifyExamples = R"(Examples:
  postferry verify imaps://ann@old.example imaps://ann@new.example

  Read every byte of the target, and compare:
    postferry verify imaps://ann@old.example imaps://ann@new.example --level bytes
)";

constexpr const char* kFailedExamples = R"(Examples:
  postferry failed imaps://ann@old.example imaps://ann@new.example
  postferry failed imaps://ann@old.example imaps://ann@new.example --export refused
  postferry failed imaps://ann@old.example imaps://ann@new.example --accept
  postferry failed move.toml --export refused
)";
constexpr const char* kRetryExamples = R"(Examples:
  postferry retry imaps://ann@old.example imaps://ann@new.example
  postferry retry imaps://ann@old.example imaps://ann@new.example --repair
  postferry retry move.toml --only ann
)";
constexpr const char* kUndoExamples = R"(Examples:
  postferry undo imaps://ann@old.example imaps://ann@new.example last --dry-run
  postferry undo imaps://ann@old.example imaps://ann@new.example 7 --yes
  postferry undo move.toml last --only ann
)";
constexpr const char* kStatusExamples = R"(Example:
  postferry status imaps://ann@old.example imaps://ann@new.example
)";
constexpr const char* kReportExamples = R"(Examples:
  postferry report imaps://ann@old.example imaps://ann@new.example
  postferry report imaps://ann@old.example imaps://ann@new.example 7 \
    --format html >report.html
)";

constexpr const char* kCheckExamples = R"(Examples:
  postferry check imaps://ann@old.example imaps://ann@new.example
  postferry check imaps://ann@old.example imaps://ann@new.example --json
)";

/// What is said of a command besides its options.
struct About {
  const char* name;
  const char* is;
  const char* examples;
  const char* more = "";  // arguments after SOURCE TARGET
};
constexpr About kCommands[] = {{"copy", kCopyIs, kCopyExamples},
                               {"run", kRunIs, kRunExamples},
                               {"check", kCheckIs, kCheckExamples},
                               {"verify", kVerifyIs, kVerifyExamples},
                               {"failed", kFailedIs, kFailedExamples},
                               {"retry", kRetryIs, kRetryExamples},
                               {"undo", kUndoIs, kUndoExamples, " RUN|last"},
                               {"status", kStatusIs, kStatusExamples},
                               {"report", kReportIs, kReportExamples, " [RUN|last]"}};

About about_of(const std::string& name) {
  return *std::ranges::find_if(kCommands, [&](const About& one) { return name == one.name; });
}

std::string option_lines(const CLI::Option& option) {
  std::string name = "  " + option.get_name(false, true);
  if (const std::size_t at = name.find(','); at != std::string::npos) name.insert(at + 1, " ");
  if (!option.get_type_name().empty()) name += " " + option.get_type_name();
  const std::string text = wrap(option.get_description(), kWidth - kColumn, kColumn);
  if (name.size() + 2 > kColumn) return name + "\n" + std::string(kColumn, ' ') + text + "\n";
  return name + std::string(kColumn - name.size(), ' ') + text + "\n";
}

}  // namespace

std::string wrap(const std::string& text, std::size_t width, std::size_t indent) {
  std::string result;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find(' ', at);
    if (end == std::string::npos) end = text.size();
    const std::size_t length = end - at;
    if (column > 0 && column + 1 + length > width) {
      result += "\n" + std::string(indent, ' ');
      column = 0;
    }
    if (column > 0) {
      result += ' ';
      ++column;
    }
    result.append(text, at, length);
    column += length;
    at = end + 1;
  }
  return result;
}

std::string program_help() {
  std::string text = fmt::format(
      "postferry {} carries mailboxes from POP3 or IMAP servers or mail files to\n"
      "IMAP servers or mail files, or by SMTP, exactly, and picks up where it stopped.\n\n",
      version());
  text += "  postferry copy SOURCE TARGET     copy what the target does not have\n";
  text += "  postferry run JOB.toml           copy many accounts\n";
  text += "  postferry check SOURCE TARGET    log in and show what a copy would meet\n";
  text += "  postferry verify SOURCE TARGET   prove that the target has it all\n";
  text += "  postferry failed SOURCE TARGET   list what was refused, and why\n";
  text += "  postferry retry SOURCE TARGET    try that again\n";
  text += "  postferry status SOURCE TARGET   show the runs\n";
  text += "  postferry report SOURCE TARGET   show one run: text, JSON, CSV or HTML\n";
  text += "  postferry undo SOURCE TARGET RUN take a run back\n";
  text += "  postferry COMMAND --help         all options of a command\n";
  text += "  postferry --version\n\n";
  text += "All but copy take a JOB.toml, too, in place of SOURCE and TARGET.\n\n";
  text += kEndpoints;
  text += "\n";
  text += kExits;
  text += "\nExample:\n  postferry copy imaps://ann@old.example imaps://ann@new.example\n";
  return text;
}

std::string command_help(const CLI::App& command) {
  const About about = about_of(command.get_name());
  std::string text = fmt::format("Usage: postferry {} {}{} [options]\n", about.name,
                                 about.is == kRunIs ? "JOB.toml" : "SOURCE TARGET", about.more);
  if (about.is != kRunIs && about.is != kCopyIs)
    text += fmt::format("       postferry {} JOB.toml{} [options]\n", about.name, about.more);
  text += "\n";
  text += wrap(about.is, kWidth, 0) + "\n";
  if (about.is != kRunIs) text += std::string("\n") + kEndpoints;
  for (const std::string& group : command.get_groups()) {
    std::string lines;
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_group() == group && option->nonpositional()) lines += option_lines(*option);
    }
    if (!lines.empty() && !group.empty()) text += "\n" + group + ":\n" + lines;
  }
  for (const char* part : {kPasswords, kFolders, kExits}) text += std::string("\n") + part;
  text += std::string("\n") + about.examples;
  return text;
}

}  // namespace postferry::cli
