// ThreadBlocking: Blocking on a few threads of its own. It must not know what the jobs do.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/async/blocking.h"

namespace postferry {

// Jobs start in the order they were submitted; with one thread they also run one after the other,
// always on the same thread. The destructor runs what is still queued, then ends the threads:
// destroy it before the executors that its jobs report to.
class ThreadBlocking final : public Blocking {
 public:
  explicit ThreadBlocking(std::size_t threads = 1);
  ~ThreadBlocking() override;

  void submit(std::function<void()> job) override;

 private:
  struct NoThreads {};
  explicit ThreadBlocking(NoThreads) {}

  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace postferry
