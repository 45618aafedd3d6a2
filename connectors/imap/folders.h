// The listing of an account: names, roles, subscriptions and numbers, in as few round trips as the
// server's extensions allow. Reads only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connectors/imap/names.h"
#include "connectors/imap/session.h"
#include "engine/model.h"

namespace postferry::imap {

/// HIGHESTMODSEQ costs some servers a look into every folder: it is asked for where it is used.
enum class Numbers { with_modseq, without_modseq };

/// One listing: every personal folder, in the server's order. With LIST-STATUS (RFC 5819) one round
/// trip, which it shares with whatever else is asked between ask() and answer(); a server that
/// refuses what it advertises is asked again more simply: LIST-EXTENDED without STATUS, then LIST
/// or XLIST, with LSUB and a STATUS for each folder, pipelined.
class Lister {
 public:
  Lister(Session& session, Numbers wanted);
  ~Lister();

  /// Sends the first command.
  Task<void> ask();
  /// A response that came while the answers to other commands were read.
  void take(Response& response);
  /// After ask(). A folder whose STATUS is refused is listed without numbers. `names` learns all.
  Task<std::vector<FolderInfo>> answer(FolderNames& names);

 private:
  class Listing;

  Task<void> send(bool extended, bool status);
  Task<bool> accepted();
  Task<void> ask_status();

  Session& session_;
  const Numbers wanted_;
  std::unique_ptr<Listing> listing_;
  bool with_status_ = false, extended_ = false;  // what the last LIST asked for
  std::string list_, lsub_;                      // tags
};

/// Asks, and waits for the answer.
Task<std::vector<FolderInfo>> list_folders(Session& session, FolderNames& names,
                                           Numbers wanted = Numbers::with_modseq);

/// The numbers that STATUS gave.
FolderNumbers numbers_of(const StatusData& status);

}  // namespace postferry::imap
