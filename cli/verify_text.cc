#include "cli/verify_text.h"

#include <fmt/core.h>

#include <map>

#include "cli/format.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kHarmlessLines = 20;  // of one folder and kind; --json has them all
constexpr std::size_t kNameColumns = 44;

void add(std::string& text, const char* between, std::uint64_t number, const char* word) {
  if (number == 0) return;
  text += fmt::format("{}{} {}", text.empty() ? "" : between, with_commas(number), word);
}

/// "3 missing, 1 differ": what has no column.
std::string other_counts(const VerifyTally& tally) {
  std::string text;
  add(text, ", ", tally.missing, "missing");
  add(text, ", ", tally.differ, "differ");
  add(text, ", ", tally.marked, "marked for deletion");
  add(text, ", ", tally.doubled, "doubled");
  add(text, ", ", tally.unproven, "unproven");
  add(text, ", ", tally.refused, "refused");
  add(text, ", ", tally.accepted, "refused and accepted");
  add(text, ", ", tally.filtered, "filtered");
  add(text, ", ", tally.extra, "extra");
  add(text, ", ", tally.repaired, "repaired");
  add(text, ", ", tally.flags_differ, "with other flags");
  add(text, ", ", tally.dates_differ, "with another date");
  return text;
}

std::string name_of(const VerifiedFolder& folder) {
  const std::string from = printable(folder.source.to_string());
  return folder.source == folder.target ? from
                                        : from + " -> " + printable(folder.target.to_string());
}

std::string padded(const std::string& text, std::size_t width) {
  const std::string cut = cut_to(text, width);
  return cut + std::string(width - columns(cut), ' ');
}

std::string finding_line(const VerifiedFolder& folder, const Finding& finding) {
  std::string text =
      fmt::format("  {:<8} {}", to_string(finding.kind), printable(folder.source.to_string()));
  if (finding.key) text += ", " + printable(finding.key->to_string());
  if (finding.uid && !finding.key)
    text += fmt::format(", target UID {}", finding.uid.value);
  else if (finding.uid)
    text += fmt::format(" (target UID {})", finding.uid.value);
  if (!finding.message_id.empty()) text += " " + printable(finding.message_id, 120);
  return text + ": " + printable(finding.text) + "\n";
}

std::string findings_text(const VerifiedFolder& folder, bool brief) {
  std::string text;
  std::map<FindingKind, std::size_t> shown;
  std::uint64_t hidden = folder.findings_left_out;
  for (const Finding& finding : folder.findings) {
    const bool difference = is_difference(finding.kind);
    if (!difference && brief) continue;
    if (!difference && ++shown[finding.kind] > kHarmlessLines) {
      ++hidden;
      continue;
    }
    text += finding_line(folder, finding);
  }
  if (hidden > 0 && !brief) text += fmt::format("  and {} more\n", with_commas(hidden));
  return text;
}

std::string sum_text(const VerifyTally& tally) {
  std::string text =
      fmt::format("seen {} = match {}", with_commas(tally.seen), with_commas(tally.match));
  const auto plus = [&text](std::uint64_t number, const char* word) {
    if (number > 0) text += fmt::format(" + {} {}", word, with_commas(number));
  };
  plus(tally.differ, "differ");
  plus(tally.marked, "marked");
  plus(tally.missing, "missing");
  plus(tally.refused, "refused");
  plus(tally.accepted, "accepted");
  plus(tally.filtered, "filtered");
  plus(tally.unproven, "unproven");
  text += tally.balances() ? "; balanced\n" : "; DOES NOT BALANCE, this is a bug\n";
  const auto note = [&text](std::uint64_t number, const char* what) {
    if (number > 0) text += fmt::format("{} {}\n", counted(number, "message", "messages"), what);
  };
  note(tally.marked, "marked \\Deleted on the target alone: an EXPUNGE there would take them away");
  note(tally.kept, "no longer at the source, still on the target");
  note(tally.folded, "that this server keeps in one copy with an equal one");
  note(tally.munged, "the same but for what this server does to every message");
  note(tally.repaired, "repaired before they were sent, as was asked for: not what the source has");
  note(tally.extra, "on the target alone: not ours, left alone");
  note(tally.doubled, "on the target once more than at the source");
  note(tally.gone, "no longer at either end");
  note(tally.flags_differ,
       "with other flags (no error: they follow the source, and people change them)");
  note(tally.dates_differ, "with another date");
  return text;
}

/// What a level compares. The journal, where it stands for the source, has no headers.
std::string compared(const VerifyReport& report) {
  if (report.level == VerifyLevel::bytes) return "every byte";
  const bool headers = report.level == VerifyLevel::header && !report.against_journal;
  return headers ? "presence, size, flags, date and header" : "presence, size, flags and date";
}

std::string verdict(const VerifyReport& report) {
  if (report.stopped) return "Stopped before the end.\n";
  if (report.error) return "";
  const char* against = report.against_journal ? " of the journal" : "";
  if (report.journal_incomplete)
    return "The journal does not know of every message: the last copy had not reached them all, or "
           "something was taken back since; and the source was not asked.\n";
  if (report.accounted_for())
    return fmt::format("Every message{} is accounted for (level {}: {}).\n", against,
                       to_string(report.level), compared(report));
  std::string text = fmt::format("NOT every message{} is accounted for (level {}: {}).\n", against,
                                 to_string(report.level), compared(report));
  if (report.messages().missing > 0)
    text += "Run copy again for what was never copied; give verify the options that copy had.\n";
  return text;
}

}  // namespace

std::string verify_text(const VerifyReport& report, bool brief) {
  std::string text;
  if (!brief && !report.folders.empty())
    text += fmt::format("{} {:>9} {:>9}\n", padded("Folder", kNameColumns), "seen", "match");
  for (const VerifiedFolder& folder : report.folders) {
    const std::string others = other_counts(folder.messages);
    if (!brief)
      text += fmt::format("{} {:>9} {:>9}{}{}\n", padded(name_of(folder), kNameColumns),
                          with_commas(folder.messages.seen), with_commas(folder.messages.match),
                          others.empty() ? "" : "  ", others);
    if (folder.error)
      text += fmt::format("  Folder {}: {}\n", printable(folder.source.to_string()),
                          in_folder(*folder.error, folder.source));
    if (folder.folder_missing)
      text +=
          fmt::format("  missing  the folder {} itself\n", printable(folder.target.to_string()));
    text += findings_text(folder, brief);
  }
  if (brief) return text;
  for (const FolderName& folder : report.extra_folders)
    text += fmt::format("on the target alone: folder {}\n", printable(folder.to_string()));
  if (!report.folders.empty()) text += sum_text(report.messages());
  return text + verdict(report);
}

}  // namespace postferry::cli
