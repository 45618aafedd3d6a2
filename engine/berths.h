// Berths for sessions at hosts: how many all accounts together may have there at once.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace postferry {

class Berths;

/// One at each of some hosts, given back when it dies. Move-only. Its Berths must outlive it.
class Berth {
 public:
  Berth(Berth&& other) noexcept
      : berths_(std::exchange(other.berths_, nullptr)), hosts_(std::move(other.hosts_)) {}
  Berth& operator=(Berth&& other) noexcept;
  ~Berth() { release(); }

  const std::vector<std::string>& hosts() const { return hosts_; }

 private:
  friend class Berths;
  Berth(Berths& berths, std::vector<std::string> hosts)
      : berths_(&berths), hosts_(std::move(hosts)) {}
  void release();

  Berths* berths_;
  std::vector<std::string> hosts_;
};

class Berths {
 public:
  explicit Berths(std::size_t at_each) : at_each_(at_each) {}
  Berths(const Berths&) = delete;
  Berths& operator=(const Berths&) = delete;

  /// One at each of these hosts (two where one is named twice), or none at all: who waits for a
  /// berth holds none, so that no two wait for each other.
  std::optional<Berth> take(std::vector<std::string> hosts);

  std::size_t at_each() const { return at_each_; }

 private:
  friend class Berth;
  std::size_t at_each_;
  std::map<std::string, std::size_t> taken_;
};

}  // namespace postferry
