// A model POP3 server: one maildrop, one session at a time, and the habits of real ones.
#pragma once

#include <memory>
#include <string>

#include "tests/sim/mailstore.h"
#include "tests/sim/mishap.h"
#include "tests/sim/network.h"

namespace postferry::sim {

struct Pop3Profile {
  enum class Uidl { unique, absent, blank, repeated, renumbered };

  std::string name = "pop3";
  bool capa = true;
  bool pipelining = true;
  bool top = true;
  Uidl uidl = Uidl::unique;
  bool shuffles = false;     // other numbers in each session
  bool wrong_sizes = false;  // LIST tells the store's size
  bool locks = true;         // a second session is refused while one is open

  /// A UIDL that was another message's before: then the new one passes for the old one, unless the
  /// old one stays for ever.
  bool reuses() const { return uidl == Uidl::repeated; }
  /// Messages are named by header and size: one that looks like another which left between two
  /// runs, and has its size, passes for it.
  bool named_by_look() const { return uidl == Uidl::absent || uidl == Uidl::blank; }
  /// Nothing speaks against it that a name stands for the message it stood for before.
  bool sure() const { return uidl == Uidl::unique && !shuffles; }
  /// Without any identity that lasts, nobody can tell whether a message has crossed before: each
  /// run may bring all of it once more.
  bool no_identity() const { return uidl == Uidl::renumbered; }
};

Pop3Profile random_pop3_profile(Dice& dice);

class Pop3Server {
 public:
  Pop3Server(Mailstore& store, Pop3Profile profile, Agenda& agenda, Dice& dice, Trace& trace)
      : store(store), profile(std::move(profile)), agenda(agenda), dice(dice), trace(trace) {}
  Pop3Server(const Pop3Server&) = delete;
  Pop3Server& operator=(const Pop3Server&) = delete;

  std::shared_ptr<Served> accept(std::shared_ptr<Wire> wire);

  Mailstore& store;
  const Pop3Profile profile;
  Agenda& agenda;
  Dice& dice;
  Trace& trace;

  Misfortune misfortune;
  std::uint64_t think_us = 1000;
  bool locked = false;
  std::uint64_t logins = 0;
};

}  // namespace postferry::sim
