// The simulated network: connections that chop, delay, break, stall and half-close as the dice
// say. Whoever serves hears bytes and answers by a Wire; must not know what they mean.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/net/stream.h"
#include "tests/sim/agenda.h"
#include "tests/sim/dice.h"
#include "tests/sim/trace.h"

namespace postferry::sim {

/// What a server holds of a connection.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void send(std::string bytes) = 0;
  /// No more will be sent; what was sent still arrives.
  virtual void close() = 0;
  /// The line breaks here and now: what is on its way in either direction is lost.
  virtual void cut() = 0;
  /// From now on nothing arrives any more, in either direction, and nobody is told.
  virtual void stall() = 0;
  /// Bytes sent that the client has not taken.
  virtual std::size_t unread() const = 0;
};

/// One session of a server. Lives until the network has told it that the line is down.
class Served {
 public:
  virtual ~Served() = default;
  virtual void received(std::string_view bytes) = 0;
  /// The client is gone, or the line. Told once. The server may still be at work on what it got.
  virtual void hung_up() = 0;
  /// The client has taken something.
  virtual void drained() = 0;
};

/// Answers a connection: the server's session on this wire.
using Accept = std::function<std::shared_ptr<Served>(std::shared_ptr<Wire>)>;

/// What becomes of one connection, planned when it is made.
struct LineFate {
  enum class Kind { lives, cut, half_close, stall };
  Kind kind = Kind::lives;
  bool upstream = false;  // which direction's bytes count
  std::size_t after = 0;  // bytes
};

struct LineHabits {
  std::uint64_t least_us = 0;           // each way, for each chunk
  std::uint64_t latency_us = 500;       // at most, on top of it
  std::size_t chunk = 0;                // most bytes of one; 0: as they come
  std::size_t buffer = 64 << 10;        // of the client's system, before a write waits
  std::uint64_t tell_server_us = 2000;  // at most, until the server learns that the line is down
};

class SimNetwork final : public net::Network {
 public:
  SimNetwork(Agenda& agenda, Dice& dice, Trace& trace)
      : agenda_(agenda), dice_(dice), trace_(trace) {}
  ~SimNetwork() override;

  void listen(std::uint16_t port, Accept accept);
  LineHabits habits;
  /// Asked at each connect; throws Error{unreachable} where it says so.
  std::function<LineFate(std::uint16_t port)> fate;

  Task<std::unique_ptr<net::Stream>> connect(net::ConnectOptions options) override;

  /// Streams that the program holds now.
  std::size_t open_streams() const;
  /// The most at once, of one port.
  std::size_t most_open(std::uint16_t port) const;
  /// How many bytes had arrived in one direction after each arrival, on the line of this port that
  /// had most of them.
  const std::vector<std::size_t>& arrivals(std::uint16_t port, bool upstream) const;
  /// Lines from now on count for that.
  void forget_arrivals();

 private:
  struct Connection;
  class ClientStream;
  struct Port {
    std::uint16_t number = 0;
    Accept accept;
    std::size_t open = 0, most_open = 0;
    std::vector<std::size_t> up, down;
  };
  Port& port(std::uint16_t number);

  Agenda& agenda_;
  Dice& dice_;
  Trace& trace_;
  std::vector<Port> ports_;
  std::uint64_t last_id_ = 0;
  /// A line and its server hold each other until the server has been told that it is down.
  std::vector<std::weak_ptr<Connection>> lines_;
};

}  // namespace postferry::sim
