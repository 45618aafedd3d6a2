// Sockets under uv_poll.
#include "connectors/net/uv_tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <system_error>

#include "engine/async/timeout.h"
#include "engine/error.h"

namespace postferry::net {
namespace {

constexpr std::size_t kMostPieces = 64;
constexpr int kKeepAliveIdleSeconds = 60;
constexpr int kKeepAliveIntervalSeconds = 15;
constexpr int kKeepAliveProbes = 4;

void set_option(int descriptor, int level, int name, int value) {
  // Only hints: a socket without them still carries every byte.
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

[[noreturn]] void throw_unreachable(int code) {
  throw Error(ErrorKind::unreachable, std::generic_category().message(code));
}

}  // namespace

bool IoResult::would_wait() const { return error == EAGAIN || error == EWOULDBLOCK; }

struct UvTcp::Poll {
  uv_poll_t handle;
  UvTcp* owner;
};

UvTcp::UvTcp(UvExecutor& executor, int descriptor)
    : executor_(executor), descriptor_(descriptor), poll_(new Poll{{}, this}) {
  poll_->handle.data = poll_;
  int result = uv_poll_init(executor.loop(), &poll_->handle, descriptor);
  if (result < 0) {
    delete poll_;
    ::close(descriptor);
    throw_unreachable(-result);
  }
}

UvTcp::~UvTcp() {
  assert(!reading_.ready.awaited() && !writing_.ready.awaited());
  close();
}

void UvTcp::close() {
  if (closed()) return;
  executor_.cancel_timer(std::exchange(timer_, TimerId::kNone));
  uv_poll_stop(&poll_->handle);
  poll_->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
           [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
  poll_ = nullptr;
  ::close(std::exchange(descriptor_, -1));
  for (Side* side : {&reading_, &writing_}) {
    if (side->ready.awaited()) side->ready.set_value();
  }
}

Task<std::unique_ptr<UvTcp>> UvTcp::connect(UvExecutor& executor, Address address) {
  co_await check_cancelled();
  int descriptor = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw_unreachable(errno);
  std::unique_ptr<UvTcp> tcp(new UvTcp(executor, descriptor));
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  if (::connect(descriptor, address.get(), address.length) != 0) {
    if (errno != EINPROGRESS) throw_unreachable(errno);
    co_await tcp->writable();
    int failure = 0;
    socklen_t length = sizeof failure;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length);
    if (failure != 0) throw_unreachable(failure);
  }
  co_return tcp;
}

IoResult UvTcp::try_read(std::span<char> into) {
  assert(!into.empty());
  if (closed()) return {0, ENOTCONN};
  ssize_t n = 0;
  do {
    n = ::recv(descriptor_, into.data(), into.size(), 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return {0, errno};
  return {static_cast<std::size_t>(n), 0};
}

IoResult UvTcp::try_write(std::span<const iovec> pieces) {
  if (closed()) return {0, ENOTCONN};
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = std::min(pieces.size(), kMostPieces);
  ssize_t n = 0;
  do {
    n = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return {0, errno};
  wrote_ = executor_.now();
  return {static_cast<std::size_t>(n), 0};
}

bool UvTcp::has_unread_bytes() {
  char byte = 0;
  return !closed() && ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void UvTcp::end_writing() {
  if (!closed()) ::shutdown(descriptor_, SHUT_WR);
}

Task<void> UvTcp::readable() { return wait(reading_, UV_READABLE); }
Task<void> UvTcp::writable() { return wait(writing_, UV_WRITABLE); }

Task<void> UvTcp::wait(Side& side, int event) {
  co_await check_cancelled();
  if (closed()) co_return;
  assert(!side.ready.awaited());
  // Watching is left on after an event, until one comes that nobody waits for: in a steady stream
  // it costs no system call.
  if ((watched_ & event) == 0) watch(watched_ | event);
  side.deadline = executor_.now() + limit_;
  arm_deadline(side.deadline);
  co_await side.ready.wait([&side] { side.ready.set_cancelled(); });
}

void UvTcp::watch(int events) {
  watched_ = events;
  if (events == 0) {
    uv_poll_stop(&poll_->handle);
    return;
  }
  [[maybe_unused]] int result =
      uv_poll_start(&poll_->handle, events, [](uv_poll_t* handle, int status, int arrived) {
        UvTcp* owner = static_cast<Poll*>(handle->data)->owner;
        if (owner != nullptr) owner->on_events(status, arrived);
      });
  assert(result == 0);
}

void UvTcp::on_events(int status, int events) {
  if (status < 0) {
    // An error waits at the socket, and libuv has stopped watching: the next try will meet it.
    watched_ = 0;
    events = UV_READABLE | UV_WRITABLE;
  }
  int unwanted = 0;
  auto tell = [&](Side& side, int event) {
    if ((events & event) == 0) return;
    if (side.ready.awaited()) {
      side.ready.set_value();
    } else {
      unwanted |= event;
    }
  };
  tell(reading_, UV_READABLE);
  tell(writing_, UV_WRITABLE);
  if ((watched_ & unwanted) != 0) watch(watched_ & ~unwanted);
}

// One timer serves every wait of both sides. It is seldom moved: it fires at the oldest deadline it
// was started for, and looks then what is still waiting.
void UvTcp::arm_deadline(TimePoint deadline) {
  if (timer_ != TimerId::kNone && timer_due_ <= deadline) return;
  executor_.cancel_timer(timer_);
  timer_due_ = deadline;
  timer_ = executor_.start_timer(deadline, [this] { on_deadline(); });
}

void UvTcp::on_deadline() {
  timer_ = TimerId::kNone;
  TimePoint now = executor_.now();
  for (Side* side : {&reading_, &writing_}) {
    if (!side->ready.awaited()) continue;
    // Nobody answers before he has heard the whole question.
    if (side == &reading_) side->deadline = std::max(side->deadline, wrote_ + limit_);
    if (side->deadline <= now) {
      side->ready.set_error(std::make_exception_ptr(TimedOut()));
    } else {
      arm_deadline(side->deadline);
    }
  }
}

}  // namespace postferry::net
