// The worker threads behind ThreadBlocking.
#include "engine/async/thread_blocking.h"

#include <cassert>
#include <utility>

namespace postferry {

// It delegates, so that the destructor ends the first threads if the system refuses the next.
ThreadBlocking::ThreadBlocking(std::size_t threads) : ThreadBlocking(NoThreads()) {
  assert(threads > 0);
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

ThreadBlocking::~ThreadBlocking() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadBlocking::submit(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    assert(!stopping_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void ThreadBlocking::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace postferry
