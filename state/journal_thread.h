// The thread on which a journal's calls run, so that no disk ever stops the loop.
// Must not know SQL.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/async/completion.h"
#include "engine/async/task.h"
#include "state/group_commit.h"

namespace postferry::state {

/// Takes calls from any loop; all that have queued up while it was busy are committed together.
/// The queue needs no bound of its own: each caller waits for its one call.
class JournalThread {
 public:
  /// `store` must outlive this, and belongs to the thread until then.
  explicit JournalThread(Store& store);
  /// No call may be under way.
  ~JournalThread();
  JournalThread(const JournalThread&) = delete;
  JournalThread& operator=(const JournalThread&) = delete;

  /// Ends when the call is committed or has failed, which only `call.error` tells. A cancel does
  /// not reach it: what has happened to a message is written down.
  Task<void> run(Call& call);

 private:
  struct Queued {
    Call* call;
    Completion<void>* done;
    Executor* executor;
  };

  void work();
  static void deliver(std::vector<Queued> done);

  Store& store_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Queued> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace postferry::state
