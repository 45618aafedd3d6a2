#include "cli/progress_tty.h"

#include <fmt/core.h>

#include "cli/format.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::chrono::seconds kBetweenLines{30};
constexpr std::size_t kLineWidth = 200;  // of a line that no terminal cuts

}  // namespace

ProgressTty::ProgressTty(Terminal& terminal, Executor& executor)
    : terminal_(terminal), executor_(executor), last_line_(executor.now()) {}

ProgressTty::~ProgressTty() { terminal_.status({}); }

void ProgressTty::planned(std::size_t folders, std::uint64_t messages) {
  begun_ = true;
  count_.planned(folders, messages);
}

void ProgressTty::folder_planned(const FolderName& folder, std::uint64_t seen,
                                 std::uint64_t to_copy, std::uint64_t bytes_to_copy) {
  count_.folder_planned(folder, seen, to_copy, bytes_to_copy);
}

void ProgressTty::copied(const FolderName& folder, std::uint64_t messages, std::uint64_t bytes) {
  count_.copied(folder, messages, bytes);
}

void ProgressTty::folder_ended(const FolderName& folder, const FolderTally& tally) {
  count_.folder_ended(folder, tally);
  const bool eventful = tally.messages.copied > 0 || tally.messages.rejected > 0 || tally.error;
  if (!terminal_.interactive() && eventful) {
    terminal_.line(folder_line(tally));
    last_line_ = executor_.now();
  }
}

void ProgressTty::tick() {
  if (!begun_) return;
  const ProgressState state = count_.at(executor_.now());
  if (terminal_.interactive()) {
    terminal_.status(render(state, terminal_.width() - 1));
  } else if (executor_.now() - last_line_ >= kBetweenLines) {
    terminal_.line(render(state, kLineWidth));
    last_line_ = executor_.now();
  }
}

std::string folder_line(const FolderTally& tally) {
  const Tally& messages = tally.messages;
  std::string line = fmt::format("{}: {}", printable(tally.source.to_string()),
                                 counted(messages.seen, "message", "messages"));
  const auto add = [&line](std::uint64_t number, const char* word) {
    if (number > 0) line += fmt::format(", {} {}", with_commas(number), word);
  };
  add(messages.copied, "copied");
  add(messages.present, "present");
  add(messages.filtered, "filtered");
  add(messages.rejected, "rejected");
  add(messages.vanished, "vanished");
  add(messages.unknown, "unknown");
  add(messages.pending, "pending");
  if (tally.bytes_copied > 0) line += fmt::format(" ({})", human_bytes(tally.bytes_copied));
  if (tally.error) line += fmt::format("; failed: {}", printable(tally.error->what()));
  return line;
}

}  // namespace postferry::cli
