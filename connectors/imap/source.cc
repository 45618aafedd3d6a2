// The Source port on one IMAP session each.
#include "connectors/imap/source.h"

#include <utility>

#include "connectors/imap/account.h"
#include "connectors/imap/fetcher.h"
#include "connectors/imap/folders.h"
#include "connectors/imap/login.h"
#include "connectors/imap/remover.h"
#include "connectors/imap/scan.h"
#include "connectors/imap/selected.h"

namespace postferry::imap {
namespace {

class ImapSourceSession final : public SourceSession {
 public:
  ImapSourceSession(Account& account, LoggedIn in)
      : account_(account), session_(std::move(in.session)), listing_(std::move(in.listing)) {}

  Task<std::vector<FolderInfo>> list() override { return list_all(); }

  Task<FolderNumbers> select(const FolderName& folder) override { return open(folder); }

  Task<Catalogue> catalogue() override {
    const bool rest = selected_.name == account_.rest_folder;
    return read_catalogue(*session_, selected_, rest ? &account_.carried : nullptr);
  }

  Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys) override {
    std::vector<Uid> uids;
    uids.reserve(keys.size());
    for (const MessageKey& key : keys) uids.push_back(key.uid());
    return read_headers(*session_, std::move(uids));
  }

  Task<void> fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) override {
    return fetch_messages(*session_, std::move(wanted), sink);
  }

  Task<Removal> remove(std::vector<MessageKey> keys) override {
    return remove_messages(*session_, selected_, std::move(keys));
  }

  Task<void> logout() override { return log_out(*session_); }

 private:
  Task<std::vector<FolderInfo>> list_all() {
    if (!listing_) co_return co_await list_folders(*session_, account_.names, Numbers::with_modseq);
    const std::unique_ptr<Lister> listing = std::move(listing_);
    co_return co_await listing->answer(account_.names);
  }

  Task<FolderNumbers> open(FolderName folder) {
    if (listing_) co_await list_all();
    std::string wire = account_.names.wire(folder);
    selected_ = co_await open_folder(*session_, std::move(folder), std::move(wire), Access::read);
    co_return selected_.numbers;
  }

  Account& account_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Lister> listing_;  // asked for at the login, not answered yet
  Selected selected_;
};

class ImapSource final : public Source {
 public:
  ImapSource(const ConnectorContext& context, EndSetup setup)
      : account_{context, std::move(setup), {}, {}, {}, {}, {}, {}} {
    account_.where = "source " + describe();
  }

  Task<std::unique_ptr<SourceSession>> connect() override {
    LoggedIn in = co_await log_in(account_, Numbers::with_modseq);
    co_return std::make_unique<ImapSourceSession>(account_, std::move(in));
  }

  void carried(const std::vector<FolderInfo>& folders) override {
    account_.carried = labels_of(folders, account_.names);
    for (const FolderInfo& folder : folders)
      if (folder.holds_rest) account_.rest_folder = folder.name;
  }

  int max_sessions() const override {
    const int asked = account_.setup.endpoint.sessions;
    return asked > 0 ? asked : account_.setup.default_sessions;
  }

  std::string describe() const override { return account_.setup.endpoint.to_string(); }

 private:
  Account account_;
};

}  // namespace

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup) {
  return std::make_unique<ImapSource>(context, std::move(setup));
}

}  // namespace postferry::imap
