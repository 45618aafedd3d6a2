// Completion: one end of an operation that somebody outside the coroutines finishes: libuv, a
// simulated network, another thread by way of the loop. The base for sockets and name lookups.
//
//   Task<std::size_t> Stream::read(std::span<std::byte> into) {
//     co_await check_cancelled();                       // Do not start what is not wanted.
//     start_reading(into);                              // The callback calls done_.set_value(n).
//     co_return co_await done_.wait([this] { stop_reading(); });
//   }
//
// A cancel only tells the owner, through the function given to wait(); the coroutine goes on when
// the owner says so with a set_ function: never while the owner may still touch its memory. An
// owner that can stop at once calls set_cancelled() in that function; one that must first hear
// from libuv (uv_close) calls it from that callback.
#pragma once

#include <exception>
#include <utility>

#include "engine/async/leaf.h"
#include "engine/async/result.h"

namespace postferry {

// Loop thread only. It must live until its waiter goes on. Set at most once for each wait, before
// or during it; when the wait is over it is empty again and can serve the next operation.
template <class T = void>
class Completion {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  ~Completion() {
    if (waiter_ != nullptr) waiter_->completion_ = nullptr;
  }

  // The waiter, if any, is posted and gets the value, also when it was cancelled meanwhile.
  template <class... Value>
  void set_value(Value&&... value) {
    assert(!result_.ready());
    result_.set_value(std::forward<Value>(value)...);
    wake();
  }

  // The wait throws `error`.
  void set_error(std::exception_ptr error) {
    assert(!result_.ready());
    result_.set_error(std::move(error));
    wake();
  }

  // The operation ended because it was told to: the wait throws Cancelled.
  void set_cancelled() { set_error(std::make_exception_ptr(Cancelled())); }

  // Set, and not yet taken by a wait.
  bool ready() const { return result_.ready(); }

  // Some coroutine waits and has not been posted.
  bool awaited() const { return waiter_ != nullptr; }

  // `T value = co_await completion.wait(on_cancel);` One waiter at a time. Does not suspend when
  // the completion is set already. `on_cancel()` is called at most once, on the loop, when the
  // scope is cancelled, or at the start of the wait if it already is; it must not throw.
  template <class OnCancel>
  [[nodiscard]] auto wait(OnCancel on_cancel) {
    return Awaiter<OnCancel>(*this, std::move(on_cancel));
  }

  // A wait that a cancel does not reach: for operations that cannot be stopped.
  [[nodiscard]] auto wait() {
    return wait([] {});
  }

 private:
  class Waiter : public Leaf {
   public:
    explicit Waiter(Completion& completion) : completion_(&completion) {}
    ~Waiter() {
      if (completion_ != nullptr && completion_->waiter_ == this) completion_->waiter_ = nullptr;
    }

   protected:
    friend class Completion;
    Completion* completion_;
  };

  template <class OnCancel>
  class Awaiter final : public Waiter {
   public:
    Awaiter(Completion& completion, OnCancel on_cancel)
        : Waiter(completion), on_cancel_(std::move(on_cancel)) {}

    bool await_ready() const noexcept { return this->completion_->result_.ready(); }
    template <Scoped Promise>
    void await_suspend(std::coroutine_handle<Promise> waiter) {
      assert(this->completion_->waiter_ == nullptr);
      this->completion_->waiter_ = this;
      if (!this->suspend(waiter)) on_cancel_();
    }
    T await_resume() { return this->completion_->result_.take(); }

    void on_cancel() noexcept override { on_cancel_(); }

   private:
    OnCancel on_cancel_;
  };

  void wake() {
    if (Waiter* waiter = std::exchange(waiter_, nullptr)) waiter->wake();
  }

  Waiter* waiter_ = nullptr;
  Result<T> result_;
};

}  // namespace postferry
