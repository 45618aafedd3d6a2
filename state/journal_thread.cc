// The queue between loops and the journal's thread.

#include "state/journal_thread.h"

#include <signal.h>

#include <utility>

namespace postferry::state {

JournalThread::JournalThread(Store& store) : store_(store) {
  // Signals are the loop's business: the thread starts with all of them blocked.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

JournalThread::~JournalThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Task<void> JournalThread::run(Call& call) {
  Scope& scope = co_await current_scope();
  Completion<void> done;
  scope.executor().hold();
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({&call, &done, &scope.executor()});
  }
  wake_.notify_one();
  co_await done.wait();
}

void JournalThread::work() {
  while (true) {
    std::vector<Queued> group;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      group.swap(queue_);
    }
    std::vector<Call*> calls;
    calls.reserve(group.size());
    for (const Queued& queued : group) calls.push_back(queued.call);
    commit_together(store_, calls);
    deliver(std::move(group));
  }
}

// One visit to each loop, however many of its calls are over.
void JournalThread::deliver(std::vector<Queued> done) {
  while (!done.empty()) {
    Executor* executor = done.front().executor;
    std::vector<Completion<void>*> completions;
    std::vector<Queued> others;
    for (const Queued& queued : done) {
      if (queued.executor == executor) {
        completions.push_back(queued.done);
      } else {
        others.push_back(queued);
      }
    }
    executor->post_from_thread([executor, completions = std::move(completions)] {
      for (Completion<void>* completion : completions) {
        executor->release();
        completion->set_value();
      }
    });
    done = std::move(others);
  }
}

}  // namespace postferry::state
