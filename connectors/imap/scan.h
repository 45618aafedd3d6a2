// Reading what a folder holds without the bodies: the catalogue, and the header fields by which
// messages are recognised.
#pragma once

#include <vector>

#include "connectors/imap/gmail.h"
#include "connectors/imap/party.h"
#include "engine/catalogue.h"
#include "engine/source.h"

namespace postferry::imap {

/// Opens a folder, and reads its catalogue in the same breath.
Task<Catalogue> open_and_read(Party& party, FolderName name, std::string wire,
                              const Labels* elsewhere = nullptr);

/// The same, but where CONDSTORE is offered only what changed, what has come and the witnesses (RFC
/// 7162 §3.1.4.1). An answer in which anything is odd is given up for a whole catalogue.
Task<Opened> open_and_read_changes(Party& party, FolderName name, std::string wire,
                                   const Since& since);

/// The UIDs of the party's open folder, by SEARCH; by a catalogue where that comes short.
Task<std::vector<UidRange>> list_uids(Party& party);

/// How many messages the open folder had when it was opened last.
inline std::uint64_t began_with(const Session& session) {
  return session.exists() + session.expunged();
}

/// Every message of the open folder, which had `began_with` when it was opened, ascending. Repeats
/// the question where the server cuts its answer short ([MESSAGELIMIT], RFC 9738) or gives fewer
/// messages than EXISTS; what UID SEARCH alone names is listed with size 0. Throws Error{protocol}
/// if some stay unlisted. A date at which no mail can have come is none. With `elsewhere` it leaves
/// out what has one of these labels.
Task<Catalogue> read_catalogue(Session& session, std::uint64_t began_with,
                               const Labels* elsewhere = nullptr);

/// Recognisable header fields of the given messages; those that are gone are left out.
Task<std::vector<HeaderEntry>> read_headers(Session& session, std::vector<Uid> uids);

/// The UIDs that still exist among `uids`.
Task<std::vector<Uid>> still_there(Session& session, std::vector<Uid> uids);

/// The engine's form of a date.
std::optional<InternalDate> date_of(const std::optional<DateTime>& date);
Flags flags_of(const std::vector<std::string>& names);

}  // namespace postferry::imap
