// Everything around the program in one schedule: the two ends with their mail, the network between,
// the disk, and the people who use the mailboxes meanwhile.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/imap_server.h"
#include "tests/sim/letters.h"
#include "tests/sim/program.h"

namespace postferry::sim {

inline constexpr std::uint16_t kSourcePort = 1001, kTargetPort = 1002;

struct World {
  World(std::uint64_t seed, bool loud, Disk& disk);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  /// Makes both servers. Profiles are final.
  void open(Profile source, Profile target);
  /// Makes a folder at the source, and at both ends knows how it is spelled.
  MailFolder& source_folder(const std::string& name);
  /// The same folder at the target; null while it is not there.
  MailFolder* target_folder(const std::string& name);
  MailFolder& make_target_folder(const std::string& name);

  Outside outside();
  Start start() const;

  Dice dice;
  Trace trace;
  ManualExecutor executor;
  Agenda agenda;
  SimNetwork network;
  Disk& disk;
  Mailstore source_store, target_store;
  std::unique_ptr<ImapServer> source, target;
  LetterWriter letters;
  CrossingOptions options;
  int source_sessions = 4, target_sessions = 4;

  // What was there once, and what was done to it; the check reads it.
  std::vector<std::string> names;  // levels parted by '/'
  /// Letters that the source no longer has; they may have crossed or not.
  std::map<std::string, std::vector<std::string>> gone;
  bool late_commits = false;  // a line broke while something was under way
};

}  // namespace postferry::sim
