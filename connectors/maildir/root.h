// A Maildir as a whole: which folders it has, and which of them are subscribed. Every call blocks.
// Must not know what is in a folder.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connectors/maildir/folder.h"
#include "connectors/maildir/folder_path.h"
#include "engine/model.h"

namespace postferry::maildir {

class Root {
 public:
  Root(std::string path, Layout layout) : path_(std::move(path)), layout_(layout) {}

  const std::string& path() const { return path_; }
  /// Whether there is a Maildir, or folders of one.
  bool exists() const;
  /// All folders, INBOX among them whether or not it is there, with what can be told at a glance.
  std::vector<FolderInfo> list(Moment now) const;
  /// The directory of a folder that is there; nothing else.
  std::optional<std::string> find(const FolderName& folder) const;
  /// Makes a folder, and remembers its role. Throws Error{local}; Error{rejected} when the name
  /// cannot be.
  void create(const FolderName& folder, Role role);
  /// Puts the folder's name into `subscriptions`. False when another program holds its lock.
  bool subscribe(const FolderName& folder) const;

 private:
  std::string absolute(const std::string& directory) const;
  std::vector<std::string> directories() const;
  FolderName name_of(const std::string& directory) const;
  std::map<FolderName, std::string> named() const;
  void add_directories_below(const std::string& directory, int depth,
                             std::vector<std::string>& out) const;
  std::set<FolderName> subscriptions() const;

  std::string path_;
  Layout layout_;
};

}  // namespace postferry::maildir
