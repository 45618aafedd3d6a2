// A Source as the engine uses it, a letter for each call, with every promise of the port that can
// be checked without knowing what the server holds:
//   0-9 the folder for what follows    l list            g glance
//   s select and catalogue             o open            c open for what changed
//   u uids      h headers     f fetch  r remove          F fork, and both at once
//   q log out and in again
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/source.h"
#include "tests/fuzz/checked_sink.h"

namespace postferry::fuzz {

inline void check_ascending(const std::vector<UidRange>& ranges) {
  Uid last{};
  for (const UidRange& range : ranges) {
    require(range.first > last && range.last >= range.first);
    last = range.last;
  }
}

class SourceCalls {
 public:
  explicit SourceCalls(Source& source) : source_(source) {}

  Task<void> run(std::string_view calls) {
    session_ = co_await source_.connect();
    for (const char call : calls) {
      bool dead = false;
      try {
        co_await make(call);
      } catch (const Error& error) {
        dead = error.kind() != ErrorKind::rejected;
      }
      if (over_) co_await session_->logout();
      if (dead || over_) co_await connect_anew();
    }
    co_await session_->logout();
  }

 private:
  Task<void> connect_anew() {
    over_ = open_ = false;
    catalogue_ = {};
    session_.reset();
    session_ = co_await source_.connect();
  }

  FolderName folder() const {
    return folders_.empty() ? FolderName({"INBOX"}) : folders_[chosen_ % folders_.size()];
  }

  Task<void> make(char call) {
    if (call >= '0' && call <= '9') {
      chosen_ = static_cast<std::size_t>(call - '0');
      co_return;
    }
    if (call == 'l') co_return co_await list();
    if (call == 's') co_return co_await select();
    if (call == 'o') co_return keep(co_await session_->open_with_catalogue(folder()));
    if (call == 'c') co_return keep(co_await session_->open_with_changes(folder(), since()));
    if (call == 'g') co_return co_await glance();
    if (call == 'F') co_return co_await fork();
    if (call == 'q') over_ = true;
    if (!open_) co_return;  // the rest is asked of an open folder alone
    if (call == 'u') check_ascending(co_await session_->uids());
    if (call == 'h') co_await headers();
    if (call == 'f') co_await fetch();
    if (call == 'r') co_await remove();
  }

  Task<void> list() {
    const std::vector<FolderInfo> found = co_await session_->list();
    source_.carried(found);
    folders_.clear();
    for (const FolderInfo& folder : found) {
      require(!folder.name.empty());
      if (folder.selectable) folders_.push_back(folder.name);
    }
  }

  Task<void> select() {
    open_ = false;
    Opened opened;
    opened.numbers = co_await session_->select(folder());
    opened.catalogue = co_await session_->catalogue();
    keep(std::move(opened));
  }

  /// What the journal would know of a former time.
  Since since() const {
    Since since;
    since.numbers = numbers_;
    if (!numbers_.uid_validity) since.numbers.uid_validity = 7;
    if (!numbers_.uid_next) since.numbers.uid_next = 9;
    if (!numbers_.messages) since.numbers.messages = 2;
    if (!numbers_.highest_modseq) since.numbers.highest_modseq = 5;
    since.witnesses = {Uid{1}, Uid{4}};
    since.all_uids = chosen_ % 2 == 1;
    return since;
  }

  void keep(Opened opened) {
    check(opened);
    numbers_ = opened.numbers;
    catalogue_ = std::move(opened.catalogue);
    open_ = true;
  }

  static void check(const Opened& opened) {
    if (opened.uids) check_ascending(*opened.uids);
    const Catalogue& all = opened.catalogue;
    for (std::size_t i = 1; all.by_uid() && i < all.size(); ++i)
      require(all.uid(i - 1) < all.uid(i));
  }

  std::vector<MessageKey> keys() const {
    std::vector<MessageKey> keys;
    for (std::size_t i = 0; i < catalogue_.size(); ++i) keys.push_back(catalogue_.key(i));
    return keys;
  }

  Task<void> glance() {
    open_ = false;
    std::vector<FolderName> folders = folders_;
    if (folders.size() > 4) folders.resize(4);
    co_await session_->glance(std::move(folders), [](FolderName, Opened opened) -> Task<void> {
      check(opened);
      co_return;
    });
  }

  Task<void> headers() {
    std::vector<MessageKey> asked = keys();
    for (const HeaderEntry& entry : co_await session_->headers(asked))
      require(std::ranges::find(asked, entry.key) != asked.end());
  }

  Task<void> fetch() {
    std::vector<Catalogue::Entry> wanted;
    for (std::size_t i = 0; i < catalogue_.size(); ++i) wanted.push_back(catalogue_[i]);
    co_await fetch_checked(keys(), [&](MessageSink& sink) -> Task<void> {
      return session_->fetch(std::move(wanted), sink);
    });
  }

  Task<void> remove() {
    std::vector<MessageKey> asked = keys();
    if (asked.empty()) co_return;
    const Removal removal = co_await session_->remove(asked);
    std::multiset<MessageKey> left(asked.begin(), asked.end());
    for (const MessageKey& key : removal.keys) require(left.erase(key) > 0);
    require(removal.words.find('\x1b') == removal.words.npos);
    over_ = removal.session_over;
  }

  Task<void> fork() {
    open_ = false;
    std::unique_ptr<SourceSession> other = session_->fork();
    if (!other) co_return;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(open_and_read(*session_, folder()));
      group.spawn(open_and_read(*other, FolderName({"INBOX"})));
      co_await group.join();
    });
    co_await other->logout();
  }

  /// A refusal at one of two must not end the other.
  static Task<void> open_and_read(SourceSession& session, FolderName folder) {
    try {
      const Opened opened = co_await session.open_with_catalogue(std::move(folder));
      check(opened);
      std::vector<MessageKey> asked;
      for (std::size_t i = 0; i < opened.catalogue.size(); ++i)
        asked.push_back(opened.catalogue.key(i));
      co_await session.headers(std::move(asked));
      check_ascending(co_await session.uids());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::rejected) throw;
    }
  }

  Source& source_;
  std::unique_ptr<SourceSession> session_;
  std::vector<FolderName> folders_;
  std::size_t chosen_ = 0;
  FolderNumbers numbers_;
  Catalogue catalogue_;
  bool open_ = false;
  bool over_ = false;
};

}  // namespace postferry::fuzz
