#include "engine/crossing/lost_dates.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "engine/counted.h"

namespace postferry {

void LostDates::note(const Catalogue::Entry& listed, const Message& message) {
  if (!message.date) {
    none_.push_back(message.key);
  } else if (!listed.date || listed.date->seconds != message.date->seconds) {
    by_header_.push_back(message.key);
  }
}

void LostDates::add(const LostDates& more) {
  std::ranges::copy(more.by_header_, std::back_inserter(by_header_));
  std::ranges::copy(more.none_, std::back_inserter(none_));
}

void LostDates::tell(Observer& observer, const FolderName& folder) {
  const auto warn = [&](std::vector<MessageKey> keys, const char* instead) {
    if (keys.empty()) return;
    observer.note(Level::warning, "folder " + folder.to_string() + ": " +
                                      counted(keys.size(), "message has", "messages have") +
                                      " a date of arrival that cannot be read, or be true (" +
                                      some_of(keys) + "); " + instead);
  };
  warn(std::exchange(by_header_, {}), "the copy has the one that the header tells");
  warn(std::exchange(none_, {}), "the header tells none, either, and the copy is of today");
}

}  // namespace postferry
