#include "connectors/files/archive.h"

#include <fmt/format.h>

#include <unordered_map>
#include <utility>

#include "engine/error.h"

namespace postferry::files {
namespace {

std::string hex(const Sha256& digest) {
  std::string out;
  for (const unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

/// Gives the bytes that the digest is of, or throws Error{transient} before the last of them: no
/// lock is held while a message is read.
class CheckedReader final : public MessageReader {
 public:
  CheckedReader(std::unique_ptr<MessageReader> inner, const Sha256& expected)
      : inner_(std::move(inner)), expected_(expected) {}

  std::uint64_t size_bytes() const override { return inner_->size_bytes(); }
  std::string next(std::size_t limit) override {
    std::string piece = inner_->next(limit);
    if (judged_ && piece.empty()) return piece;
    given_ += piece.size();
    digest_.update(piece);
    const bool ends = piece.empty() || given_ >= size_bytes();
    if (judged_ || (ends && (given_ != size_bytes() || digest_.finish() != expected_)))
      throw Error(ErrorKind::transient, "a message changed while it was read");
    judged_ = ends;
    return piece;
  }

 private:
  std::unique_ptr<MessageReader> inner_;
  Sha256 expected_;
  Digest digest_;
  std::uint64_t given_ = 0;
  bool judged_ = false;
};

class ArchiveSession final : public SourceSession {
 public:
  ArchiveSession(Blocking& blocking, std::unique_ptr<Archive> archive)
      : blocking_(blocking), archive_(std::move(archive)) {}

  Task<std::vector<FolderInfo>> list() override {
    const Moment now = co_await moment();
    co_return co_await blocking_.run([this, now] { return archive_->list(now); });
  }
  Task<FolderNumbers> select(const FolderName& folder) override { return open(folder); }
  Task<Catalogue> catalogue() override {
    co_await look();
    co_return catalogue_now();
  }
  Task<Opened> open_with_catalogue(FolderName folder) override {
    Opened opened;
    opened.numbers = co_await open(std::move(folder));
    opened.catalogue = catalogue_now();
    co_return opened;
  }
  Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys) override {
    co_return co_await blocking_.run([this, &keys] { return read_headers(keys, opener()); });
  }
  Task<void> fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) override {
    std::vector<MessageKey> keys;
    for (const Catalogue::Entry& entry : wanted) keys.push_back(entry.key);
    return deliver(blocking_, std::move(keys), opener(), sink, folder_.to_string());
  }
  Task<Removal> remove(std::vector<MessageKey> keys) override {
    Removal removal;
    now_ = co_await moment();
    co_await patiently(
        blocking_,
        [this, &keys] {
          if (!look_once()) return false;
          std::vector<std::size_t> places;
          for (const MessageKey& key : keys) {
            if (const auto at = places_.find(key.uidl()); at != places_.end()) {
              places.push_back(at->second);
            }
          }
          return archive_->remove(places, now_);
        },
        folder_.to_string());
    removal.keys = std::move(keys);
    co_return removal;
  }
  Task<void> logout() override { co_return; }

 private:
  Task<FolderNumbers> open(FolderName folder) {
    folder_ = std::move(folder);
    co_await look();
    FolderNumbers numbers;
    numbers.messages = filed_.size();
    numbers.highest_modseq = state_;
    co_return numbers;
  }

  Task<void> look() {
    now_ = co_await moment();
    co_await patiently(
        blocking_, [this] { return look_once(); }, folder_.to_string());
  }

  /// Off the loop.
  bool look_once() {
    std::optional<Look> found = archive_->open(folder_, now_);
    if (!found) return false;
    filed_ = std::move(found->messages);
    state_ = found->state;
    places_.clear();
    names_.clear();
    std::unordered_map<std::string, int> equal;
    for (std::size_t i = 0; i < filed_.size(); ++i) {
      std::string name = hex(filed_[i].digest);
      const int before = equal[name]++;
      if (before > 0) name += fmt::format(".{}", before + 1);
      places_.emplace(name, i);
      names_.push_back(std::move(name));
    }
    return true;
  }

  Catalogue catalogue_now() const {
    Catalogue catalogue;
    catalogue.reserve(filed_.size());
    catalogue.tells_flags = true;
    for (std::size_t i = 0; i < filed_.size(); ++i) {
      catalogue.add(MessageKey(names_[i]), filed_[i].size_bytes, filed_[i].date, filed_[i].flags);
    }
    return catalogue;
  }

  OpenByKey opener() {
    return [this](const MessageKey& key) -> std::optional<OpenMessage> {
      for (const bool again : {false, true}) {
        if (again && !look_once())
          throw Error(ErrorKind::transient, "another program holds the folder's lock",
                      folder_.to_string());
        const auto at = places_.find(key.uidl());
        if (at == places_.end()) continue;
        std::unique_ptr<MessageReader> reader = archive_->read(at->second);
        if (!reader) continue;
        const Filed& filed = filed_[at->second];
        return OpenMessage{filed.flags, filed.date,
                           std::make_unique<CheckedReader>(std::move(reader), filed.digest)};
      }
      return std::nullopt;
    };
  }

  Blocking& blocking_;
  std::unique_ptr<Archive> archive_;
  FolderName folder_;
  Moment now_ = 0;
  std::vector<Filed> filed_;
  std::optional<std::uint64_t> state_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> places_;
};

class ArchiveSource final : public Source {
 public:
  ArchiveSource(Blocking& blocking, OpenArchive open, int sessions, std::string description)
      : blocking_(blocking),
        open_(std::move(open)),
        sessions_(sessions),
        description_(std::move(description)) {}

  Task<std::unique_ptr<SourceSession>> connect() override {
    std::unique_ptr<Archive> archive = co_await blocking_.run([this] { return open_(); });
    co_return std::make_unique<ArchiveSession>(blocking_, std::move(archive));
  }
  int max_sessions() const override { return sessions_; }
  std::string describe() const override { return description_; }

 private:
  Blocking& blocking_;
  OpenArchive open_;
  int sessions_;
  std::string description_;
};

}  // namespace

std::optional<std::uint64_t> state_number(const std::vector<std::pair<std::string, Stamp>>& files,
                                          Moment now) {
  Digest digest;
  for (const auto& [name, stamp] : files) {
    if (stamp.latest() >= now - kGrainNs) return std::nullopt;
    digest.update(fmt::format("{} {} {} {} {}\n", name, stamp.inode, stamp.bytes, stamp.modified,
                              stamp.changed));
  }
  const Sha256 sum = digest.finish();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | sum[i];
  return (value >> 1) | 2;  // above 1, and fit for signed columns
}

std::unique_ptr<Source> make_archive_source(Blocking& blocking, OpenArchive open, int sessions,
                                            std::string description) {
  return std::make_unique<ArchiveSource>(blocking, std::move(open), sessions,
                                         std::move(description));
}

}  // namespace postferry::files
