// What source and target sessions share: one Maildir, one folder of it opened, all work on the disk
// off the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connectors/endpoint.h"
#include "connectors/files/deliver.h"
#include "connectors/files/patiently.h"
#include "connectors/maildir/folder.h"
#include "connectors/maildir/root.h"
#include "engine/async/blocking.h"
#include "engine/async/task.h"
#include "engine/async/timeout.h"
#include "engine/source.h"

namespace postferry::maildir {

Layout layout_of(const Endpoint& end);

using files::moment;

class Box {
 public:
  Box(Blocking& blocking, std::string path, Layout layout, Access access)
      : blocking_(blocking),
        root_(std::make_unique<Root>(std::move(path), layout)),
        access_(access) {}

  Root& root() { return *root_; }
  /// The folder that is open. Only inside a job, or while none runs.
  Folder& folder() { return *folder_; }

  /// Runs `job` off the loop.
  template <class Job>
  auto run(Job job) {
    return blocking_.run(std::move(job));
  }
  /// The same, again and again until it says true: another program's lock is waited for. Throws
  /// Error{transient} after a minute.
  Task<void> patiently(std::function<bool()> job);

  Task<std::vector<FolderInfo>> list();
  /// Throws Error{rejected} when it is not there.
  Task<FolderNumbers> select(FolderName name);
  /// Sees what others did to the open folder.
  Task<void> refresh();
  Task<std::vector<HeaderEntry>> headers(std::vector<Uid> uids);
  Task<void> fetch(std::vector<Uid> uids, MessageSink& sink);

 private:
  files::OpenByKey opener(Moment now);

  Blocking& blocking_;
  std::unique_ptr<Root> root_;
  std::unique_ptr<Folder> folder_;
  Access access_;
};

}  // namespace postferry::maildir
