#include "cli/ledger_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/format.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kMostLines = 50;  // of folders, and of refusals
constexpr std::size_t kNameColumns = 44;

std::string name_of(const FolderName& source, const FolderName& target) {
  const std::string from = printable(source.to_string());
  return source == target ? from : from + " -> " + printable(target.to_string());
}

std::string padded(const std::string& text, std::size_t width) {
  const std::string cut = cut_to(text, width);
  return cut + std::string(width - columns(cut), ' ');
}

/// "12 filtered, 3 rejected": the counts of a folder that have no column.
std::string other_counts(const FolderTally& folder, bool dry_run) {
  const Tally& tally = folder.messages;
  std::string text;
  const auto add = [&text](std::uint64_t number, const char* word) {
    if (number == 0) return;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", with_commas(number), word);
  };
  add(tally.filtered, "filtered");
  add(tally.rejected, "rejected");
  add(tally.vanished, "vanished");
  add(tally.unknown, "unknown");
  if (!dry_run) add(tally.pending, "pending");
  add(tally.twins, "twins");
  add(folder.flags_updated, dry_run ? "flags to update" : "flags updated");
  add(folder.deleted, dry_run ? "to delete" : "deleted");
  add(folder.removed, dry_run ? "to remove" : "removed");
  add(folder.left_at_source, "left at the source");
  return text;
}

/// One line, or nothing where nothing happened. A dry run has what is to be copied, and how much
/// it is, where a real one has what was.
std::string folder_row(const Report& report, const FolderTally& folder) {
  const Tally& tally = folder.messages;
  std::string others = other_counts(folder, report.dry_run);
  const std::uint64_t moved = report.dry_run ? tally.pending : tally.copied;
  if (moved == 0 && !folder.error && others.empty()) return {};
  if (const auto bytes = report.planned_bytes.find(folder.source);
      bytes != report.planned_bytes.end() && bytes->second > 0) {
    others = human_bytes(bytes->second) + (others.empty() ? "" : ", ") + others;
  }
  return fmt::format("{} {:>9} {:>9} {:>9}{}{}\n",
                     padded(name_of(folder.source, folder.target), kNameColumns),
                     with_commas(tally.seen), with_commas(moved), with_commas(tally.present),
                     others.empty() ? "" : "  ", others);
}

std::string folder_table(const Report& report) {
  const std::vector<FolderTally>& folders = report.ledger.folders;
  std::string lines;
  std::size_t shown = 0;
  for (const FolderTally& folder : folders) {
    const std::string row = folder_row(report, folder);
    if (row.empty() || shown == kMostLines) continue;
    ++shown;
    lines += row;
  }
  std::string text;
  if (shown > 0) {
    text += fmt::format("{} {:>9} {:>9} {:>9}\n", padded("Folder", kNameColumns), "seen",
                        report.dry_run ? "to copy" : "copied", "present");
  }
  text += lines;
  if (const std::size_t rest = folders.size() - shown; rest > 0) {
    text += shown > 0 ? "and " : "";
    text += counted(rest, "folder", "folders");
    text += shown == kMostLines ? " more\n" : " with nothing to do\n";
  }
  return text;
}

}  // namespace

std::string failures_text(const Report& report) {
  std::string text;
  for (const FolderTally& folder : report.ledger.folders) {
    if (!folder.error) continue;
    text += fmt::format("Folder {}: {}\n", printable(folder.source.to_string()),
                        in_folder(*folder.error, folder.source));
  }
  for (const RepairedMessage& message : report.repaired)
    text += fmt::format("Repaired: {}, {}: {}; the original is {}{}\n",
                        printable(message.folder.to_string()), printable(message.key.to_string()),
                        in_words(message.repairs), message.original.ends_with(".eml") ? "" : "in ",
                        printable(message.original, 4096));
  std::size_t shown = 0;
  for (const Refusal& refusal : report.refusals) {
    if (shown++ == kMostLines) break;
    text +=
        fmt::format("{}{}, {}: {}\n",
                    refusal.left_behind ? "" : "Refused: ", printable(refusal.folder.to_string()),
                    printable(refusal.key.to_string()), printable(refusal.text));
  }
  if (report.refusals.size() > kMostLines) {
    text += fmt::format("and {} more, see `postferry failed`\n",
                        with_commas(report.refusals.size() - kMostLines));
  }
  return text;
}

std::string sum_text(const Report& report) {
  const Ledger& ledger = report.ledger;
  const Tally tally = ledger.messages();
  std::string text = fmt::format("seen {} = copied {} + present {}", with_commas(tally.seen),
                                 with_commas(tally.copied), with_commas(tally.present));
  const auto add = [&text](std::uint64_t number, const char* word) {
    if (number > 0) text += fmt::format(" + {} {}", word, with_commas(number));
  };
  add(tally.filtered, "filtered");
  add(tally.rejected, "rejected");
  add(tally.vanished, "vanished");
  add(tally.unknown, "unknown");
  add(tally.pending, report.dry_run ? "to copy" : "pending");
  text += tally.balances() ? "; balanced\n" : "; DOES NOT BALANCE, this is a bug\n";
  if (tally.twins > 0)
    text += fmt::format("{} found on the target\n", counted(tally.twins, "twin", "twins"));
  const char* would_be = report.dry_run ? "would be " : "";
  if (ledger.flags_updated() > 0) {
    text += fmt::format("flags {}updated on {}\n", would_be,
                        counted(ledger.flags_updated(), "message", "messages"));
  }
  if (ledger.deleted() > 0) {
    text += fmt::format("{} {}deleted on the target\n",
                        counted(ledger.deleted(), "message", "messages"), would_be);
  }
  if (ledger.removed() > 0) {
    text += fmt::format("{} {}removed from the source\n",
                        counted(ledger.removed(), "message", "messages"), would_be);
  }
  if (ledger.left_at_source() > 0) {
    text += fmt::format("{} left at the source, see `postferry failed`\n",
                        counted(ledger.left_at_source(), "message", "messages"));
  }
  std::uint64_t dropped = 0;
  for (const FolderTally& folder : ledger.folders) dropped += folder.flags_dropped;
  if (dropped > 0) {
    text += fmt::format("{} left out, which the target's folders do not take\n",
                        counted(dropped, "flag", "flags"));
  }
  if (report.dry_run) return text;
  const std::string time = human_seconds(ledger.seconds);
  text += ledger.bytes_copied() > 0
              ? fmt::format("{} in {}\n", human_bytes(ledger.bytes_copied()), time)
              : fmt::format("nothing copied; {}\n", time);
  return text;
}

namespace {

/// It has crossed, and what becomes of it is for the user to say.
constexpr const char* kLeftAtSource =
    "What was left at the source has no copy on the target for all one can tell: `postferry retry` "
    "sends it once more; `postferry failed --accept` says that the copy is where it should be, and "
    "the next run removes the message.";

/// What may have been delivered does not go out again by itself.
std::string advice_on_rest(const Report& report) {
  const Ledger& ledger = report.ledger;
  const Tally tally = ledger.messages();
  if (report.held_back)
    return "What holds whole folders back is not for retry: when it is mended, copy goes on with "
           "them.";
  const bool more =
      tally.rejected > tally.accepted || tally.pending > 0 || ledger.folders_failed() > 0;
  if (tally.unknown == 0) {
    const std::string rest =
        more ? "Done, but not everything could be copied. The next run tries it again." : "Done.";
    return ledger.left_at_source() > 0 ? rest + " " + kLeftAtSource : rest;
  }
  return std::string(more ? "Done, but not everything could be copied. The next run tries it "
                            "again, but for what is unknown: that "
                          : "Done. What is unknown ") +
         "may have been delivered, and `postferry retry --unknown` sends it again.";
}

}  // namespace

std::string advice(const Report& report, ExitCode code) {
  const std::optional<Error>& error = report.ledger.error;
  switch (code) {
    case ExitCode::complete:
      return report.dry_run ? "A dry run: nothing was written. What the target already has would "
                              "not be copied again."
                            : "Complete.";
    case ExitCode::partial:
      if (report.dry_run) return "A dry run: nothing was written.";
      return error && error->kind() == ErrorKind::quota
                 ? report.held_back
                       ? "The target was full. Make room there, then run copy."
                       : "The target is full. Make room there, then run the same command again."
                 : advice_on_rest(report);
    case ExitCode::unreachable:
      return "The server was never reached. Check the host and the port, then run the same command "
             "again.";
    case ExitCode::interrupted:
      return "Stopped before the end. Run the same command again to go on.";
    case ExitCode::auth:
      return "Check the user and the password; some providers want an app password or "
             "auth=xoauth2.";
    case ExitCode::protocol:
      return error && error->kind() == ErrorKind::protocol
                 ? "--transcript FILE writes down what was said."
                 : "Nothing secret was sent.";
    case ExitCode::job_file:
    case ExitCode::local_file:
    case ExitCode::journal:
    case ExitCode::usage:
    case ExitCode::bug:
    case ExitCode::at_once:
      break;
  }
  return {};
}

std::string ledger_text(const Report& report, ExitCode code, bool brief) {
  if (brief || report.ledger.folders.empty()) return failures_text(report);
  const std::string hint = advice(report, code);
  return folder_table(report) + failures_text(report) + sum_text(report) +
         (hint.empty() ? "" : hint + "\n");
}

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + printable(word);
  return text;
}

std::string check_row(const CheckedFolder& folder) {
  std::string more;
  const auto add = [&more](std::uint64_t number, const char* word) {
    if (number > 0) more += fmt::format("  {} {}", with_commas(number), word);
  };
  add(folder.present, "copied before");
  add(folder.filtered, "filtered");
  add(folder.too_big, "too big");
  return fmt::format("{} {:>9} {:>9}{}{}\n",
                     padded(name_of(folder.source, folder.target), kNameColumns),
                     with_commas(folder.messages), human_bytes(folder.size_bytes),
                     folder.exists ? "" : "  to be made", more);
}

std::string target_text(const TargetTraits& traits) {
  return fmt::format(
      "\ntarget: {}; {} at a time; messages up to {}; {}\n",
      traits.uidplus ? "tells the UIDs it gives (UIDPLUS)"
                     : "does not tell UIDs (no UIDPLUS), they are looked up",
      counted(traits.batch_messages, "message", "messages"),
      traits.append_limit_bytes ? human_bytes(*traits.append_limit_bytes) : "any size",
      traits.delimiter == '\0' ? std::string("folders have no levels")
      : traits.delimiter < ' '
          ? "any character in a name"
          : fmt::format("levels parted by {}", printable(std::string(1, traits.delimiter))));
}

std::string quota_text(const Quota& quota) {
  const auto number = [&quota](std::uint64_t value) {
    return quota.of == Quota::Of::bytes ? human_bytes(value) : with_commas(value);
  };
  return fmt::format("quota {}: {} of {}{} used\n", printable(quota.root), number(quota.used),
                     number(quota.limit), quota.of == Quota::Of::bytes ? "" : " messages");
}

}  // namespace

std::string check_text(const Report& report) {
  std::string text;
  if (!report.check) return text;
  const CheckReport& check = *report.check;
  text +=
      fmt::format("source  {}\ntarget  {}\n\n", printable(report.source), printable(report.target));
  text += fmt::format("{} {:>9} {:>9}\n", padded("Folder", kNameColumns), "messages", "size");
  std::uint64_t messages = 0, bytes = 0, due = 0, due_bytes = 0;
  for (const CheckedFolder& folder : check.folders) {
    messages += folder.messages;
    bytes += folder.size_bytes;
    due += folder.due;
    due_bytes += folder.due_bytes;
    text += check_row(folder);
  }
  text += fmt::format("{} {:>9} {:>9}\n",
                      padded(counted(check.folders.size(), "folder", "folders"), kNameColumns),
                      with_commas(messages), human_bytes(bytes));
  for (const FolderName& folder : check.left_out) {
    text += fmt::format("left out: {}\n", printable(folder.to_string()));
  }
  for (const std::string& note : check.notes) text += fmt::format("note: {}\n", printable(note));
  if (check.traits) text += target_text(*check.traits);
  for (const Quota& quota : check.quotas) text += quota_text(quota);
  text += fmt::format("sessions: up to {} at the source, {} at the target\n", check.source_sessions,
                      check.target_sessions);
  if (!check.source_offers.empty())
    text += fmt::format("source offers: {}\n", joined(check.source_offers));
  if (!check.target_offers.empty())
    text += fmt::format("target offers: {}\n", joined(check.target_offers));
  text += fmt::format(
      "to copy: {}, {}{}\n", counted(due, "message", "messages"), human_bytes(due_bytes),
      check.seconds_to_read ? fmt::format("; one session reads that in about {}, by a sample",
                                          human_seconds(*check.seconds_to_read))
                            : "");
  for (const std::string& problem : check.problems)
    text += fmt::format("would fail: {}\n", printable(problem));
  return text + "Nothing was written.\n";
}

}  // namespace postferry::cli
