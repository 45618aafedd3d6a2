#include "cli/proof_text.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <ctime>

#include "cli/format.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kKeptLines = 50;

std::string run_line(const RunRecord& run, const RunHistory& history, bool newest) {
  std::string line = fmt::format("{:>5}  {}  {:<9} ", run.id.value, utc_text(run.started_at),
                                 printable(run.command, 20));
  if (!run.ended_at) {
    const bool alive = newest && history.holder;
    return line + fmt::format("{}; {} copied so far\n",
                              alive ? "under way, process " + *history.holder
                                    : std::string("ended without a word"),
                              with_commas(run.copied_so_far));
  }
  const Tally tally = run.ledger.messages();
  line += fmt::format("{:<11} {:>8} {:>9} {:>9} {:>9}", to_string(run.ledger.outcome),
                      human_seconds(run.ledger.seconds), with_commas(tally.seen),
                      with_commas(tally.copied), with_commas(tally.present));
  const auto add = [&line](std::uint64_t number, const char* word) {
    if (number > 0) line += fmt::format("  {} {}", with_commas(number), word);
  };
  add(tally.filtered, "filtered");
  add(tally.rejected, "rejected");
  add(tally.vanished, "vanished");
  add(tally.unknown, "unknown");
  add(tally.pending, "pending");
  add(run.ledger.left_at_source(), "left at the source");
  add(run.ledger.folders_failed(), "folders failed");
  if (run.ledger.error) line += "  " + printable(run.ledger.error->what(), 120);
  return line + "\n";
}

}  // namespace

std::string utc_text(std::int64_t seconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if (::gmtime_r(&time, &parts) == nullptr) return "?";
  return fmt::format("{:%Y-%m-%d %H:%M}", parts);
}

std::string failed_text(const std::vector<FailedMessage>& failed, const Ledger& held, bool brief) {
  std::string text;
  std::uint64_t open = 0, left = 0;
  for (const FailedMessage& message : failed) {
    open += !message.row.accepted;
    left += !message.row.accepted && message.row.left.has_value();
    if (brief && message.row.accepted) continue;
    text += fmt::format("{}, {}, {}, run {}: {}{}\n", printable(message.folder.to_string()),
                        printable(message.row.key.to_string()), human_bytes(message.row.size_bytes),
                        message.row.run.value, printable(message.row.text),
                        message.row.accepted ? " (accepted)" : "");
    if (message.row.due_at)
      text += fmt::format("  put off {}, tried again from {} UTC\n",
                          counted(static_cast<std::uint64_t>(message.row.tries), "time", "times"),
                          utc_text(*message.row.due_at));
    if (!message.exported_to.empty())
      text += fmt::format("  written to {}\n", printable(message.exported_to));
    if (!message.not_exported.empty())
      text += fmt::format("  not written: {}\n", printable(message.not_exported));
  }
  for (const FolderTally& folder : held.folders)
    if (folder.error)
      text += fmt::format("{}, the whole folder: {}\n", printable(folder.source.to_string()),
                          printable(folder.error->what()));
  if (brief) return text;
  if (held.folders_failed() > 0 || held.error)
    text += "What this holds back is on no list; when it is mended, copy goes on with it.\n";
  if (failed.empty()) return text.empty() ? "Nothing has failed.\n" : text;
  if (left > 0)
    text +=
        "What was left at the source is sent once more by retry; --accept says that its copy is "
        "where it should be, and the next run removes it. What cannot be proved to have been "
        "copied stays then.\n";
  return text + fmt::format("{} failed, {} accepted\n",
                            counted(failed.size(), "message", "messages"),
                            with_commas(failed.size() - open));
}

std::string undo_text(const UndoReport& undo, bool dry_run) {
  std::string text;
  for (const UndoneFolder& folder : undo.folders) {
    text += fmt::format("{}: {} appended, {} {}, {} kept, {} gone\n",
                        printable(folder.target.to_string()), with_commas(folder.appended),
                        with_commas(folder.removed), dry_run ? "would be removed" : "removed",
                        with_commas(folder.kept.size() + folder.kept_left_out),
                        with_commas(folder.gone));
    if (dry_run && folder.pending > 0)
      text += fmt::format(
          "  the run or an undo of it was cut short at {}; undo looks first what became of them\n",
          counted(folder.pending, "message", "messages"));
    if (folder.error) text += fmt::format("  {}\n", printable(folder.error->what()));
    std::uint64_t hidden = folder.kept_left_out;
    for (std::size_t i = 0; i < folder.kept.size(); ++i) {
      if (i >= kKeptLines) {
        hidden += folder.kept.size() - i;
        break;
      }
      text += fmt::format("  kept: target UID {}: {}\n", folder.kept[i].uid.value,
                          printable(folder.kept[i].why));
    }
    if (hidden > 0) text += fmt::format("  and {} more kept\n", with_commas(hidden));
  }
  text += fmt::format("run {}: appended {} = removed {} + kept {} + gone {}{}\n", undo.run.value,
                      with_commas(undo.appended()), with_commas(undo.removed()),
                      with_commas(undo.kept()), with_commas(undo.gone()),
                      undo.pending() > 0 ? " + pending " + with_commas(undo.pending()) : "");
  if (dry_run) text += "Nothing was removed.\n";
  return text;
}

std::string status_text(const RunHistory& history) {
  std::string text = fmt::format("journal {}\n", printable(history.journal, 4096));
  if (history.runs.empty()) return text + "No run so far.\n";
  text += fmt::format("{:>5}  {:<16}  {:<9} {:<11} {:>8} {:>9} {:>9} {:>9}\n", "run", "began, UTC",
                      "command", "outcome", "took", "seen", "copied", "present");
  bool newest = true;
  for (const RunRecord& run : history.runs) {
    text += run_line(run, history, newest);
    newest = false;
  }
  return text;
}

}  // namespace postferry::cli
