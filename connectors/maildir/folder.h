// One folder of a Maildir: its files, their UIDs and flags. Every call blocks: it belongs off the
// loop, one call at a time. Must not know how folders are named.
//
// UIDs are those of dovecot-uidlist, which is kept as Dovecot keeps it: Dovecot may serve the
// folder before, after and meanwhile.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connectors/files/file.h"
#include "connectors/files/patiently.h"
#include "connectors/maildir/letters.h"
#include "connectors/maildir/uid_list.h"
#include "engine/model.h"

namespace postferry::maildir {

using files::Moment;

/// look: nothing is changed. source: UIDs are written down where that is possible; where it is not,
/// they hold for as long as the folder stays as it is. target: the folder is ours to change.
enum class Access { look, source, target };

/// A message on its way in: written and synced to `temporary`, but not yet in the folder.
struct Incoming {
  std::string temporary;  // a path in tmp
  std::string base;       // of its name in the folder
  Flags flags;
};

class Folder {
 public:
  Folder(std::string directory, Access access)
      : directory_(std::move(directory)), access_(access) {}

  const std::string& directory() const { return directory_; }
  /// Whether there is a folder: a directory with `cur` in it.
  static bool exists(const std::string& directory);
  /// Makes what is missing of a folder.
  static void make(const std::string& directory);
  /// The numbers that can be had without reading the list of UIDs. Gives no UIDVALIDITY before the
  /// folder was first opened.
  static FolderNumbers glance(const std::string& directory, Moment now);

  /// Sees the folder as it is now. False when another program holds its lock: try again.
  bool refresh(Moment now);

  FolderNumbers numbers() const;
  std::size_t size() const { return entries_.size(); }
  Uid uid(std::size_t index) const { return Uid{entries_[index].uid}; }
  std::string_view name(std::size_t index) const {
    return std::string_view(names_).substr(entries_[index].at, entries_[index].length);
  }
  std::string path(std::size_t index) const;
  Flags flags(std::size_t index) const;
  /// Where a UID stands; nothing when it is gone.
  std::optional<std::size_t> find(Uid uid) const;
  /// The first that is not below `uid`.
  std::size_t lower_bound(Uid uid) const;

  /// A new file in tmp, of this process alone; `path` becomes its name.
  files::File open_temporary(std::string& path) const;
  /// Puts a batch into the folder: into `cur` with a rename each, the directory synced, then their
  /// UIDs listed. A message of the same base that is there already is not doubled: its UID is the
  /// answer. Nothing when another program holds the lock: try again. After an Error some of it may
  /// be there; refresh tells.
  std::optional<std::vector<Uid>> admit(const std::deque<Incoming>& batch, Moment now);
  /// Adds or takes flags, by renaming. False when another program holds the lock of the keywords.
  bool change_flags(const std::vector<Uid>& uids, const Flags& flags, bool add, Moment now);
  /// False when another program holds the folder's lock, which a look at it may need.
  bool remove(const std::vector<Uid>& uids, Moment now);
  /// Keywords for which there was no letter left, so far.
  std::uint64_t flags_dropped() const { return flags_dropped_; }

 private:
  struct Entry {
    std::uint32_t uid = 0;
    std::uint32_t at = 0;  // in names_
    std::uint16_t length = 0;
    std::uint16_t base = 0;  // how much of it is the base
    bool fresh = false;      // in `new`
  };
  /// When what was last changed; -1 where it is not there.
  struct Stamps {
    std::int64_t fresh = -1, cur = -1, keywords = -1, list = -1;
    std::uint64_t list_inode = 0, list_bytes = 0;
    bool operator==(const Stamps&) const = default;
  };
  struct Found {
    std::vector<Entry> entries;  // by base, each once
    std::string names;
  };
  struct Listed {
    std::string text;
    UidList list;          // of text
    bool made_up = false;  // there is none that can be understood
  };

  static Stamps stamps_of(const std::string& directory);
  static std::uint64_t state_of(const Stamps& stamps);
  static bool settled(const Stamps& stamps, Moment now);
  static std::string_view base_of(const Found& found, const Entry& entry);
  Found scan_once() const;
  Found scan() const;
  Listed read_list(Moment now) const;
  /// Gives found files the UIDs of the list; yields those without one. `gone` is how many lines
  /// have no file.
  static std::vector<std::size_t> join(Found& found, const Listed& listed, std::size_t& gone);
  void number(Found& found, Listed& listed, std::vector<std::size_t> unlisted) const;
  void write_list(const Found& found, Listed& listed) const;
  void adopt(Found found, const Listed& listed, const Stamps& stamps, Moment now);
  void read_keywords();
  void write_keywords();
  void sweep_temporaries() const;
  bool rename_flagged(Entry& entry, const Flags& flags, bool add);
  void put_name(Entry& entry, std::string_view name, bool fresh);
  void append_to_list(const std::string& lines, Moment now);
  std::string list_path() const { return directory_ + "/dovecot-uidlist"; }
  std::string keywords_path() const { return directory_ + "/dovecot-keywords"; }

  std::string directory_;
  Access access_;
  std::vector<Entry> entries_;  // ascending UIDs
  std::string names_;
  Keywords keywords_;
  std::unordered_map<std::size_t, std::uint32_t> ours_;  // hashes of bases that we made, and UIDs
  std::uint32_t validity_ = 0, next_ = 1;
  Stamps stamps_;
  bool known_ = false, settled_ = false;
  std::uint64_t flags_dropped_ = 0;
};

}  // namespace postferry::maildir
