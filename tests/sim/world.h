// Everything around the program in one schedule: the two ends with their mail, the network between,
// the disk, and the people who use the mailboxes meanwhile.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/imap_server.h"
#include "tests/sim/letters.h"
#include "tests/sim/pop3_server.h"
#include "tests/sim/program.h"

namespace postferry::sim {

inline constexpr std::uint16_t kSourcePort = 1001, kTargetPort = 1002;

struct World {
  World(std::uint64_t seed, bool loud, Disk& disk);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // The servers: one of the first two, and the third.
  void open_source(Profile profile);
  void open_source(Pop3Profile profile);
  void open_target(Profile profile);
  bool from_pop3() const { return pop3 != nullptr; }
  std::string describe() const;
  /// No mishap is planned any more, anywhere.
  void clear_skies();

  /// A folder of the source, made if it is not there; its name has levels parted by '/'.
  MailFolder& source_folder(const std::string& name);
  /// The same folder at the target; null while it is not there.
  MailFolder* target_folder(const std::string& name);
  MailFolder& make_target_folder(const std::string& name);
  /// The bytes as the target stores them.
  std::string stored(std::string_view bytes) const;

  // What people do. Each leaves the check what it must know.
  void deliver(const std::string& name, std::string bytes);
  void deliver_to_target(const std::string& name, std::string bytes);
  void remove_at_source(const std::string& name);
  void reflag_at_source(const std::string& name);
  void remove_at_target(const std::string& name);
  void reflag_at_target(const std::string& name);
  // What servers do.
  void rebuild_source(const std::string& name);
  void rebuild_target(const std::string& name);
  /// A backup is put back that lacks the last messages; at the target perhaps of all folders.
  void restore_source(const std::string& name);
  void restore_target(const std::string& name);
  /// All messages get other UIDLs, in another order by name.
  void rename_uidls();
  /// One delivery more to a restored target folder, and nobody can tell: all its numbers are as
  /// they were, and no other folder shows what happened.
  bool delivery_would_hide(const std::string& name);
  /// Messages that a further run may bring once more: where the source's names or their order do
  /// not last, one that was found on the target is told from its look-alikes by its copy alone, and
  /// that was taken.
  std::uint64_t may_come_back() const;
  /// Somebody deletes the journal: from now on a copy of what has gone from the source is a
  /// stranger's, and stands for any other message with the same bytes.
  void forget_journal(const Disk::Files& empty);
  /// What the journal said of all that is on the target may be lost.
  void note_loss();
  /// A run has ended.
  void note_end(bool whole);

  Outside outside();
  Start start() const;

  Dice dice, more, newest;  // the others for what came later, see Dice::fork
  Trace trace;
  ManualExecutor executor;
  Agenda agenda;
  SimNetwork network;
  Disk& disk;
  Unsynced unsynced;
  Mailstore source_store, target_store;
  std::unique_ptr<ImapServer> source;
  std::unique_ptr<Pop3Server> pop3;
  std::unique_ptr<ImapServer> target;
  LetterWriter letters;
  CrossingOptions options;
  int source_sessions = 4, target_sessions = 4;

  // What the check must know.
  std::vector<std::string> names;  // levels parted by '/'
  using Letters = std::map<std::string, std::vector<std::string>>;
  Letters gone;     // removed by their owner at the source: they may have crossed or not
  Letters crossed;  // removed by the program at the source: they must have
  Letters let_go;   // of those, as the target has them: because the user said that they may go
  bool accepting = false;  // the run under way is after that
  Letters earlier;  // the same before the journal was deleted, of one letter as often as at most
  Letters again;    // of those, what may have been there more often
  Letters taken;    // removed by their owner from the target
  std::uint64_t delivered = 0;
  bool late_commits = false;  // a line broke while something was under way
  std::uint64_t forgot = 0;   // the age after the journal, or the end of it, was lost
  /// Whose messages have other names than at the end of the last run that completed.
  struct Renamed {
    bool source = false, target = false;
    bool source_ever = false, target_ever = false;
    bool target_meanwhile = false;  // while a run was under way
    bool late = false;  // it came about while a run was under way, which need not have seen it
    /// More than the journal can see through: both ends at once, or the source while there was
    /// something under way, perhaps at the target alone. Then nothing says whose copy is whose; and
    /// from POP3 a message without a Message-ID comes once more, untold, if nobody noted its bytes:
    /// it was on the target before us, or was found there after a line was lost.
    bool too_much = false;
    std::size_t times = 0;                 // that this has come about
    bool unsettled = false;                // that, and no run has completed since
    std::uint64_t past = 0;                // the age after it
    bool restored = false;                 // a backup of the target was put back,
    std::uint32_t next_before = 0;         // and this was its UIDNEXT,
    std::uint32_t next_after = 0;          // which is now this
    std::uint32_t next_seen = 0;           // and this at the end of the last run that completed
    std::uint32_t source_next_before = 0;  // the same of the source
  };
  std::map<std::string, Renamed> renamed;
  bool complete = true;  // the last run was; at first nothing is under way
  bool held = false;     // some message was taken and not found, and waits for `retry`

 private:
  std::uint64_t uidls_ = 0;  // given anew

  Mail letter(std::string bytes);
  void rename(const std::string& name, bool at_source);
  void restore_target_folder(const std::string& name);
  void note_lost(const std::string& name, const MailFolder& folder, std::size_t lost);
  void look_at_removal(const MailFolder& folder, const Mail& mail);
};

}  // namespace postferry::sim
