// Whether a UIDL still stands for the message that was recorded under it. Servers give a UIDL to
// another message, or all messages new ones; a message that has crossed must not cross again for
// that, and no new one be taken for an old.
#pragma once

#include "engine/async/task.h"
#include "engine/catalogue.h"
#include "engine/journal.h"
#include "engine/observer.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

struct RecogniseRequest {
  SourceSession& source;  // with the folder selected
  TargetSession* target;  // with the target folder selected; none in a dry run
  Journal& journal;
  Observer& observer;
  const Catalogue& catalogue;  // whose keys are UIDLs
  FolderRecord folder;
};

/// When it returns, each row of the folder whose key is listed belongs to the message that is
/// listed, as far as headers and bytes tell.
///
/// Nothing is read from the servers while the listing has the recorded keys with the recorded
/// sizes, in the recorded order. What is listed with another size, out of its order, though an
/// earlier listing did not have it, or though we removed it, is known by its header, or by its bytes
/// where that says too little; a server that is caught reusing a UIDL is believed none. Where more
/// than twenty are out of their order the order says nothing, or all mail would be looked at each
/// time: a UIDL given to a message of the very same size between two runs then hides it, until
/// another is caught (`verify` at level header finds it).
/// What is listed under a new key, with the size of a message whose key is missing (or any, where
/// most are), is looked for among these by its header: the row then moves to the new key, and
/// nothing is fetched.
Task<void> recognise(RecogniseRequest request);

}  // namespace postferry
