// Several sessions that fill one folder together: for a target that is far away and lets no message
// go out before the last was taken.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/async/semaphore.h"
#include "engine/async/task_group.h"
#include "engine/observer.h"
#include "engine/target.h"

namespace postferry {

/// The sessions of one account at its target: the lanes', and between them those that help.
class Crew {
 public:
  struct Work {
    FolderName folder;
    std::uint32_t uid_validity = 0;   // under which it was opened
    std::size_t helpers = 0;          // that are of use, if there is a place for them
    std::uint64_t flags_dropped = 0;  // by helpers
  };

  /// Both outlive it.
  Crew(Target& target, Observer& observer) : target_(target), observer_(observer) {}

  /// Once: so many sessions may be open at a time.
  void allow(std::size_t sessions) {
    sessions_ = sessions;
    places_.release(static_cast<std::int64_t>(sessions));
  }
  /// As far as is known of the server.
  std::size_t sessions() const { return sessions_ - lost_.size(); }
  /// For one session. Lanes take theirs before any folder is filled.
  Task<Permit> place() { return places_.acquire_permit(); }
  /// The server has no room for the session that was to have it: so nobody gets it any more.
  void lose(Permit place) { lost_.push_back(std::move(place)); }

  /// As own.append(feed), with `own`'s folder selected; whenever a place is free, another session
  /// joins in. Messages arrive in no certain order: that is noted once. When it throws, batches of
  /// all of them are undecided.
  Task<void> append(TargetSession& own, AppendFeed& feed, Work& work);

 private:
  Task<void> hire(TaskGroup& sessions, AppendFeed& feed, Work& work);
  Task<void> help(Permit place, AppendFeed& feed, Work& work);

  Target& target_;
  Observer& observer_;
  std::size_t sessions_ = 0;
  Semaphore places_{0};
  std::vector<Permit> lost_;
  bool told_ = false;
};

}  // namespace postferry
