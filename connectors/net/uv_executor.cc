// The loop around libuv. No callback of ours runs inside libuv: they are noted there and run
// between two turns, so that what they throw never passes through C.
#include "connectors/net/uv_executor.h"

#include <cassert>
#include <stdexcept>
#include <string>

namespace postferry::net {
namespace {

// Sockets get their turn after so many batches of ready coroutines.
constexpr int kBatchesBetweenPolls = 32;

void check(int result, const char* what) {
  if (result < 0) throw std::runtime_error(std::string(what) + ": " + uv_strerror(result));
}

template <class Handle>
uv_handle_t* as_handle(Handle* handle) {
  return reinterpret_cast<uv_handle_t*>(handle);
}

}  // namespace

struct UvExecutor::SignalWatch {
  uv_signal_t handle;
  std::function<void(int)> callback;
};

UvExecutor::UvExecutor() {
  check(uv_loop_init(&loop_), "uv_loop_init");
  loop_.data = this;
  check(uv_async_init(&loop_, &wake_, [](uv_async_t*) {}), "uv_async_init");
  check(uv_timer_init(&loop_, &alarm_), "uv_timer_init");
}

UvExecutor::~UvExecutor() {
  while (!signals_.empty()) on_signal(signals_.begin()->first, nullptr);
  uv_close(as_handle(&alarm_), nullptr);
  uv_close(as_handle(&wake_), nullptr);
  uv_walk(
      &loop_,
      [](uv_handle_t* handle, void*) {
        assert(uv_is_closing(handle) && "a socket outlived its executor");
        static_cast<void>(handle);
      },
      nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  [[maybe_unused]] int result = uv_loop_close(&loop_);
  assert(result == 0);
}

void UvExecutor::post(std::coroutine_handle<> coroutine) {
  ready_.post(coroutine);
  // Inside a turn of libuv: it must not fall asleep now. Only sets a flag.
  if (polling_) uv_stop(&loop_);
}

void UvExecutor::post_from_thread(std::function<void()> callback) {
  // Sent under the lock: the loop may end, and the executor die, as soon as it is released.
  const std::lock_guard lock(mutex_);
  external_.push_back(std::move(callback));
  uv_async_send(&wake_);
}

TimePoint UvExecutor::now() const { return Clock::now(); }

std::chrono::system_clock::time_point UvExecutor::wall_clock() const {
  return std::chrono::system_clock::now();
}

TimerId UvExecutor::start_timer(TimePoint when, std::function<void()> callback) {
  const TimerId timer{++last_timer_};
  timers_.emplace(Key(when, timer), std::move(callback));
  when_.emplace(timer, when);
  return timer;
}

void UvExecutor::cancel_timer(TimerId timer) {
  const auto found = when_.find(timer);
  if (found == when_.end()) return;
  timers_.erase(Key(found->second, timer));
  when_.erase(found);
}

void UvExecutor::run_until(std::function<bool()> done) {
  assert(!polling_);
  while (!done()) {
    for (int batch = 0; batch < kBatchesBetweenPolls && !ready_.empty(); ++batch) {
      ready_.run_batch();
      if (done()) return;
    }
    poll();
    run_signal_callbacks();
    run_posted_callbacks();
    run_due_timers();
  }
}

// One turn of libuv, which waits only when nothing else is to be done.
void UvExecutor::poll() {
  uv_run_mode mode = ready_.empty() ? UV_RUN_ONCE : UV_RUN_NOWAIT;
  if (mode == UV_RUN_ONCE && !timers_.empty()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - Clock::now());
    if (left.count() <= 0) {
      mode = UV_RUN_NOWAIT;
    } else {
      uv_update_time(&loop_);
      // The callback stops the turn: libuv runs timers before it falls asleep, too.
      uv_timer_start(
          &alarm_, [](uv_timer_t* alarm) { uv_stop(alarm->loop); },
          static_cast<std::uint64_t>(left.count()), 0);
    }
  }
  polling_ = true;
  uv_run(&loop_, mode);
  polling_ = false;
  uv_timer_stop(&alarm_);
}

void UvExecutor::run_posted_callbacks() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    callbacks.swap(external_);
  }
  for (const auto& callback : callbacks) callback();
}

void UvExecutor::run_signal_callbacks() {
  for (const int signal : std::exchange(arrived_signals_, {})) {
    const auto watch = signals_.find(signal);
    if (watch == signals_.end()) continue;
    const std::function<void(int)> callback = watch->second->callback;
    callback(signal);
  }
}

// Those that are due now; not those that they start.
void UvExecutor::run_due_timers() {
  if (timers_.empty()) return;
  const TimePoint now = Clock::now();
  const auto last = TimerId{last_timer_};
  while (!timers_.empty()) {
    const auto next = timers_.begin();
    const auto [when, timer] = next->first;
    if (when > now || timer > last) return;
    const std::function<void()> callback = std::move(next->second);
    when_.erase(timer);
    timers_.erase(next);
    callback();
  }
}

void UvExecutor::on_signal(int signal, std::function<void(int)> callback) {
  auto found = signals_.find(signal);
  if (!callback) {
    if (found == signals_.end()) return;
    SignalWatch* watch = found->second;
    signals_.erase(found);
    uv_close(as_handle(&watch->handle),
             [](uv_handle_t* handle) { delete static_cast<SignalWatch*>(handle->data); });
    return;
  }
  if (found != signals_.end()) {
    found->second->callback = std::move(callback);
    return;
  }
  auto* watch = new SignalWatch{{}, std::move(callback)};
  watch->handle.data = watch;
  check(uv_signal_init(&loop_, &watch->handle), "uv_signal_init");
  signals_.emplace(signal, watch);
  check(uv_signal_start(
            &watch->handle,
            [](uv_signal_t* handle, int number) {
              auto* self = static_cast<UvExecutor*>(handle->loop->data);
              self->arrived_signals_.push_back(number);
            },
            signal),
        "uv_signal_start");
}

}  // namespace postferry::net
