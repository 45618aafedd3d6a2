// A model SMTP or LMTP server that takes mail for one recipient: what it offers, what it refuses,
// and what it has taken. It can never be asked for that; only the check looks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/agenda.h"
#include "tests/sim/dice.h"
#include "tests/sim/mishap.h"
#include "tests/sim/network.h"
#include "tests/sim/trace.h"

namespace postferry::sim {

struct SmtpProfile {
  std::string name;
  bool lmtp = false;
  bool ehlo = true;  // else only HELO is known
  bool pipelining = true, chunking = false, eightbitmime = true, size = true, dsn = false,
       smtputf8 = false, enhanced = true;
  std::optional<std::uint64_t> most_mails;  // LIMITS MAILMAX; one more is answered with 421
  std::optional<std::uint64_t> most_bytes;
  std::size_t max_sessions = 10;
  /// Greylisting: nothing is taken for so long after the first try.
  std::optional<Duration> grey;
};

SmtpProfile random_smtp_profile(Dice& dice);

class SmtpServer {
 public:
  SmtpServer(SmtpProfile profile, Agenda& agenda, Dice& dice, Trace& trace)
      : profile(std::move(profile)), agenda(agenda), dice(dice), trace(trace) {}
  SmtpServer(const SmtpServer&) = delete;
  SmtpServer& operator=(const SmtpServer&) = delete;

  std::shared_ptr<Served> accept(std::shared_ptr<Wire> wire);

  const SmtpProfile profile;
  Agenda& agenda;
  Dice& dice;
  Trace& trace;

  /// greeting, command; before_append comes when a whole message is there and nothing is decided,
  /// after_append when it is taken and the answer has not gone out.
  Misfortune misfortune;
  std::uint64_t think_us = 1000;
  std::optional<TimePoint> first_try;
  std::size_t open = 0;

  /// As they came, in their order. Each once, or the program has sent it twice.
  std::vector<std::string> taken;
  /// Told each message, whole, before it is decided on.
  std::function<void(const std::string&)> on_message;
  /// What the program did that it must never do.
  std::vector<std::string> sins;
};

}  // namespace postferry::sim
