// Mail that lies in files without names of its own: an archive names each message by its bytes, so
// that the name holds whatever else comes, goes or moves. One session, used from one thread at a
// time; every call blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/files/deliver.h"
#include "connectors/files/file.h"
#include "connectors/files/patiently.h"
#include "engine/digest.h"
#include "engine/source.h"

namespace postferry::files {

/// One message of a folder that is open.
struct Filed {
  Sha256 digest;  // of its bytes, as IMAP would give them
  std::uint64_t size_bytes = 0;
  std::optional<InternalDate> date;
  Flags flags;
};

/// A folder as it is now.
struct Look {
  std::vector<Filed> messages;              // in its order
  std::optional<std::uint64_t> state = {};  // state_number()
};

class Archive {
 public:
  virtual ~Archive() = default;
  /// All folders, INBOX among them. Where it can be told without reading them, with their
  /// state_number() as HIGHESTMODSEQ.
  virtual std::vector<FolderInfo> list(Moment now) = 0;
  /// Nothing when another program holds its lock. Throws Error{rejected} when it is not there.
  virtual std::optional<Look> open(const FolderName& folder, Moment now) = 0;
  /// The message at this place of what open() told last; nothing when it is not there any more.
  virtual std::unique_ptr<MessageReader> read(std::size_t index) = 0;
  /// Takes just these away, by their place; false when another program holds a lock, or changed the
  /// folder since open().
  virtual bool remove(const std::vector<std::size_t>& indices, Moment now) = 0;
};

/// A number that stands for what the files of a folder are by their stamps: another after any
/// change. None while a change may yet come that no stamp shows.
std::optional<std::uint64_t> state_number(const std::vector<std::pair<std::string, Stamp>>& files,
                                          Moment now);

/// Opens the archive, off the loop. Throws Error{usage} when there is none.
using OpenArchive = std::function<std::unique_ptr<Archive>()>;

/// A source of it, whose keys are the digests, with a number where several messages are equal.
std::unique_ptr<Source> make_archive_source(Blocking& blocking, OpenArchive open, int sessions,
                                            std::string description);

}  // namespace postferry::files
