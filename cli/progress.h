// How far a crossing has come: counted from what an Observer is told, and put into one line.
// Knows no terminal and reads no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "engine/observer.h"

namespace postferry::cli {

struct ProgressState {
  std::size_t folders_done = 0, folders_total = 0;
  std::uint64_t messages_done = 0;   // accounted for: copied, or found to be there
  std::uint64_t messages_total = 0;  // as far as known
  std::uint64_t bytes_copied = 0;
  double bytes_per_second = 0, messages_per_second = 0;  // of late
  std::optional<std::chrono::seconds> left;
  std::string folder;  // the one that moved last
};

/// One line of at most `width` columns; what does not fit is left out, least important first.
std::string render(const ProgressState& state, std::size_t width);

/// Counts. Times come from the caller, so that tests can choose them.
class ProgressCount {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Adds up what several accounts plan.
  void planned(std::size_t folders, std::uint64_t messages);
  void folder_planned(const FolderName& folder, std::uint64_t seen, std::uint64_t to_copy,
                      std::uint64_t bytes_to_copy);
  void copied(const FolderName& folder, std::uint64_t messages, std::uint64_t bytes);
  void folder_ended(const FolderName& folder, const FolderTally& tally);

  /// The state at `now`; rates are averaged over about the last ten seconds.
  ProgressState at(TimePoint now);

 private:
  struct Folder {
    std::uint64_t seen = 0, messages_left = 0, bytes_left = 0;
  };

  void measure(TimePoint now);
  std::optional<std::chrono::seconds> left() const;

  std::size_t folders_total_ = 0, folders_done_ = 0;
  std::uint64_t listed_ = 0;      // messages, by the listing
  std::uint64_t catalogued_ = 0;  // messages of folders whose catalogue is known
  std::uint64_t messages_left_ = 0, bytes_left_ = 0;        // of the open folders
  std::uint64_t messages_planned_ = 0, bytes_planned_ = 0;  // all that was ever to be copied
  std::uint64_t copied_ = 0, bytes_copied_ = 0;
  std::map<FolderName, Folder> open_;
  std::string last_folder_;

  std::optional<TimePoint> measured_;
  std::uint64_t measured_messages_ = 0, measured_bytes_ = 0;
  double messages_per_second_ = 0, bytes_per_second_ = 0;
};

}  // namespace postferry::cli
