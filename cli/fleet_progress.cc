#include "cli/fleet_progress.h"

#include <fmt/core.h>

#include "cli/format.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::chrono::seconds kBetweenLines{30};
constexpr std::size_t kLineWidth = 200;  // of a line that no terminal cuts

}  // namespace

FleetProgress::FleetProgress(Terminal& terminal, Executor& executor, std::size_t accounts)
    : terminal_(terminal), executor_(executor), accounts_(accounts), last_line_(executor.now()) {}

FleetProgress::~FleetProgress() { terminal_.status({}); }

void FleetProgress::account_ended(const Ledger& ledger) {
  ++ended_;
  if (terminal_.interactive()) return;
  const Tally tally = ledger.messages();
  terminal_.line(fmt::format("{}: {}, {}, {} copied ({})", printable(ledger.account),
                             to_string(ledger.outcome), counted(tally.seen, "message", "messages"),
                             with_commas(tally.copied), human_bytes(ledger.bytes_copied())));
  last_line_ = executor_.now();
}

void FleetProgress::tick() {
  const std::string accounts = fmt::format("accounts {}/{}  ", ended_, accounts_);
  const bool in_place = terminal_.interactive();
  const std::size_t width = (in_place ? terminal_.width() - 1 : kLineWidth);
  const std::size_t room = width > accounts.size() ? width - accounts.size() : 0;
  const std::string line = accounts + render(count_.at(executor_.now()), room);
  if (in_place) {
    terminal_.status(line);
  } else if (executor_.now() - last_line_ >= kBetweenLines) {
    terminal_.line(line);
    last_line_ = executor_.now();
  }
}

FolderName AccountWatch::named(const FolderName& folder) const {
  std::vector<std::string> levels{account_};
  levels.insert(levels.end(), folder.levels().begin(), folder.levels().end());
  return FolderName(std::move(levels));
}

void AccountWatch::planned(std::size_t folders, std::uint64_t messages) {
  if (count_) count_->planned(folders, messages);
}

void AccountWatch::folder_planned(const FolderName& folder, std::uint64_t seen,
                                  std::uint64_t to_copy, std::uint64_t bytes_to_copy) {
  if (count_) count_->folder_planned(named(folder), seen, to_copy, bytes_to_copy);
}

void AccountWatch::copied(const FolderName& folder, std::uint64_t messages, std::uint64_t bytes) {
  if (count_) count_->copied(named(folder), messages, bytes);
}

void AccountWatch::folder_ended(const FolderName& folder, const FolderTally& tally) {
  if (count_) count_->folder_ended(named(folder), tally);
}

void AccountWatch::note(Level level, const std::string& text) {
  log_.note(level, account_ + ": " + text);
}

}  // namespace postferry::cli
