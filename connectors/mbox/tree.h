// Which file is which folder: PATH is one mbox (INBOX), or a directory of them.
//
//   Archive              a folder
//   Archive.sbd/2019     a folder below it, as Thunderbird has it
//   Archive/2019         the same, as Dovecot and others have it; read, but not made
//   Work.mbox            the folder Work
//
// A file is a folder if it begins as an mbox does, or is empty. Every call blocks.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/files/file.h"
#include "engine/model.h"

namespace postferry::mbox {

class Tree {
 public:
  explicit Tree(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  /// Whether there is one file or directory of that name.
  bool exists() const;
  /// PATH is one file, or will be: it is there, or its name ends in `.mbox`.
  bool is_one_file() const;
  /// All folders that have a file, by name.
  std::map<FolderName, std::string> files() const;
  /// The same as a listing, with what the notes tell.
  std::vector<FolderInfo> describe(const std::map<FolderName, std::string>& files) const;
  /// The file of a folder that is there.
  std::optional<std::string> find(const FolderName& folder) const;
  /// What no file's name tells: roles, and which folders are subscribed (`.imap/postferry-folders`,
  /// lines of `role ROLE NAME` and `subscribed NAME`).
  struct Notes {
    std::map<FolderName, Role> roles;
    std::set<FolderName> subscribed;
  };
  Notes notes() const;
  static Notes parse_notes(std::string_view text);
  /// False when another program holds its lock: try again.
  bool add_note(const std::string& line) const;
  /// Where the file of a new folder belongs. Throws Error{rejected} where it cannot be.
  std::string path_for(const FolderName& folder) const;

 private:
  void add_below(const std::string& directory, const std::vector<std::string>& levels, int depth,
                 std::map<FolderName, std::string>& out) const;

  std::string path_;
};

}  // namespace postferry::mbox
