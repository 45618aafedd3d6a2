// Several observers behind one.
#pragma once

#include <utility>
#include <vector>

#include "engine/observer.h"

namespace postferry::cli {

/// Tells each of them everything, in order. They must outlive it.
class Observers final : public Observer {
 public:
  explicit Observers(std::vector<Observer*> observers) : observers_(std::move(observers)) {}

  void planned(std::size_t folders, std::uint64_t messages) override {
    for (Observer* observer : observers_) observer->planned(folders, messages);
  }
  void folder_begun(const FolderName& source, const FolderName& target) override {
    for (Observer* observer : observers_) observer->folder_begun(source, target);
  }
  void folder_planned(const FolderName& folder, std::uint64_t seen, std::uint64_t to_copy,
                      std::uint64_t bytes_to_copy) override {
    for (Observer* observer : observers_) {
      observer->folder_planned(folder, seen, to_copy, bytes_to_copy);
    }
  }
  void copied(const FolderName& folder, std::uint64_t messages, std::uint64_t bytes) override {
    for (Observer* observer : observers_) observer->copied(folder, messages, bytes);
  }
  void folder_ended(const FolderName& folder, const FolderTally& tally) override {
    for (Observer* observer : observers_) observer->folder_ended(folder, tally);
  }
  void note(Level level, const std::string& text) override {
    for (Observer* observer : observers_) observer->note(level, text);
  }

 private:
  std::vector<Observer*> observers_;
};

}  // namespace postferry::cli
