#include "engine/crossing/windows.h"

#include <utility>

namespace postferry {

namespace {

/// No window is known to be smaller; a shorter listing is the whole.
constexpr std::size_t kSmallestWindow = 100;
/// Whatever a server shows, there is an end: of Gmail's windows this is half a million messages.
constexpr std::size_t kSessionsAtMost = 2000;

}  // namespace

bool Windows::take(const Catalogue& catalogue, const WindowSession& session, const Tally& messages,
                   std::uint64_t bytes_copied) {
  bool others = catalogue.size() > 0;
  for (std::size_t i = 0; i < catalogue.size(); ++i)
    others = keys_.insert(catalogue.key(i)).second && others;
  messages_ = messages;
  bytes_copied_ = bytes_copied;
  const bool second = sessions_++ == 1;
  certain_ = certain_ || session.windowed || (second && others);
  if (session.handled == 0 || sessions_ >= kSessionsAtMost) return false;
  if (certain_) return true;
  return sessions_ == 1 && !session.shows_all && session.known == 0 &&
         session.shown >= kSmallestWindow;
}

void Windows::tell_crawl(Observer& observer, const FolderName& folder) {
  if (std::exchange(crawl_told_, true)) return;
  observer.note(Level::warning,
                "folder " + folder.to_string() +
                    ": its messages come at less than 1 KiB a second; some providers slow a line "
                    "down like that, without a word, once a limit of the day is used up");
}

}  // namespace postferry
