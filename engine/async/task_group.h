// with_group: several tasks at once, inside one block that ends when all of them have. There is no
// other way to run a task beside the current one: nothing is ever detached.
//
//   co_await with_group([&](TaskGroup& group) -> Task<void> {
//     for (Folder& folder : folders) group.spawn(cross(folder));
//     co_await group.join();
//   });
#pragma once

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include "engine/async/leaf.h"
#include "engine/async/task.h"

namespace postferry {

class TaskGroup;

template <class F>
auto with_group(F body) -> std::invoke_result_t<F&, TaskGroup&>;

namespace detail {

struct ChildTag;

// The frame around one child of a group: it tells the group how the child ended, and frees itself.
struct GroupChild {
  class promise_type : public PromiseBase, public ListNode<ChildTag> {
   public:
    template <class Work>
    promise_type(TaskGroup& group, Work&) noexcept;

    GroupChild get_return_object() noexcept { return GroupChild{*this}; }
    std::suspend_never final_suspend() noexcept;
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }

   private:
    TaskGroup& group_;
  };

  std::coroutine_handle<> handle() const {
    return std::coroutine_handle<promise_type>::from_promise(promise);
  }

  promise_type& promise;
};

}  // namespace detail

// Made by with_group alone. Body and children run in the group's scope.
class TaskGroup {
 public:
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  inline ~TaskGroup();

  // The child starts on the loop, after those that are ready now, also in a cancelled group (where
  // its first wait throws). Its frame is freed the moment it ends. Children may spawn siblings.
  void spawn(Task<void> child) { start(run(*this, std::move(child))); }

  // As spawn(fn()), and keeps `fn` alive as long as the child: the way to spawn a lambda that
  // captures.
  template <class F>
    requires std::is_same_v<std::invoke_result_t<F&>, Task<void>>
  void spawn(F fn) {
    start(run(*this, std::move(fn)));
  }

  // Cancels body and children; what they throw as Cancelled because of it is no failure.
  void cancel() noexcept { scope_.cancel(); }

  Scope& scope() { return scope_; }

  // Children that have not ended.
  std::size_t size() const { return size_; }

  // Ends when no child is left, never before, cancelled or not. Then throws the first failure, or
  // Cancelled if a cancel from outside cut a child short. For the body only, not for a child.
  Task<void> join() {
    while (size_ > 0) co_await drained();
    rethrow();
  }

 private:
  template <class F>
  friend auto with_group(F body) -> std::invoke_result_t<F&, TaskGroup&>;
  friend class detail::GroupChild::promise_type;

  class Drained final : public Leaf {
   public:
    explicit Drained(TaskGroup& group) : group_(group) {}
    ~Drained() {
      if (group_.joiner_ == this) group_.joiner_ = nullptr;
    }
    bool await_ready() const noexcept { return group_.size_ == 0; }
    template <Scoped Promise>
    void await_suspend(std::coroutine_handle<Promise> waiter) {
      assert(group_.joiner_ == nullptr);
      group_.joiner_ = this;
      suspend_uncancellable(waiter);
    }
    void await_resume() const noexcept {}
    void on_cancel() noexcept override {}
    using Leaf::wake;

   private:
    TaskGroup& group_;
  };

  explicit TaskGroup(Scope& outer) : outer_(outer), scope_(outer) {}

  static detail::GroupChild run(TaskGroup& group, Task<void> task) {
    try {
      co_await std::move(task);
    } catch (const Cancelled&) {
      group.note_cancelled();
    } catch (...) {
      group.note_failure();
    }
  }

  template <class F>
  static detail::GroupChild run(TaskGroup& group, F fn) {
    try {
      co_await fn();
    } catch (const Cancelled&) {
      group.note_cancelled();
    } catch (...) {
      group.note_failure();
    }
  }

  void start(detail::GroupChild child) {
    children_.push_back(child.promise);
    ++size_;
    scope_.executor().post(child.handle());
  }

  void child_ended() noexcept {
    --size_;
    if (size_ == 0 && joiner_ != nullptr) std::exchange(joiner_, nullptr)->wake();
  }

  Drained drained() { return Drained(*this); }

  // A Cancelled of the body or of a child, in flight. Where nobody cancelled this group it is a
  // failure like any other.
  void note_cancelled() noexcept {
    if (scope_.cancelled()) {
      cut_short_ = true;
    } else {
      note_failure();
    }
  }

  // Any other exception in flight. The first one counts; it ends all the rest.
  void note_failure() noexcept {
    if (failure_ == nullptr) failure_ = std::current_exception();
    scope_.cancel();
  }

  void rethrow() const {
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    if (cut_short_ && outer_.cancelled()) throw Cancelled();
  }

  Scope& outer_;
  Scope scope_;
  IntrusiveList<detail::GroupChild::promise_type, detail::ChildTag> children_;
  std::size_t size_ = 0;
  Drained* joiner_ = nullptr;
  bool cut_short_ = false;
  std::exception_ptr failure_;
};

// Runs `body(group)` and ends when the body and every child have ended. `body` (a lambda may
// capture) lives until then. Yields what the body returns. In this order:
//   - the first failure of a child or of the body cancels all the others and is thrown;
//   - if a cancel from outside cut the body or a child short, Cancelled is thrown;
//   - if the body's own group.cancel() cut the body short, there is no value to yield: a body that
//     returns void just ends, any other throws Cancelled.
// A body that returns does not cancel its children: they are waited for.
template <class F>
auto with_group(F body) -> std::invoke_result_t<F&, TaskGroup&> {
  using T = typename std::invoke_result_t<F&, TaskGroup&>::value_type;
  TaskGroup group(co_await current_scope());
  Result<T> result;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await body(group).in(group.scope_);
      result.set_value();
    } else {
      result.set_value(co_await body(group).in(group.scope_));
    }
  } catch (const Cancelled&) {
    group.note_cancelled();
  } catch (...) {
    group.note_failure();
  }
  while (group.size() > 0) co_await group.drained();
  group.rethrow();
  if (!result.ready()) {
    if constexpr (std::is_void_v<T>) {
      co_return;
    } else {
      throw Cancelled();
    }
  }
  co_return result.take();
}

inline TaskGroup::~TaskGroup() {
  // Children are left only when the world ends before its time; see Task.
  while (auto* child = children_.front()) detail::GroupChild{*child}.handle().destroy();
}

namespace detail {

template <class Work>
GroupChild::promise_type::promise_type(TaskGroup& group, Work&) noexcept : group_(group) {
  set_scope(group.scope());
}

inline std::suspend_never GroupChild::promise_type::final_suspend() noexcept {
  this->unlink();
  group_.child_ended();
  return {};
}

}  // namespace detail

}  // namespace postferry
