// The Source port on a Maildir.
#include "connectors/maildir/source.h"

#include <utility>

#include "connectors/maildir/box.h"
#include "connectors/maildir/message_file.h"
#include "engine/error.h"

namespace postferry::maildir {
namespace {

Catalogue read_catalogue(const Folder& folder) {
  Catalogue catalogue;
  catalogue.reserve(folder.size());
  for (std::size_t i = 0; i < folder.size(); ++i) {
    // One that is gone, or was renamed since, is as large as its name says, and fetch will tell.
    const std::optional<struct stat> status = files::status_of(folder.path(i));
    const FileName name = parse_file_name(folder.name(i));
    std::optional<InternalDate> date;
    if (status) date = date_of(*status, name);
    catalogue.add(MessageKey(folder.uid(i)),
                  status ? likely_size(*status, name) : name.wire_bytes.value_or(0), date,
                  folder.flags(i));
  }
  return catalogue;
}

class MaildirSourceSession final : public SourceSession {
 public:
  MaildirSourceSession(Blocking& blocking, std::string path, Layout layout, Access access)
      : box_(blocking, std::move(path), layout, access) {}

  Box& box() { return box_; }

  Task<std::vector<FolderInfo>> list() override { return box_.list(); }
  Task<FolderNumbers> select(const FolderName& folder) override { return box_.select(folder); }
  Task<Catalogue> catalogue() override {
    co_await box_.refresh();
    co_return co_await box_.run([this] { return read_catalogue(box_.folder()); });
  }
  Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys) override {
    std::vector<Uid> uids;
    for (const MessageKey& key : keys) uids.push_back(key.uid());
    return box_.headers(std::move(uids));
  }
  Task<void> fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) override {
    std::vector<Uid> uids;
    for (const Catalogue::Entry& entry : wanted) uids.push_back(entry.key.uid());
    return box_.fetch(std::move(uids), sink);
  }
  Task<Removal> remove(std::vector<MessageKey> keys) override {
    const Moment now = co_await moment();
    Removal removal;
    std::vector<Uid> uids;
    for (const MessageKey& key : keys) uids.push_back(key.uid());
    co_await box_.patiently([this, now, &uids] { return box_.folder().remove(uids, now); });
    removal.keys = std::move(keys);
    co_return removal;
  }
  Task<void> logout() override { co_return; }

 private:
  Box box_;
};

class MaildirSource final : public Source {
 public:
  MaildirSource(const ConnectorContext& context, EndSetup setup)
      : blocking_(*context.blocking), setup_(std::move(setup)) {}

  Task<std::unique_ptr<SourceSession>> connect() override {
    const Endpoint& end = setup_.endpoint;
    auto session = std::make_unique<MaildirSourceSession>(
        blocking_, end.path, layout_of(end), setup_.look_only ? Access::look : Access::source);
    Box& box = session->box();
    const bool there = co_await box.run([&box] { return box.root().exists(); });
    if (!there) {
      throw Error(ErrorKind::usage, "there is no Maildir: no directory `cur`, and no folders",
                  "source " + describe());
    }
    co_return session;
  }
  int max_sessions() const override { return setup_.sessions(); }
  std::string describe() const override { return setup_.endpoint.to_string(); }

 private:
  Blocking& blocking_;
  EndSetup setup_;
};

}  // namespace

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup) {
  return std::make_unique<MaildirSource>(context, std::move(setup));
}

}  // namespace postferry::maildir
