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

/// Removes one message from the source, and looks whether the target still has its copy. If that
/// went, too, it is appended to the target again, with its flags and date, and Error{rejected} is
/// thrown; it says so where that could not be done. Removal as the source tells it.
Task<Removal> send_one_ahead(OneAheadRequest request);

}  // namespace postferry
