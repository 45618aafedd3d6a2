// Two directions of bytes in flight, delivered by the agenda.
#include "tests/sim/network.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "engine/async/completion.h"
#include "engine/error.h"

namespace postferry::sim {

struct SimNetwork::Connection final : Wire, std::enable_shared_from_this<SimNetwork::Connection> {
  Connection(SimNetwork& net, std::uint64_t number, LineFate planned)
      : network(net), id(number), fate(planned) {}

  SimNetwork& network;
  const std::uint64_t id;
  const LineFate fate;
  std::shared_ptr<Served> server;

  // The client's end.
  std::string inbox;
  bool ended = false;  // the server will send no more, and all of it is in the inbox
  bool broken = false;
  bool stalled = false;
  bool client_gone = false;
  bool told = false;  // the server knows
  std::size_t up_in_flight = 0, down_in_flight = 0;
  std::size_t up_seen = 0, down_seen = 0;
  std::vector<std::size_t> up_arrivals, down_arrivals;
  TimePoint up_last{}, down_last{};
  Completion<void> readable, writable;

  static void wake(Completion<void>& waiter) {
    if (waiter.awaited() && !waiter.ready()) waiter.set_value();
  }
  void wake_client() {
    wake(readable);
    wake(writable);
  }

  /// Chops `bytes` and plans the arrivals in order. `arrive` gets each chunk.
  template <class F>
  void carry(std::string bytes, TimePoint& last, F arrive) {
    Dice& dice = network.dice_;
    const std::size_t most = network.habits.chunk;
    while (!bytes.empty()) {
      const std::size_t size =
          most == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + dice.below(most));
      std::string chunk = bytes.substr(0, size);
      bytes.erase(0, size);
      last = std::max(last, network.agenda_.now() +
                                std::chrono::microseconds(1 + network.habits.least_us) +
                                dice.us_below(network.habits.latency_us));
      network.agenda_.at(last, [self = shared_from_this(), arrive, chunk = std::move(chunk)] {
        arrive(*self, chunk);
      });
    }
  }

  void client_writes(std::string bytes) {
    up_in_flight += bytes.size();
    carry(std::move(bytes), up_last, [](Connection& c, std::string_view chunk) {
      c.up_in_flight -= chunk.size();
      if (c.broken || c.stalled || c.told) return;
      const bool meets = c.meets_fate(true, c.up_seen, chunk);
      c.up_seen += chunk.size();
      c.up_arrivals.push_back(c.up_seen);
      c.network.trace_.number(c.id);
      c.network.trace_.bytes(chunk);
      c.network.trace_.say("C{} {}", c.id, chunk);
      if (!chunk.empty()) c.server->received(chunk);
      wake(c.writable);
      if (meets) c.meet_fate();
    });
  }

  void send(std::string bytes) override {
    if (told || broken || client_gone) return;
    down_in_flight += bytes.size();
    carry(std::move(bytes), down_last, [](Connection& c, std::string_view chunk) {
      c.down_in_flight -= chunk.size();
      if (c.broken || c.stalled || c.client_gone || c.ended) return;
      const bool meets = c.meets_fate(false, c.down_seen, chunk);
      c.down_seen += chunk.size();
      c.down_arrivals.push_back(c.down_seen);
      c.network.trace_.number(c.id + 1000);
      c.network.trace_.bytes(chunk);
      c.network.trace_.say("S{} {}", c.id, chunk);
      c.inbox.append(chunk);
      wake(c.readable);
      if (meets) c.meet_fate();
    });
  }

  /// Whether this chunk reaches the fatal byte; it is cut short to end there.
  bool meets_fate(bool upstream, std::size_t seen, std::string_view& chunk) const {
    if (fate.kind == LineFate::Kind::lives || fate.upstream != upstream) return false;
    if (seen + chunk.size() < fate.after) return false;
    chunk = chunk.substr(0, fate.after > seen ? fate.after - seen : 0);
    return true;
  }

  void meet_fate() {
    switch (fate.kind) {
      case LineFate::Kind::lives:
        break;
      case LineFate::Kind::cut:
        cut();
        break;
      case LineFate::Kind::half_close:
        network.trace_.say("-- line {} half-closed", id);
        ended = true;
        wake_client();
        tell_server();
        break;
      case LineFate::Kind::stall:
        stall();
        break;
    }
  }

  void close() override {
    // Ends behind what is on its way.
    down_last = std::max(down_last, network.agenda_.now() + std::chrono::microseconds(1));
    network.agenda_.at(down_last, [self = shared_from_this()] {
      if (self->broken || self->stalled) return;
      self->ended = true;
      self->wake_client();
    });
    tell_server();
  }

  void cut() override {
    if (broken) return;
    network.trace_.say("-- line {} cut", id);
    broken = true;
    wake_client();
    tell_server();
  }

  void stall() override {
    network.trace_.say("-- line {} stalls", id);
    stalled = true;
    tell_server();
  }

  std::size_t unread() const override { return down_in_flight + inbox.size(); }

  void tell_server() {
    network.agenda_.after(network.dice_.us_below(network.habits.tell_server_us),
                          [self = shared_from_this()] {
                            if (std::exchange(self->told, true)) return;
                            self->server->hung_up();
                            self->server.reset();
                          });
  }

  static void keep_longest(std::vector<std::size_t>& kept, std::vector<std::size_t>& other) {
    if (!other.empty() && (kept.empty() || other.back() > kept.back())) kept = std::move(other);
  }

  /// The client lets go. What it has written may still arrive.
  void client_leaves() {
    if (std::exchange(client_gone, true)) return;
    Port& port = network.port(port_number);
    --port.open;
    keep_longest(port.up, up_arrivals);
    keep_longest(port.down, down_arrivals);
    if (told) return;
    if (network.dice_.one_in(3)) {
      tell_server();
      return;
    }
    up_last = std::max(up_last, network.agenda_.now() + std::chrono::microseconds(1));
    network.agenda_.at(up_last, [self = shared_from_this()] { self->tell_server(); });
  }
  std::uint16_t port_number = 0;
};

class SimNetwork::ClientStream final : public net::Stream {
 public:
  ClientStream(std::shared_ptr<Connection> connection, std::chrono::milliseconds limit)
      : connection_(std::move(connection)), limit_(limit) {}
  ~ClientStream() override { connection_->client_leaves(); }

  Task<std::size_t> read(std::span<char> into) override {
    const std::shared_ptr<Connection> c = connection_;
    co_await check_cancelled();
    while (c->inbox.empty()) {
      throw_if_lost(*c);
      if (c->ended) co_return 0;
      co_await wait(c->readable, true);
    }
    const std::size_t count = std::min(into.size(), c->inbox.size());
    std::copy_n(c->inbox.data(), count, into.data());
    c->inbox.erase(0, count);
    if (c->server) c->server->drained();
    co_return count;
  }

  Task<void> write(std::vector<std::string_view> pieces) override {
    const std::shared_ptr<Connection> c = connection_;
    co_await check_cancelled();
    for (std::string_view piece : pieces) {
      while (!piece.empty()) {
        throw_if_lost(*c);
        const std::size_t buffer = c->network.habits.buffer;
        if (c->up_in_flight >= buffer) {
          co_await wait(c->writable);
          continue;
        }
        const std::size_t count = std::min(piece.size(), buffer - c->up_in_flight);
        c->client_writes(std::string(piece.substr(0, count)));
        wrote_ = (co_await current_scope()).executor().now();
        piece.remove_prefix(count);
      }
    }
  }

  Task<void> start_tls(net::TlsOptions, std::size_t) override {
    throw Error(ErrorKind::tls, "there is no TLS here");
    co_return;
  }
  bool encrypted() const override { return false; }
  std::string channel_binding(std::string_view) const override { return {}; }

  Task<void> close() override {
    closed_ = true;
    Connection::wake(connection_->readable);
    Connection::wake(connection_->writable);
    connection_->client_leaves();
    co_return;
  }

 private:
  void throw_if_lost(const Connection& c) const {
    if (c.broken) throw Error(ErrorKind::transient, "the connection was lost");
    if (closed_) throw Error(ErrorKind::transient, "the connection was closed on this side");
  }

  /// Reading, the limit counts from the last byte that was written, as on a real line.
  Task<void> wait(Completion<void>& waiter, bool reading = false) {
    Executor& executor = (co_await current_scope()).executor();
    bool late = false;
    TimePoint begun = executor.now();
    TimerGuard guard{executor, TimerId::kNone};
    std::function<void()> look = [&] {
      guard.timer = TimerId::kNone;
      if (waiter.ready() || !waiter.awaited()) return;
      if (reading && wrote_ > begun) {
        begun = wrote_;
        guard.timer = executor.start_timer(after(begun, limit_), look);
        return;
      }
      late = true;
      waiter.set_value();
    };
    guard.timer = executor.start_timer(after(begun, limit_), look);
    co_await waiter.wait([&waiter] {
      if (!waiter.ready()) waiter.set_cancelled();
    });
    if (late) throw Error(ErrorKind::transient, "the server does not answer");
  }
  struct TimerGuard {
    Executor& executor;
    TimerId timer;
    ~TimerGuard() { executor.cancel_timer(timer); }
  };

  std::shared_ptr<Connection> connection_;
  std::chrono::milliseconds limit_;
  TimePoint wrote_{};
  bool closed_ = false;
};

SimNetwork::~SimNetwork() {
  for (const std::weak_ptr<Connection>& line : lines_)
    if (const auto connection = line.lock()) connection->server.reset();
}

void SimNetwork::listen(std::uint16_t number, Accept accept) {
  Port port;
  port.number = number;
  port.accept = std::move(accept);
  ports_.push_back(std::move(port));
}

SimNetwork::Port& SimNetwork::port(std::uint16_t number) {
  return *std::ranges::find(ports_, number, &Port::number);
}

Task<std::unique_ptr<net::Stream>> SimNetwork::connect(net::ConnectOptions options) {
  co_await check_cancelled();
  Port& to = port(options.port);
  const auto connection =
      std::make_shared<Connection>(*this, ++last_id_, fate ? fate(options.port) : LineFate());
  connection->port_number = options.port;
  connection->server = to.accept(connection);
  lines_.push_back(connection);
  if (!connection->server) throw Error(ErrorKind::unreachable, "nobody answers", options.host);
  to.most_open = std::max(to.most_open, ++to.open);
  co_return std::make_unique<ClientStream>(connection, options.io_limit);
}

std::size_t SimNetwork::open_streams() const {
  std::size_t count = 0;
  for (const Port& port : ports_) count += port.open;
  return count;
}

const std::vector<std::size_t>& SimNetwork::arrivals(std::uint16_t number, bool upstream) const {
  const Port& port = *std::ranges::find(ports_, number, &Port::number);
  return upstream ? port.up : port.down;
}

void SimNetwork::forget_arrivals() {
  for (Port& port : ports_) {
    port.up.clear();
    port.down.clear();
  }
}

std::size_t SimNetwork::most_open(std::uint16_t number) const {
  return std::ranges::find(ports_, number, &Port::number)->most_open;
}

}  // namespace postferry::sim
