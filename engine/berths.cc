#include "engine/berths.h"

#include <algorithm>

namespace postferry {

Berth& Berth::operator=(Berth&& other) noexcept {
  if (this != &other) {
    release();
    berths_ = std::exchange(other.berths_, nullptr);
    hosts_ = std::move(other.hosts_);
  }
  return *this;
}

void Berth::release() {
  Berths* const berths = std::exchange(berths_, nullptr);
  if (!berths) return;
  for (const std::string& host : hosts_) --berths->taken_[host];
}

std::optional<Berth> Berths::take(std::vector<std::string> hosts) {
  for (const std::string& host : hosts) ++taken_[host];
  Berth berth(*this, std::move(hosts));
  const auto over = [this](const std::string& host) { return taken_[host] > at_each_; };
  if (std::ranges::any_of(berth.hosts_, over)) return std::nullopt;
  return berth;
}

}  // namespace postferry
