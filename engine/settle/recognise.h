// Whether a UIDL still stands for the message that was recorded under it. Servers give a UIDL to
// another message, or all messages new ones; a message that has crossed must not cross again for
// that, and no new one be taken for an old.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

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
  /// What was copied then or before may be removed from the source in this session.
  std::optional<std::int64_t> leaves_if_copied_by = {};
};

/// When it returns, each row of the folder whose key is listed belongs to the message that is
/// listed, as far as headers and bytes tell.
///
/// While the listing has the recorded keys with the recorded sizes, in the recorded order, one
/// header is read: that of the last of them. New mail is listed behind old, so that where any
/// recorded UIDL was given to a new message, the last one was. What is listed with another size,
/// out of its order (unless more than twenty are: then it is no order), though an earlier listing
/// did not have it, or though we removed it, and what may leave the source in this session, is
/// known by its header, or by its bytes where that says too little; a server that is caught reusing
/// a UIDL is believed none. What is listed under a new key, with the size of a message whose key is
/// missing (or any, where most are), is looked for among these by its header: the row then moves to
/// the new key, and nothing is fetched but what has no Message-ID. Returns the keys of those of which the source gives no
/// header: they are not proved to be what their rows say.
Task<std::set<MessageKey>> recognise(RecogniseRequest request);

}  // namespace postferry
