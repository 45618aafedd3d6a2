#include "cli/progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cli/format.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

/// A piece of the line; the highest rank is the first to go.
struct Piece {
  std::string text;
  int rank;
};

std::size_t joined_columns(const std::vector<Piece>& pieces) {
  std::size_t total = 0;
  for (const Piece& piece : pieces) total += columns(piece.text) + 2;
  return total == 0 ? 0 : total - 2;
}

int percent(const ProgressState& state) {
  if (state.messages_total == 0) return 0;
  const double share =
      static_cast<double>(state.messages_done) / static_cast<double>(state.messages_total);
  return static_cast<int>(std::floor(std::min(1.0, share) * 100));
}

}  // namespace

std::string render(const ProgressState& state, std::size_t width) {
  std::vector<Piece> pieces;
  const bool known = state.messages_total > 0;
  if (known) pieces.push_back({fmt::format("{:3}%", percent(state)), 0});
  pieces.push_back({fmt::format("folders {}/{}", state.folders_done, state.folders_total), 3});
  if (known) {
    pieces.push_back({fmt::format("messages {}/{}", with_commas(state.messages_done),
                                  with_commas(state.messages_total)),
                      1});
  }
  if (state.bytes_copied > 0) {
    pieces.push_back({human_bytes(state.bytes_copied), 4});
  }
  if (state.bytes_per_second >= 1) {
    pieces.push_back(
        {fmt::format("{}/s", human_bytes(static_cast<std::uint64_t>(state.bytes_per_second))), 5});
    pieces.push_back({fmt::format("{:.0f} msg/s", state.messages_per_second), 6});
  }
  if (state.left) pieces.push_back({fmt::format("{} left", human_duration(*state.left)), 2});
  while (!pieces.empty() && joined_columns(pieces) > width) {
    pieces.erase(std::max_element(pieces.begin(), pieces.end(),
                                  [](const Piece& a, const Piece& b) { return a.rank < b.rank; }));
  }
  std::string line;
  for (const Piece& piece : pieces) line += (line.empty() ? "" : "  ") + piece.text;
  constexpr std::size_t kWorthShowing = 8;
  const std::size_t used = columns(line);
  if (!state.folder.empty() && used + 2 + kWorthShowing <= width) {
    line += "  " + cut_to(printable(state.folder), width - used - 2);
  }
  return line;
}

void ProgressCount::planned(std::size_t folders, std::uint64_t messages) {
  folders_total_ += folders;
  listed_ += messages;
}

void ProgressCount::folder_planned(const FolderName& folder, std::uint64_t seen,
                                   std::uint64_t to_copy, std::uint64_t bytes_to_copy) {
  Folder& open = open_[folder];  // there already when it is taken up again after a lost line
  catalogued_ = catalogued_ - open.seen + seen;
  messages_left_ = messages_left_ - open.messages_left + to_copy;
  bytes_left_ = bytes_left_ - open.bytes_left + bytes_to_copy;
  messages_planned_ += to_copy;
  bytes_planned_ += bytes_to_copy;
  open = Folder{seen, to_copy, bytes_to_copy};
  last_folder_ = folder.to_string();
}

void ProgressCount::copied(const FolderName& folder, std::uint64_t messages, std::uint64_t bytes) {
  copied_ += messages;
  bytes_copied_ += bytes;
  last_folder_ = folder.to_string();
  const auto at = open_.find(folder);
  if (at == open_.end()) return;
  Folder& open = at->second;
  const std::uint64_t messages_off = std::min(messages, open.messages_left);
  const std::uint64_t bytes_off = std::min(bytes, open.bytes_left);  // sizes of listings may lie
  open.messages_left -= messages_off;
  open.bytes_left -= bytes_off;
  messages_left_ -= messages_off;
  bytes_left_ -= bytes_off;
}

void ProgressCount::folder_ended(const FolderName& folder, const FolderTally& tally) {
  ++folders_done_;
  if (open_.find(folder) == open_.end()) folder_planned(folder, tally.messages.seen, 0, 0);
  const auto at = open_.find(folder);
  messages_left_ -= at->second.messages_left;
  bytes_left_ -= at->second.bytes_left;
  open_.erase(at);
}

ProgressState ProgressCount::at(TimePoint now) {
  measure(now);
  ProgressState state;
  state.folders_done = folders_done_;
  state.folders_total = std::max(folders_total_, folders_done_);
  state.messages_total = std::max(listed_, catalogued_);
  state.messages_done = catalogued_ - std::min(catalogued_, messages_left_);
  state.bytes_copied = bytes_copied_;
  state.bytes_per_second = bytes_per_second_;
  state.messages_per_second = messages_per_second_;
  state.left = left();
  state.folder = last_folder_;
  return state;
}

void ProgressCount::measure(TimePoint now) {
  constexpr double kWindowSeconds = 10;
  if (!measured_) {
    measured_ = now;
    return;
  }
  const double seconds = std::chrono::duration<double>(now - *measured_).count();
  if (seconds < 0.5) return;
  const double messages = static_cast<double>(copied_ - measured_messages_) / seconds;
  const double bytes = static_cast<double>(bytes_copied_ - measured_bytes_) / seconds;
  const bool first = messages_per_second_ == 0 && bytes_per_second_ == 0;
  const double weight = first ? 1 : 1 - std::exp(-seconds / kWindowSeconds);
  messages_per_second_ += weight * (messages - messages_per_second_);
  bytes_per_second_ += weight * (bytes - bytes_per_second_);
  measured_ = now;
  measured_messages_ = copied_;
  measured_bytes_ = bytes_copied_;
}

/// By bytes for what is catalogued; folders not yet looked into count as if nothing in them had
/// been copied, at the average size so far.
std::optional<std::chrono::seconds> ProgressCount::left() const {
  if (bytes_per_second_ < 1 || messages_planned_ == 0) return std::nullopt;
  const double average =
      static_cast<double>(bytes_planned_) / static_cast<double>(messages_planned_);
  const double unknown = static_cast<double>(listed_ - std::min(listed_, catalogued_)) * average;
  const double seconds = (static_cast<double>(bytes_left_) + unknown) / bytes_per_second_;
  if (seconds > 99.0 * 3600) return std::nullopt;
  return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(seconds)));
}

}  // namespace postferry::cli
