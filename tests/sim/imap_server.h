// A model IMAP server: sessions over simulated wires on one mailstore, strict with the client and
// as odd as its profile says.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "tests/sim/mailstore.h"
#include "tests/sim/mishap.h"
#include "tests/sim/network.h"
#include "tests/sim/profile.h"

namespace postferry::sim {

class ImapServer {
 public:
  ImapServer(Mailstore& store, Profile profile, Agenda& agenda, Dice& dice, Trace& trace)
      : store(store),
        profile(std::move(profile)),
        agenda(agenda),
        dice(dice),
        more(dice.fork()),
        trace(trace) {}
  ImapServer(const ImapServer&) = delete;
  ImapServer& operator=(const ImapServer&) = delete;

  /// A session for a connection; must not be called after the server is gone.
  std::shared_ptr<Served> accept(std::shared_ptr<Wire> wire);

  Mailstore& store;
  const Profile profile;
  Agenda& agenda;
  Dice& dice;
  Dice more;  // for habits that came later: older seeds keep their meaning
  Trace& trace;

  Misfortune misfortune;
  Lateness lateness;
  std::uint64_t think_us = 1000;  // at most, for each command
  std::uint64_t refusals = 0;     // for good
  bool skips_listed = false;      // leaves one out now and then where all messages are listed
  /// Those that were refused so, each alone: they are tried without their keywords then.
  std::set<std::string> refused;
  std::size_t sessions = 0;       // logged in, and the line up
  std::size_t at_work_alone = 0;  // the line is down, and there is something left to do
};

/// The whole text of `bytes` as this server stores an appended message.
std::string as_stored(const Profile& profile, std::string bytes);

}  // namespace postferry::sim
