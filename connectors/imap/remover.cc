#include "connectors/imap/remover.h"

#include <utility>

#include "connectors/imap/store.h"

namespace postferry::imap {

Task<Removal> remove_messages(Session& session, Selected& folder, std::vector<MessageKey> keys) {
  const auto validity = folder.numbers.uid_validity;
  FolderName name = folder.name;
  std::string wire = folder.wire;
  folder = co_await open_folder(session, std::move(name), std::move(wire), Access::write);
  if (folder.numbers.uid_validity != validity)
    throw session.error(ErrorKind::transient, "UIDVALIDITY changed; nothing was removed");
  std::vector<Uid> uids;
  for (const MessageKey& key : keys) uids.push_back(key.uid());
  const Capabilities& offered = session.capabilities;
  const bool expunges =
      (offered.has("UIDPLUS") || offered.has("IMAP4REV2")) && !folder.uid_not_sticky;
  co_await store_in_sets(session, sorted(std::move(uids)), "+FLAGS.SILENT", "\\Deleted", expunges);
  Removal removal;
  removal.how = expunges ? Removal::How::removed : Removal::How::marked;
  removal.keys = std::move(keys);
  co_return removal;
}

}  // namespace postferry::imap
