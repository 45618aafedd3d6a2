// Source and target may be one mailbox under two names (a CNAME; POP3 and IMAP of one account):
// then every message is "on the target already", and to remove it from the source is to lose it.
#pragma once

#include <optional>
#include <string>

#include "engine/async/task.h"
#include "engine/catalogue.h"
#include "engine/journal.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

struct OneAheadRequest {
  SourceSession& source;  // with the folder selected
  TargetSession& target;  // with the target folder selected
  Journal& journal;
  FolderRecord folder;
  RunId run;
  Catalogue::Entry original;  // a message that is held, not streamed
  Uid copy;                   // which we did not append
};

struct OneAhead {
  std::optional<Removal> removal;  // as the source tells it; none: it could not be tried,
  std::string why;                 // and this is why
};

/// Removes one message from the source, and looks whether the target still has its copy. Before, a
/// second copy is appended to the target, with the flags and the date of the first, as a batch of
/// the journal: it goes again if the first one stays, and a run that dies between leaves it to
/// settle. If the first one went, too, the second takes its place, and Error{rejected} is thrown.
Task<OneAhead> send_one_ahead(OneAheadRequest request);

}  // namespace postferry
