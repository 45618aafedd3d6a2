// Whether a recorded message is the one that the source lists under its key now.
#pragma once

#include "engine/catalogue.h"
#include "engine/journal.h"

namespace postferry {

/// Another size and another date than recorded; some servers tell one or the other as they please,
/// and some leave the size out of a listing now and then, which reads as 0 and says nothing.
bool is_another(const MessageRow& row, const Catalogue::Entry& entry);
/// Its size and date together do not say that it is the same: its bytes, or its header, can tell.
bool may_be_another(const MessageRow& row, const Catalogue::Entry& entry);

}  // namespace postferry
