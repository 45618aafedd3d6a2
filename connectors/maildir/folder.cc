#include "connectors/maildir/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "connectors/files/dot_lock.h"
#include "connectors/files/file.h"
#include "connectors/maildir/file_name.h"
#include "engine/digest.h"
#include "engine/error.h"

namespace postferry::maildir {

using files::DotLock;

namespace {

constexpr std::size_t kMostListBytes = std::size_t{1} << 31;
constexpr std::size_t kMostKeywordBytes = 1 << 20;
constexpr const char* kTemporaryEnd = ".postferry";

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

/// Calls `take` with each name of a directory; a directory that is not there has none.
template <class Take>
void each_name(const std::string& path, Take take) {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) {
    if (errno == ENOENT) return;
    files::fail("cannot read the directory", path, errno);
  }
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    if (entry->d_name[0] != '.' && entry->d_type != DT_DIR) take(std::string_view(entry->d_name));
  }
  if (errno != 0) files::fail("cannot read the directory", path, errno);
}

std::uint64_t first_bytes(const Sha256& digest) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | digest[i];
  return value;
}

std::uint32_t seconds_of(Moment now) { return static_cast<std::uint32_t>(now / 1'000'000'000); }

/// UIDVALIDITY and UIDNEXT by the two ends of the list; none where it has not been made yet.
void glance_at_list(const std::string& path, FolderNumbers& numbers) {
  constexpr std::size_t kEnd = 4096;
  const files::File file = files::open_if_there(path, O_RDONLY);
  if (!file.open()) return;
  const auto size = static_cast<std::uint64_t>(files::status_of(file, path).st_size);
  const std::string head = files::read_at(file, 0, kEnd, path);
  const std::size_t line = head.find('\n');
  if (line == std::string::npos) return;
  std::string text = head.substr(0, line + 1);
  if (size > text.size()) {
    const std::uint64_t from = std::max<std::uint64_t>(text.size(), size > kEnd ? size - kEnd : 0);
    const std::string tail = files::read_at(file, from, kEnd, path);
    const std::size_t begin = from == text.size() ? 0 : tail.find('\n') + 1;
    text += tail.substr(begin);
  }
  const std::optional<UidList> list = parse_uid_list(text);
  if (!list) return;
  numbers.uid_validity = list->validity;
  numbers.uid_next = list->next;
}

}  // namespace

bool Folder::exists(const std::string& directory) {
  return files::is_directory(directory + "/cur");
}

void Folder::make(const std::string& directory) {
  files::make_directories(directory);
  bool made = false;
  // `cur` last: it is what makes it a folder.
  for (const char* part : {"/tmp", "/new", "/cur"}) {
    made = files::make_directory(directory + part) || made;
  }
  if (made) files::sync_directory(directory);
}

Folder::Stamps Folder::stamps_of(const std::string& directory) {
  const auto modified = [&directory](const char* part) {
    const std::optional<struct stat> status = files::status_of(directory + part);
    return status ? files::modified_ns(*status) : -1;
  };
  Stamps out{modified("/new"), modified("/cur"), modified("/dovecot-keywords"), -1, 0, 0};
  if (const auto list = files::status_of(directory + "/dovecot-uidlist")) {
    out.list = files::modified_ns(*list);
    out.list_inode = list->st_ino;
    out.list_bytes = static_cast<std::uint64_t>(list->st_size);
  }
  return out;
}

std::uint64_t Folder::state_of(const Stamps& stamps) {
  const std::string text = fmt::format("{} {} {}", stamps.fresh, stamps.cur, stamps.keywords);
  return (first_bytes(sha256(text)) >> 1) | 2;  // above 1, and fit for signed columns
}

bool Folder::settled(const Stamps& stamps, Moment now) {
  return std::max({stamps.fresh, stamps.cur, stamps.keywords, stamps.list}) < now - files::kGrainNs;
}

FolderNumbers Folder::glance(const std::string& directory, Moment now) {
  FolderNumbers numbers;
  const Stamps stamps = stamps_of(directory);
  if (settled(stamps, now)) numbers.highest_modseq = state_of(stamps);
  std::uint64_t count = 0;
  for (const char* part : {"/new", "/cur"}) {
    each_name(directory + part, [&count](std::string_view) { ++count; });
  }
  numbers.messages = count;
  glance_at_list(directory + "/dovecot-uidlist", numbers);
  return numbers;
}

std::string_view Folder::base_of(const Found& found, const Entry& entry) {
  return std::string_view(found.names).substr(entry.at, entry.base);
}

Folder::Found Folder::scan_once() const {
  Found found;
  for (const bool fresh : {true, false}) {
    each_name(directory_ + (fresh ? "/new" : "/cur"), [&](std::string_view name) {
      if (found.names.size() + name.size() > UINT32_MAX) {
        throw Error(ErrorKind::local, "too many files", printable(directory_));
      }
      found.entries.push_back({0, static_cast<std::uint32_t>(found.names.size()),
                               static_cast<std::uint16_t>(name.size()),
                               static_cast<std::uint16_t>(std::min(name.find(':'), name.size())),
                               fresh});
      found.names += name;
    });
  }
  return found;
}

/// A file that is renamed while its directory is read may be missed, or be seen twice: looks until
/// nothing moved meanwhile.
Folder::Found Folder::scan() const {
  constexpr int kMostLooks = 10;
  Found found;
  for (int look = 1;; ++look) {
    const Stamps before = stamps_of(directory_);
    found = scan_once();
    const Stamps after = stamps_of(directory_);
    if (before.cur == after.cur && before.fresh == after.fresh) break;
    if (look == kMostLooks) {
      throw Error(ErrorKind::transient, "the folder changes faster than it can be read",
                  printable(directory_));
    }
  }
  std::ranges::sort(found.entries, {}, [&](const Entry& e) { return base_of(found, e); });
  const auto same = [&](const Entry& a, const Entry& b) {
    return base_of(found, a) == base_of(found, b);
  };
  found.entries.erase(std::unique(found.entries.begin(), found.entries.end(), same),
                      found.entries.end());
  return found;
}

Folder::Listed Folder::read_list(Moment now) const {
  Listed listed;
  listed.text = files::read_whole(list_path(), kMostListBytes);
  if (std::optional<UidList> list = parse_uid_list(listed.text)) {
    listed.list = std::move(*list);
  } else {
    listed.made_up = true;
    listed.list.validity = seconds_of(now);
  }
  return listed;
}

std::vector<std::size_t> Folder::join(Found& found, const Listed& listed, std::size_t& gone) {
  std::vector<const UidLine*> lines;
  for (const UidLine& line : listed.list.lines) lines.push_back(&line);
  std::ranges::sort(lines, {}, &UidLine::base);
  std::vector<std::size_t> unlisted;
  std::size_t at = 0;
  gone = 0;
  for (std::size_t i = 0; i < found.entries.size(); ++i) {
    Entry& entry = found.entries[i];
    const std::string_view base = base_of(found, entry);
    for (; at < lines.size() && lines[at]->base < base; ++at) ++gone;
    if (at < lines.size() && lines[at]->base == base) {
      entry.uid = lines[at++]->uid;
    } else {
      unlisted.push_back(i);
    }
  }
  gone += lines.size() - at;
  return unlisted;
}

void Folder::number(Found& found, Listed& listed, std::vector<std::size_t> unlisted) const {
  std::ranges::sort(unlisted, [&](std::size_t a, std::size_t b) {
    return delivered_before(base_of(found, found.entries[a]), base_of(found, found.entries[b]));
  });
  for (const std::size_t index : unlisted) found.entries[index].uid = listed.list.next++;
}

void Folder::write_list(const Found& found, Listed& listed) const {
  std::vector<Entry> entries = found.entries;
  std::ranges::sort(entries, {}, &Entry::uid);
  UidList list{listed.list.validity, listed.list.next, listed.list.words, {}, true};
  std::size_t at = 0;
  for (const Entry& entry : entries) {
    const auto& old = listed.list.lines;
    while (at < old.size() && old[at].uid < entry.uid) ++at;
    const bool known = at < old.size() && old[at].uid == entry.uid;
    list.lines.push_back({entry.uid, known ? old[at].words : "", base_of(found, entry)});
  }
  files::replace(list_path(), format_uid_list(list), ".tmp");
  files::sync_directory(directory_);
}

bool Folder::refresh(Moment now) {
  Stamps stamps = stamps_of(directory_);
  if (known_ && settled_ && stamps == stamps_) return true;
  if (!known_ && access_ == Access::target) sweep_temporaries();
  read_keywords();
  Found found = scan();
  Listed listed = read_list(now);
  std::size_t gone = 0;
  std::vector<std::size_t> unlisted = join(found, listed, gone);
  const bool write = !unlisted.empty() || listed.made_up || !listed.list.whole ||
                     (gone > 0 && access_ == Access::target);
  if (!write) {
    adopt(std::move(found), listed, stamps, now);
    return true;
  }
  const bool looks = access_ == Access::look;
  if (looks || (access_ == Access::source && ::access(directory_.c_str(), W_OK) != 0)) {
    // Nothing is written down here. The numbers hold while no file comes that is not listed.
    std::string bases = std::to_string(listed.made_up ? 0 : listed.list.validity);
    for (const std::size_t index : unlisted) {
      bases.append("\n").append(base_of(found, found.entries[index]));
    }
    number(found, listed, std::move(unlisted));
    if (!looks || listed.made_up)
      listed.list.validity = static_cast<std::uint32_t>(first_bytes(sha256(bases)) >> 33) | 1;
    adopt(std::move(found), listed, stamps, now);
    return true;
  }
  const std::optional<DotLock> lock = DotLock::try_take(list_path() + ".lock");
  if (!lock) return false;
  stamps = stamps_of(directory_);
  found = scan();
  listed = read_list(now);
  number(found, listed, join(found, listed, gone));
  write_list(found, listed);
  const Stamps after = stamps_of(directory_);
  stamps.list = after.list, stamps.list_inode = after.list_inode,
  stamps.list_bytes = after.list_bytes;
  adopt(std::move(found), listed, stamps, now);
  return true;
}

void Folder::adopt(Found found, const Listed& listed, const Stamps& stamps, Moment now) {
  entries_ = std::move(found.entries);
  names_ = std::move(found.names);
  std::ranges::sort(entries_, {}, &Entry::uid);
  validity_ = listed.list.validity;
  next_ = listed.list.next;
  stamps_ = stamps;
  settled_ = settled(stamps, now);
  known_ = true;
  ours_.clear();
  if (access_ != Access::target) return;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const FileName parsed = parse_file_name(name(i));
    if (parsed.ours) ours_.emplace(std::hash<std::string_view>{}(parsed.base), entries_[i].uid);
  }
}

FolderNumbers Folder::numbers() const {
  FolderNumbers numbers;
  numbers.uid_validity = validity_;
  numbers.uid_next = next_;
  numbers.messages = entries_.size();
  if (settled_) numbers.highest_modseq = state_of(stamps_);
  return numbers;
}

std::string Folder::path(std::size_t index) const {
  return fmt::format("{}/{}/{}", directory_, entries_[index].fresh ? "new" : "cur", name(index));
}

Flags Folder::flags(std::size_t index) const {
  return flags_of(parse_file_name(name(index)).letters, keywords_);
}

std::size_t Folder::lower_bound(Uid uid) const {
  const auto at = std::ranges::lower_bound(entries_, uid.value, {}, &Entry::uid);
  return static_cast<std::size_t>(at - entries_.begin());
}

std::optional<std::size_t> Folder::find(Uid uid) const {
  const std::size_t at = lower_bound(uid);
  if (at == entries_.size() || entries_[at].uid != uid.value) return std::nullopt;
  return at;
}

// Changing

files::File Folder::open_temporary(std::string& path) const {
  // Told from those of a process that has ended, so that they can be swept up.
  std::string name =
      fmt::format("{}/tmp/{}:XXXXXX{}", directory_, files::process_mark(), kTemporaryEnd);
  files::File file(::mkostemps(
      name.data(), static_cast<int>(std::string_view(kTemporaryEnd).size()), O_CLOEXEC));
  if (!file.open()) files::fail("cannot make a file", name, errno);
  path = name;
  return file;
}

/// What a killed process of ours left in tmp.
void Folder::sweep_temporaries() const {
  each_name(directory_ + "/tmp", [this](std::string_view name) {
    if (!name.ends_with(kTemporaryEnd)) return;
    const std::string_view mark = name.substr(0, name.rfind(':'));
    if (files::has_ended(mark)) ::unlink((directory_ + "/tmp/").append(name).c_str());
  });
}

void Folder::read_keywords() {
  keywords_ = Keywords::parse(files::read_whole(keywords_path(), kMostKeywordBytes));
}

/// The caller holds the lock of the keywords.
void Folder::write_keywords() {
  if (!keywords_.changed()) return;
  files::replace(keywords_path(), keywords_.format(), ".tmp");
  read_keywords();
}

void Folder::put_name(Entry& entry, std::string_view name, bool fresh) {
  if (names_.size() + name.size() > UINT32_MAX) {
    throw Error(ErrorKind::local, "too many files", printable(directory_));
  }
  entry.at = static_cast<std::uint32_t>(names_.size());
  entry.length = static_cast<std::uint16_t>(name.size());
  entry.base = static_cast<std::uint16_t>(std::min(name.find(':'), name.size()));
  entry.fresh = fresh;
  names_ += name;
}

/// The caller holds the lock. A line that could not be written whole is taken back.
void Folder::append_to_list(const std::string& lines, Moment now) {
  const files::File file = files::open_file(list_path(), O_WRONLY | O_APPEND);
  const off_t size = files::status_of(file, list_path()).st_size;
  try {
    files::write_all(file, lines, list_path());
    files::sync(file, list_path());
  } catch (const Error&) {
    if (::ftruncate(file.descriptor(), size) != 0) settled_ = known_ = false;
    throw;
  }
  const Stamps after = stamps_of(directory_);
  stamps_ = after;
  settled_ = settled(after, now);
}

std::optional<std::vector<Uid>> Folder::admit(const std::deque<Incoming>& batch, Moment now) {
  const std::optional<DotLock> lock = DotLock::try_take(list_path() + ".lock");
  if (!lock) return std::nullopt;
  const Stamps stamps = stamps_of(directory_);
  if (stamps.list != stamps_.list || stamps.list_inode != stamps_.list_inode ||
      stamps.list_bytes != stamps_.list_bytes) {
    // Somebody else gave out UIDs. Where there are files without one, theirs come first.
    const Listed listed = read_list(now);
    if (listed.made_up || !listed.list.whole || listed.list.validity != validity_) {
      throw Error(ErrorKind::transient, "the list of UIDs was replaced meanwhile",
                  printable(list_path()));
    }
    next_ = listed.list.next;
  }
  const std::uint64_t dropped = flags_dropped_;
  std::vector<std::string> letters;
  {
    std::optional<DotLock> keywords;
    const bool any = std::ranges::any_of(
        batch, [](const Incoming& message) { return !message.flags.keywords.empty(); });
    if (any) {
      std::optional<DotLock> taken = DotLock::try_take(keywords_path() + ".lock");
      if (!taken) return std::nullopt;
      keywords.emplace(std::move(*taken));
      read_keywords();
    }
    for (const Incoming& message : batch) {
      letters.push_back(change_letters("", message.flags, true, keywords_, flags_dropped_));
    }
    try {
      write_keywords();
    } catch (const Error&) {
      flags_dropped_ = dropped;
      throw;
    }
  }
  std::vector<Uid> uids;
  std::string lines;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Incoming& message = batch[i];
    const auto hash = std::hash<std::string_view>{}(message.base);
    if (const auto there = ours_.find(hash); there != ours_.end()) {
      const std::optional<std::size_t> index = find(Uid{there->second});
      if (index && parse_file_name(name(*index)).base == message.base &&
          ::access(path(*index).c_str(), F_OK) == 0) {
        ::unlink(message.temporary.c_str());
        uids.push_back(Uid{there->second});
        continue;
      }
    }
    const std::string file_name = message.base + ":2," + letters[i];
    const std::string into = directory_ + "/cur/" + file_name;
    if (::rename(message.temporary.c_str(), into.c_str()) != 0) {
      files::fail("cannot put the message into the folder", into, errno);
    }
    Entry& entry = entries_.emplace_back();
    entry.uid = next_++;
    put_name(entry, file_name, false);
    append_line(lines, {entry.uid, "", message.base});
    ours_[hash] = entry.uid;
    uids.push_back(Uid{entry.uid});
  }
  files::sync_directory(directory_ + "/cur");
  append_to_list(lines, now);
  return uids;
}

bool Folder::rename_flagged(Entry& entry, const Flags& flags, bool add) {
  const std::string from(std::string_view(names_).substr(entry.at, entry.length));
  const FileName parsed = parse_file_name(from);
  const std::string letters = change_letters(parsed.letters, flags, add, keywords_, flags_dropped_);
  const std::string to = std::string(parsed.base) + ":2," + letters;
  if (!entry.fresh && from == to) return true;
  write_keywords();  // a letter means nothing before it is written down
  const std::string source = directory_ + (entry.fresh ? "/new/" : "/cur/") + from;
  if (::rename(source.c_str(), (directory_ + "/cur/" + to).c_str()) != 0) {
    if (errno == ENOENT) return false;
    files::fail("cannot change the flags of the message", source, errno);
  }
  put_name(entry, to, false);
  return true;
}

bool Folder::change_flags(const std::vector<Uid>& uids, const Flags& flags, bool add, Moment now) {
  const std::optional<DotLock> lock = DotLock::try_take(keywords_path() + ".lock");
  if (!lock) return false;
  read_keywords();
  std::vector<Uid> moved = uids;
  for (int attempt = 0; attempt < 2 && !moved.empty(); ++attempt) {
    // Renamed by somebody else meanwhile, or gone.
    if (attempt > 0) {
      settled_ = false;
      if (!refresh(now)) return false;
    }
    std::erase_if(moved, [&](Uid uid) {
      const std::optional<std::size_t> index = find(uid);
      return !index || rename_flagged(entries_[*index], flags, add);
    });
  }
  settled_ = false;
  files::sync_directory(directory_ + "/cur");
  return true;
}

bool Folder::remove(const std::vector<Uid>& uids, Moment now) {
  settled_ = false;
  if (!refresh(now)) return false;
  bool moved = false;
  for (const Uid uid : uids) {
    const std::optional<std::size_t> index = find(uid);
    if (!index || ::unlink(path(*index).c_str()) == 0) continue;
    if (errno != ENOENT) files::fail("cannot remove the message", path(*index), errno);
    moved = true;  // gone, or renamed meanwhile
  }
  settled_ = false;
  for (const char* part : {"/cur", "/new"}) files::sync_directory(directory_ + part);
  return !moved;
}

}  // namespace postferry::maildir
