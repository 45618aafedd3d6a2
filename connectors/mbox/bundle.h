// The mboxes of one export of mail: members of a zip, or files as they are when it was unpacked.
// Blocks; any number of threads may use one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/files/file.h"
#include "connectors/mbox/bytes.h"
#include "engine/model.h"

namespace postferry::mbox {

class Bundle {
 public:
  virtual ~Bundle() = default;
  /// The folder that each mbox is by its name, where nothing else tells; in their order.
  virtual const std::vector<FolderName>& folders() const = 0;
  /// Changes when any of them does.
  virtual std::vector<files::Stamp> stamps() const = 0;
  /// The bytes of one of them, for one thread. The first time, all of it is read in order, and
  /// then handed to learned(): later ones may be read anywhere.
  virtual std::unique_ptr<Bytes> open(std::size_t which) const = 0;
  virtual void learned(std::size_t which, const Bytes& bytes) = 0;
};

/// Throws Error{local} for a damaged archive, Error{usage} for one without an mbox in it.
std::unique_ptr<Bundle> open_zip_bundle(const std::string& path);
/// Nothing unless one of the mboxes at PATH, a file or a directory of them, has labels of Gmail.
std::unique_ptr<Bundle> find_google_files(const std::string& path);

}  // namespace postferry::mbox
