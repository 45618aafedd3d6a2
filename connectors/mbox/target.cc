// The Target port on mboxes: a batch is made ready without a lock, then written under it.
#include "connectors/mbox/target.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "connectors/files/deliver.h"
#include "connectors/files/file.h"
#include "connectors/mbox/codec/encoder.h"
#include "connectors/mbox/target_file.h"
#include "connectors/mbox/tree.h"
#include "engine/error.h"

namespace postferry::mbox {
namespace {

TargetTraits mbox_traits() {
  TargetTraits traits;
  traits.uidplus = true;
  // Any character can be in a name: the separator is one that no name has.
  traits.delimiter = '\x1f';
  traits.batch_messages = 500;
  traits.batch_bytes = 8 << 20;
  return traits;
}

/// A file without a name, on the disk of `path`.
files::File unnamed_beside(const std::string& path) {
  std::string name = (std::filesystem::path(path).parent_path() / ".postferry-XXXXXX").string();
  files::File file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.open()) files::fail("cannot make a file", name, errno);
  ::unlink(name.c_str());
  return file;
}

class MboxTargetSession final : public TargetSession {
 public:
  MboxTargetSession(Blocking& blocking, std::string path, bool look_only)
      : blocking_(blocking),
        tree_(std::move(path)),
        traits_(mbox_traits()),
        look_only_(look_only) {}

  const TargetTraits& traits() const override { return traits_; }
  Task<std::vector<FolderInfo>> list() override {
    return blocking_.run([this] { return look_around(); });
  }
  Task<void> create(const FolderName& folder, Role role) override { return make(folder, role); }
  Task<void> subscribe(const FolderName& folder) override {
    return note("subscribed " + folder.to_string(),
                [folder](const Tree::Notes& notes) { return notes.subscribed.contains(folder); });
  }
  Task<FolderNumbers> select(const FolderName& folder) override { return open(folder); }
  Task<Uid> uid_next() override {
    co_await refresh();
    co_return Uid{*file_->numbers().uid_next};
  }
  Task<std::vector<TargetEntry>> look(Uid from) override {
    co_await refresh();
    std::vector<TargetEntry> out;
    for (const Entry& entry : file_->entries()) {
      if (*entry.uid < from.value) continue;
      out.push_back({Uid{*entry.uid}, entry.size_bytes, entry.date, entry.flags});
    }
    co_return out;
  }
  Task<std::vector<HeaderEntry>> headers(std::vector<Uid> uids) override {
    const std::vector<MessageKey> keys(uids.begin(), uids.end());
    co_return co_await blocking_.run([this, &keys] { return files::read_headers(keys, opener()); });
  }
  Task<void> fetch(std::vector<Uid> uids, MessageSink& sink) override {
    return files::deliver(blocking_, std::vector<MessageKey>(uids.begin(), uids.end()), opener(),
                          sink, file_->path());
  }
  Task<void> append(AppendFeed& feed) override {
    while (true) {
      std::optional<Batch> batch = co_await feed.next();
      if (!batch) break;
      std::vector<AppendResult> results = co_await append_batch(*batch);
      co_await feed.done(std::move(*batch), std::move(results));
    }
  }
  std::uint64_t flags_dropped() const override { return 0; }
  Task<void> store(std::vector<Uid> uids, const Flags& flags, bool add) override {
    return change_flags(std::move(uids), flags, add);
  }
  Task<void> expunge(std::vector<Uid> uids) override {
    const Moment now = co_await files::moment();
    co_await patiently([this, now, &uids] { return file_->remove(uids, now); });
  }
  Task<void> logout() override { co_return; }

 private:
  /// `job` uses the file that is open.
  Task<void> patiently(std::function<bool()> job) {
    return files::patiently(blocking_, std::move(job), file_ ? file_->path() : tree_.path());
  }
  Task<void> refresh() {
    const Moment now = co_await files::moment();
    co_await patiently([this, now] { return file_->refresh(now); });
  }

  std::vector<FolderInfo> look_around() const {
    std::map<FolderName, std::string> all = tree_.files();
    all.try_emplace(FolderName::parse("INBOX"));
    std::vector<FolderInfo> out = tree_.describe(all);
    for (FolderInfo& info : out) {
      const std::string& path = all.at(info.name);
      if (!path.empty()) info.numbers = TargetFile::glance(path);
    }
    return out;
  }

  Task<void> note(std::string line, std::function<bool(const Tree::Notes&)> known) {
    co_await patiently(
        [this, &line, &known] { return known(tree_.notes()) || tree_.add_note(line); });
  }

  Task<void> make(FolderName folder, Role role) {
    co_await blocking_.run([this, &folder] {
      if (tree_.find(folder)) return;
      const std::string path = tree_.path_for(folder);
      const std::string directory = std::filesystem::path(path).parent_path().string();
      files::make_directories(directory);
      files::open_file(path, O_WRONLY | O_CREAT);
      files::sync_directory(directory);
    });
    if (role == Role::none || role == Role::inbox) co_return;
    std::string line = std::string("role ") + to_string(role) + " " + folder.to_string();
    co_await note(std::move(line), [&folder, role](const Tree::Notes& notes) {
      const auto at = notes.roles.find(folder);
      return at != notes.roles.end() && at->second == role;
    });
  }

  /// INBOX is always listed: it is made when it is first opened.
  Task<FolderNumbers> open(FolderName folder) {
    file_.reset();
    if (folder.is_inbox() && !look_only_) co_await make(folder, Role::inbox);
    std::optional<std::string> path =
        co_await blocking_.run([this, &folder] { return tree_.find(folder); });
    if (!path && folder.is_inbox()) path = tree_.path_for(folder);
    if (!path) {
      throw Error(ErrorKind::rejected, "there is no such folder", "folder " + folder.to_string());
    }
    file_.emplace(*path, look_only_);
    co_await refresh();
    co_return file_->numbers();
  }

  files::OpenByKey opener() {
    return [this](const MessageKey& key) -> std::optional<files::OpenMessage> {
      const std::optional<std::size_t> index = file_->find(key.uid());
      if (!index) return std::nullopt;
      const Entry& entry = file_->entries()[*index];
      return files::OpenMessage{entry.flags, entry.date, file_->read(*index)};
    };
  }

  Task<void> change_flags(std::vector<Uid> uids, Flags flags, bool add) {
    const Moment now = co_await files::moment();
    co_await patiently(
        [this, now, &uids, &flags, add] { return file_->change_flags(uids, flags, add, now); });
  }

  Task<std::vector<AppendResult>> append_batch(const Batch& batch) {
    const Moment now = co_await files::moment();
    std::vector<Incoming> incoming;
    for (const Message& message : batch.messages) {
      Incoming& one = incoming.emplace_back();
      one.flags = message.flags;
      one.date = message.date.value_or(InternalDate{now / 1'000'000'000, 0});
      one.size_bytes = message.body.size_bytes();
      FormFinder form;
      if (message.body.held()) {
        one.bytes = message.body.bytes();
        form.feed(one.bytes);
      } else {
        one.spooled = co_await blocking_.run([this] { return unnamed_beside(file_->path()); });
        co_await message.body.write_to([this, &one, &form](std::string_view bytes) -> Task<void> {
          form.feed(bytes);
          return blocking_.run(
              [this, &one, bytes] { files::write_all(one.spooled, bytes, file_->path()); });
        });
      }
      one.form = form.form();
    }
    std::optional<std::vector<Uid>> uids;
    co_await patiently([this, &incoming, &uids, now] {
      uids = file_->append(incoming, now);
      return uids.has_value();
    });
    std::vector<AppendResult> results;
    for (const Uid uid : *uids) results.push_back(Stored{uid});
    co_return results;
  }

  Blocking& blocking_;
  Tree tree_;
  TargetTraits traits_;
  bool look_only_;
  std::optional<TargetFile> file_;
};

class MboxTarget final : public Target {
 public:
  MboxTarget(const ConnectorContext& context, EndSetup setup)
      : blocking_(*context.blocking), setup_(std::move(setup)) {}

  Task<std::unique_ptr<TargetSession>> connect() override {
    co_return std::make_unique<MboxTargetSession>(blocking_, setup_.endpoint.path,
                                                  setup_.look_only);
  }
  int max_sessions() const override { return setup_.sessions(); }
  std::string describe() const override { return setup_.endpoint.to_string(); }

 private:
  Blocking& blocking_;
  EndSetup setup_;
};

}  // namespace

std::unique_ptr<Target> make_target(const ConnectorContext& context, EndSetup setup) {
  const Endpoint& end = setup.endpoint;
  if (end.path.ends_with(".zip"))
    throw Error(ErrorKind::usage, "zip archives are read, not written",
                "target " + end.to_string());
  if (!end.labels.empty())
    throw Error(ErrorKind::usage, "labels= is for a source", "target " + end.to_string());
  return std::make_unique<MboxTarget>(context, std::move(setup));
}

}  // namespace postferry::mbox
