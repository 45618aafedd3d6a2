#include "connectors/mbox/target_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "connectors/mbox/codec/encoder.h"
#include "connectors/mbox/codec/head.h"
#include "connectors/mbox/rewrite.h"
#include "engine/error.h"

namespace postferry::mbox {
namespace {

constexpr std::size_t kPiece = 256 << 10;
constexpr std::size_t kMostHeader = 64 << 10;
/// Bytes of keywords in X-IMAPbase.
constexpr std::size_t kMostListed = 32 << 10;
/// UIDs are 32 bits: a mailbox that says it has given so many is not believed.
constexpr std::uint32_t kSpent = 0xf0000000;

void write_at(const files::File& file, std::string_view bytes, std::uint64_t offset,
              const std::string& path) {
  if (::lseek(file.descriptor(), static_cast<off_t>(offset), SEEK_SET) < 0) {
    files::fail("cannot write the file", path, errno);
  }
  files::write_all(file, bytes, path);
}

void cut(const files::File& file, std::uint64_t size, const std::string& path) {
  if (::ftruncate(file.descriptor(), static_cast<off_t>(size)) != 0) {
    files::fail("cannot cut the file", path, errno);
  }
}

/// A line of the first message's header.
std::optional<std::size_t> find_base(std::string_view header) {
  constexpr std::string_view kName = "X-IMAPbase: ";
  if (header.starts_with(kName)) return kName.size();
  const std::size_t at = header.find("\nX-IMAPbase: ");
  const std::size_t end = header.find("\n\n");
  if (at == std::string_view::npos || at > end) return std::nullopt;
  return at + 1 + kName.size();
}

}  // namespace

FolderNumbers TargetFile::glance(const std::string& path) {
  FolderNumbers numbers;
  const files::File file = files::open_if_there(path, O_RDONLY);
  if (!file.open()) return numbers;
  const std::string start = files::read_at(file, 0, kMostHeader, path);
  const std::size_t line = start.find('\n');
  if (line == std::string::npos) return numbers;
  Decoder decoder(Form::foreign, 0);
  std::string out;
  decoder.feed(std::string_view(start).substr(line + 1), out);
  const auto base = decoder.envelope().base();
  if (base && base->last < kSpent) {
    numbers.uid_validity = base->validity;
    numbers.uid_next = base->last + 1;
  }
  return numbers;
}

files::Stamp TargetFile::stamp_of(const files::File& file) const {
  return files::stamp_of(files::status_of(file, path_));
}

bool TargetFile::refresh(Moment now) {
  if (look_only_ && !files::status_of(path_)) return true;
  return lock_and_see(now).has_value();
}

/// The lock on the file as it was seen, mended where it had to be: that puts a new file in its
/// place.
std::optional<Lock> TargetFile::lock_and_see(Moment now) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::optional<Lock> lock =
        Lock::try_take(path_, look_only_ ? Lock::For::reading : Lock::For::writing);
    if (!lock || see(*lock, now)) return lock;
  }
  return std::nullopt;
}

/// False where a new file has taken the place of the one that is locked.
bool TargetFile::see(const Lock& lock, Moment now) {
  if (bytes_ && stamp_of(lock.file()) == stamp_) return true;
  bool good = index(lock.file(), now);
  if (const auto torn = torn_at(lock.file()); torn && !look_only_) {
    cut(lock.file(), *torn, path_);
    good = index(lock.file(), now);
  }
  if (!good) {
    throw Error(ErrorKind::local, "the file does not begin as an mbox does, with `From `",
                printable(path_));
  }
  std::vector<bool> stays;
  for (const Entry& entry : entries_) stays.push_back(!is_half(entry));
  number(lock.file());
  // Without X-IMAPbase no UID would last.
  const bool lasts = entries_.empty() || (based_ && !mend_);
  if (look_only_) return true;
  if (lasts && std::ranges::find(stays, false) == stays.end()) return true;
  write_anew(stays, !lasts, now);
  return false;
}

/// A message that a killed process of ours did not write to its end, and whose UID was never given
/// out. What others have edited has it all, or has no base before it.
bool TargetFile::is_half(const Entry& entry) const {
  const std::optional<Envelope::Base>& base = entries_.front().base;
  return base && entry.ours && entry.form == Form::foreign && entry.uid &&
         *entry.uid > base->last && entry.own_bytes < entry.claimed_bytes;
}

bool TargetFile::index(const files::File& file, Moment now) {
  bytes_ = std::make_shared<FileBytes>(files::open_file(path_, O_RDONLY), path_);
  stamp_ = stamp_of(file);
  entries_.clear();
  IndexOptions options;
  options.now_seconds = now / 1'000'000'000;
  options.digests = false;
  return index_mbox(*bytes_, options, [this](Entry entry, std::string_view) {
    entries_.push_back(std::move(entry));
  });
}

/// Where a message begins that a killed process of ours did not write to its end.
std::optional<std::uint64_t> TargetFile::torn_at(const files::File& file) const {
  // Torn within its `From ` line: that has no end yet.
  const std::uint64_t size = stamp_.bytes;
  constexpr std::uint64_t kEnd = 128;
  const std::uint64_t from = size > kEnd ? size - kEnd : 0;
  const std::string tail = files::read_at(file, from, kEnd, path_);
  const std::size_t line = tail.rfind('\n') + 1;  // 0 where there is none
  const std::string_view rest = std::string_view(tail).substr(line);
  const bool after_blank = (line == 0 && from == 0) || (line >= 2 && tail[line - 2] == '\n');
  const bool begun = rest.starts_with(kOurFrom) || kOurFrom.starts_with(rest);
  const bool follows_ours = !entries_.empty() && entries_.back().ours;
  const bool alone = line == 0 && from == 0;  // then it is no other mail that is cut
  const bool known = follows_ours || alone || rest.size() > kFrom.size();
  if (!rest.empty() && after_blank && begun && known) {
    return from + line;
  }
  // Torn further on.
  if (!follows_ours) return std::nullopt;
  const Entry& last = entries_.back();
  constexpr std::uint64_t kLeastHead = 80;
  if (last.form != Form::foreign) return std::nullopt;  // whole
  const bool torn = last.end - last.content < kLeastHead || is_half(last);
  return torn ? std::optional(last.offset) : std::nullopt;
}

void TargetFile::number(const files::File& file) {
  dirty_.assign(entries_.size(), false);
  std::optional<Envelope::Base> base = entries_.empty() ? std::nullopt : entries_.front().base;
  // Any mail may arrive with such fields: what nobody here can have given is none.
  if (base && base->last >= kSpent) base.reset();
  const std::uint64_t highest = std::uint64_t{base ? base->last : 0} + entries_.size();
  based_ = base.has_value();
  mend_ = false;
  const auto born = static_cast<std::uint32_t>(files::status_of(file, path_).st_mtim.tv_sec);
  validity_ = base ? base->validity : std::max(born, 1u);
  std::uint32_t last = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (entry.uid && *entry.uid > highest) {
      entry.uid.reset();
      mend_ = true;
    }
    // Mail that others added, or moved here with the UID it had elsewhere, follows the one before.
    dirty_[i] = !entry.uid || *entry.uid <= last;
    if (dirty_[i]) entry.uid = last + 1;
    last = *entry.uid;
  }
  next_ = std::max(last, base ? base->last : 0) + 1;
  keywords_ = base ? base->keywords : std::vector<std::string>();
  const std::size_t listed = keywords_.size();
  for (const Entry& entry : entries_) learn_keywords(entry.flags);
  if (keywords_.size() > listed) dirty_.front() = true;
}

FolderNumbers TargetFile::numbers() const {
  FolderNumbers numbers;
  numbers.uid_validity = validity_;
  numbers.uid_next = next_;
  numbers.messages = entries_.size();
  return numbers;
}

std::optional<std::size_t> TargetFile::find(Uid uid) const {
  const auto at = std::ranges::lower_bound(entries_, uid.value, {},
                                           [](const Entry& entry) { return *entry.uid; });
  if (at == entries_.end() || *at->uid != uid.value) return std::nullopt;
  return static_cast<std::size_t>(at - entries_.begin());
}

// Changing

/// What must stand before a message at the end of the file.
std::string TargetFile::separator(const files::File& file) const {
  if (stamp_.bytes == 0) return {};
  const std::uint64_t from = stamp_.bytes > 4 ? stamp_.bytes - 4 : 0;
  const std::string tail = files::read_at(file, from, 4, path_);
  if (tail.ends_with("\n\n") || tail.ends_with("\n\r\n")) return {};
  return tail.ends_with('\n') ? "\n" : "\n\n";
}

std::optional<std::vector<Uid>> TargetFile::append(const std::vector<Incoming>& batch, Moment now) {
  std::vector<Uid> uids;
  if (batch.empty()) return uids;
  const std::optional<Lock> lock = lock_and_see(now);
  if (!lock) return std::nullopt;
  const files::File& file = lock->file();
  const std::uint64_t before = stamp_.bytes;
  std::vector<Entry> added;
  bool new_keywords = !entries_.empty() && dirty_.front();
  for (const Incoming& message : batch) {
    const bool any = learn_keywords(message.flags);
    new_keywords = new_keywords || any;
  }
  std::uint64_t at = before;
  std::string out = separator(file);
  const auto flush = [&] {
    write_at(file, out, at, path_);
    at += out.size();
    out.clear();
  };
  const std::uint32_t last = next_ - 1 + static_cast<std::uint32_t>(batch.size());
  try {
    for (const Incoming& message : batch) {
      Entry& entry = added.emplace_back();
      entry.offset = at + out.size();
      out += format_from_line(message.form, message.size_bytes,
                              {message.date.seconds, message.date.zone_minutes});
      entry.content = at + out.size();
      Head head;
      head.uid = next_ + static_cast<std::uint32_t>(added.size()) - 1;
      head.flags = message.flags;
      // It says that nothing is there yet, until all is.
      if (entries_.empty() && added.size() == 1) {
        head.base = Envelope::Base{validity_, next_ - 1, keywords_};
        new_keywords = false;
      }
      out += format_head(head);
      Encoder encoder(message.form);
      if (message.spooled.open()) {
        for (std::uint64_t read = 0; read < message.size_bytes;) {
          const std::string piece = files::read_at(message.spooled, read, kPiece, path_);
          if (piece.empty()) break;
          read += piece.size();
          encoder.feed(piece, out);
          flush();
        }
      } else {
        encoder.feed(message.bytes, out);
      }
      encoder.finish(out);
      entry.end = at + out.size();
      entry.form = message.form;
      entry.ours = true;
      entry.size_bytes = entry.claimed_bytes = message.size_bytes;
      entry.date = message.date;
      entry.flags = message.flags;
      entry.uid = head.uid;
      entry.base = head.base;
      uids.push_back(Uid{head.uid});
      if (out.size() > kPiece) flush();
    }
    flush();
    if (::fdatasync(file.descriptor()) != 0) {
      files::fail("cannot write the file to the disk", path_, errno);
    }
  } catch (const Error&) {
    cut(file, before, path_);
    stamp_ = {};
    throw;
  }
  for (Entry& entry : added) entries_.push_back(std::move(entry));
  dirty_.resize(entries_.size(), false);
  based_ = true;
  next_ = last + 1;
  note_last_uid(file, last, now);
  if (new_keywords) note_keywords(file, now);
  return uids;
}

/// True where one is new.
bool TargetFile::learn_keywords(const Flags& flags) {
  if (flags.keywords.empty()) return false;
  Flags known;
  std::size_t bytes = 0;
  for (const std::string& word : keywords_) {
    known.add_keyword(word);
    bytes += word.size() + 1;
  }
  bool any = false;
  for (std::string& word : flags.minus(known).keywords) {
    bytes += word.size() + 1;
    // So many can be read back; what is beyond is kept at its message only.
    if (keywords_.size() >= mail::kMaxKeywords || bytes > kMostListed) break;
    keywords_.push_back(std::move(word));
    any = true;
  }
  return any;
}

/// The list in the first message has them all.
void TargetFile::note_keywords(const files::File& file, Moment now) {
  dirty_.front() = !change_in_place(file, 0);
  if (dirty_.front()) {
    write_anew(std::vector<bool>(entries_.size(), true), false, now);
    return;
  }
  files::sync(file, path_);
  stamp_ = stamp_of(file);
}

void TargetFile::note_last_uid(const files::File& file, std::uint32_t last, Moment now) {
  const Entry& first = entries_.front();
  const auto most = std::min<std::uint64_t>(kMostHeader, first.end - first.content);
  const std::string header =
      files::read_at(file, first.content, static_cast<std::size_t>(most), path_);
  const std::optional<std::size_t> base = find_base(header);
  const std::string digits = format_base({validity_, last}).substr(23, 10);
  const std::size_t space = base ? header.find(' ', *base) : std::string::npos;
  const std::size_t end =
      space == std::string::npos ? space : header.find_first_not_of("0123456789", space + 1);
  if (space == std::string::npos || end != space + 11) {
    // No room for it.
    write_anew(std::vector<bool>(entries_.size(), true), true, now);
    return;
  }
  write_at(file, digits, first.content + space + 1, path_);
  entries_.front().base = Envelope::Base{validity_, last};
  stamp_ = stamp_of(file);
}

/// The caller holds the lock. What stays has its UID and flags; the first has UIDVALIDITY.
void TargetFile::write_anew(const std::vector<bool>& stays, bool all_heads, Moment now) {
  bool first = true;
  rewrite(path_, *bytes_, entries_, [&](std::size_t i) {
    Fate fate;
    fate.stays = stays[i];
    if (fate.stays && (first || all_heads || dirty_[i])) {
      fate.head.emplace();
      fate.head->uid = *entries_[i].uid;
      fate.head->flags = entries_[i].flags;
      if (first) fate.head->base = Envelope::Base{validity_, next_ - 1, keywords_};
    }
    first = first && !fate.stays;
    return fate;
  });
  const files::File file = files::open_file(path_, O_RDWR);
  if (first) {
    // Empty now: its next UIDVALIDITY is that of its time, and must be another.
    const std::int64_t born = std::max<std::int64_t>(now / 1'000'000'000, validity_ + 1);
    const timespec times[2] = {{born, 0}, {born, 0}};
    if (::futimens(file.descriptor(), times) != 0) {
      files::fail("cannot set the time of the file", path_, errno);
    }
  }
  index(file, now);
  number(file);
}

bool TargetFile::change_in_place(const files::File& file, std::size_t index) {
  const Entry& entry = entries_[index];
  if (entry.form == Form::foreign) return false;
  const Envelope envelope = own_envelope(*bytes_, entry);
  Head head;
  head.base = envelope.base();
  if (head.base) head.base->keywords = keywords_;
  head.uid = *entry.uid;
  head.flags = entry.flags;
  const std::optional<std::string> text = format_head(head, envelope.bytes);
  if (text) write_at(file, *text, entry.content, path_);
  return text.has_value();
}

bool TargetFile::change_flags(const std::vector<Uid>& uids, const Flags& flags, bool add,
                              Moment now) {
  const std::optional<Lock> lock = lock_and_see(now);
  if (!lock) return false;
  bool anew = false;
  for (const Uid uid : uids) {
    const std::optional<std::size_t> index = find(uid);
    if (!index) continue;
    Flags& have = entries_[*index].flags;
    Flags changed = add ? have : have.minus(flags);
    if (add) {
      for (const std::string& name : flags.names()) changed.add(name);
    }
    if (changed == have) continue;
    const bool new_keywords = learn_keywords(changed);
    dirty_.front() = dirty_.front() || new_keywords;
    have = std::move(changed);
    dirty_[*index] = !change_in_place(lock->file(), *index);
    anew = anew || dirty_[*index];
  }
  files::sync(lock->file(), path_);
  stamp_ = stamp_of(lock->file());
  if (anew) {
    write_anew(std::vector<bool>(entries_.size(), true), false, now);
  } else if (!dirty_.empty() && dirty_.front()) {
    note_keywords(lock->file(), now);
  }
  return true;
}

bool TargetFile::remove(const std::vector<Uid>& uids, Moment now) {
  const std::optional<Lock> lock = lock_and_see(now);
  if (!lock) return false;
  std::vector<bool> stays(entries_.size(), true);
  bool any = false;
  for (const Uid uid : uids) {
    const std::optional<std::size_t> index = find(uid);
    if (!index) continue;
    stays[*index] = false;
    any = true;
  }
  if (any) write_anew(stays, false, now);
  return true;
}

}  // namespace postferry::mbox
