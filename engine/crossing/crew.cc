#include "engine/crossing/crew.h"

#include <memory>
#include <string>
#include <utility>

namespace postferry {

Task<void> Crew::append(TargetSession& own, AppendFeed& feed, Work& work) {
  co_await with_group([&](TaskGroup& sessions) -> Task<void> {
    co_await with_group([&](TaskGroup& hiring) -> Task<void> {
      hiring.spawn(hire(sessions, feed, work));
      co_await own.append(feed);
      hiring.cancel();
    });
    co_await sessions.join();
  });
}

Task<void> Crew::hire(TaskGroup& sessions, AppendFeed& feed, Work& work) {
  for (std::size_t hired = 0; hired < work.helpers; ++hired) {
    Permit place = co_await places_.acquire_permit();
    sessions.spawn(help(std::move(place), feed, work));
  }
}

Task<void> Crew::help(Permit place, AppendFeed& feed, Work& work) {
  std::unique_ptr<TargetSession> session;
  FolderNumbers numbers;
  try {
    session = co_await target_.connect();
    numbers = co_await session->select(work.folder);
  } catch (const Error& error) {
    // Those who are at work go on without it.
    observer_.note(Level::info, std::string("going on with fewer sessions: ") + error.what());
    lose(std::move(place));
    co_return;
  }
  if (numbers.uid_validity.value_or(0) != work.uid_validity)
    throw Error(ErrorKind::transient, "the folder's UIDVALIDITY changed meanwhile",
                "folder " + work.folder.to_string());
  if (!std::exchange(told_, true))
    observer_.note(Level::info,
                   "the target takes one message a round trip: several sessions fill its folders, "
                   "and the copies are not in the order of the source");
  try {
    co_await session->append(feed);
  } catch (const Error&) {
    lose(std::move(place));
    throw;
  }
  work.flags_dropped += session->flags_dropped();
  co_await session->logout();
}

}  // namespace postferry
