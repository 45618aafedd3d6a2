// Source and target may be one mailbox under two names (a CNAME; POP3 and IMAP of one account):
// then every message is "on the target already", and to remove it from the source is to lose it.
#pragma once

#include "engine/async/task.h"
#include "engine/catalogue.h"
#include "engine/journal.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

struct OneAheadRequest {
  SourceSession& source;      // with the folder selected
  TargetSession& target;      // with the target folder selected
  Catalogue::Entry original;  // a message that is held, not streamed
  Uid copy;                   // which we did not append
};

/// Removes one message from the source, and looks whether the target still has its copy. A second
/// copy stands there meanwhile, with the first one's flags and date, so that nothing can be lost:
/// it goes again where the first stayed. Else (or where that was marked \Deleted, which is taken
/// back) Error{rejected} is thrown. The target must have UIDPLUS. Removal as the source tells it.
Task<Removal> send_one_ahead(OneAheadRequest request);

}  // namespace postferry
