// Blocking: the seam for work that would hold up the loop: the journal, files, name lookups through
// the system. ThreadBlocking runs it on threads; InlineBlocking at once, for simulation.
#pragma once

#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

#include "engine/async/completion.h"
#include "engine/async/task.h"

namespace postferry {

class Blocking {
 public:
  virtual ~Blocking() = default;

  // Runs `job` once, on whatever thread. The job does not throw.
  virtual void submit(std::function<void()> job) = 0;

  // Runs `fn` off the loop and yields its value or throws its exception, on the loop. `fn` lives in
  // the frame of this task. A cancel before the start throws Cancelled and runs nothing; a later
  // one does not abandon the job: it is waited for, then its exception is thrown, else Cancelled
  // (the value is dropped: shield what must be known).
  template <class F>
  Task<std::invoke_result_t<F&>> run(F fn) {
    using T = std::invoke_result_t<F&>;
    Scope& scope = co_await current_scope();
    if (scope.cancelled()) throw Cancelled();
    Job<F, T> job{std::move(fn), scope.executor(), {}, {}};
    submit([&job] { job.run(); });
    job.executor.hold();  // Its release comes through the loop, so it cannot have come yet.
    co_await job.ended.wait();
    if constexpr (std::is_void_v<T>) {
      job.result.take();
      if (scope.cancelled()) throw Cancelled();
    } else {
      T value = job.result.take();
      if (scope.cancelled()) throw Cancelled();
      co_return value;
    }
  }

 private:
  template <class F, class T>
  struct Job {
    // Off the loop. What it writes is handed to the loop by post_from_thread.
    void run() {
      try {
        if constexpr (std::is_void_v<T>) {
          fn();
          result.set_value();
        } else {
          result.set_value(fn());
        }
      } catch (...) {
        result.set_error(std::current_exception());
      }
      executor.post_from_thread([this] {
        executor.release();
        ended.set_value();
      });
    }

    F fn;
    Executor& executor;
    Result<T> result;
    Completion<> ended;
  };
};

// Runs a job inside submit: the same order every time.
class InlineBlocking final : public Blocking {
 public:
  void submit(std::function<void()> job) override { job(); }
};

}  // namespace postferry
