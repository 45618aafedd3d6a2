// Which hosts take mail for a domain (RFC 5321 5.1): the seam for MX look-ups, and c-ares behind
// it.
#pragma once

#include <string>
#include <vector>

#include "engine/async/blocking.h"
#include "engine/async/task.h"

namespace postferry::net {

class MailExchangers {
 public:
  virtual ~MailExchangers() = default;
  /// The hosts, best first, never none; those of equal preference in any order. A domain without MX
  /// is its own. `server` is a name server, "ADDRESS[:PORT]"; empty: the system's. Throws
  /// Error{rejected} where the domain does not exist or takes no mail (RFC 7505), Error{transient}
  /// where it cannot be told now.
  virtual Task<std::vector<std::string>> look_up(std::string domain, std::string server) = 0;
};

/// Asks on a thread of `blocking`, for half a minute at most.
class AresMailExchangers final : public MailExchangers {
 public:
  explicit AresMailExchangers(Blocking& blocking) : blocking_(blocking) {}
  Task<std::vector<std::string>> look_up(std::string domain, std::string server) override;

 private:
  Blocking& blocking_;
};

}  // namespace postferry::net
