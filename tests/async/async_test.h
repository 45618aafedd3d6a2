// What the tests of engine/async share.
#pragma once

#include <chrono>

#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/task.h"

namespace postferry {

using namespace std::chrono_literals;

// Runs a coroutine lambda, which may capture, to its end.
template <class F>
auto run(Executor& executor, F body) {
  return block_on(executor, body());
}

// Counts how many of its kind live: what a frame holds until it is destroyed.
class Live {
 public:
  explicit Live(int& count, int* peak = nullptr) : count_(&count), peak_(peak) { enter(); }
  Live(const Live& other) : count_(other.count_), peak_(other.peak_) { enter(); }
  Live& operator=(const Live&) = delete;
  ~Live() { --*count_; }

 private:
  void enter() {
    ++*count_;
    if (peak_ != nullptr && *count_ > *peak_) *peak_ = *count_;
  }

  int* count_;
  int* peak_;
};

}  // namespace postferry
