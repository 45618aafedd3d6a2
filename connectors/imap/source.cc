// The Source port on one IMAP session each.
#include "connectors/imap/source.h"

#include <utility>

#include "connectors/imap/account.h"
#include "connectors/imap/fetcher.h"
#include "connectors/imap/folders.h"
#include "connectors/imap/glance.h"
#include "connectors/imap/login.h"
#include "connectors/imap/remover.h"
#include "connectors/imap/scan.h"
#include "connectors/imap/selected.h"

namespace postferry::imap {
namespace {

class ImapSourceSession final : public SourceSession {
 public:
  ImapSourceSession(Account& account, std::shared_ptr<Line> line, std::unique_ptr<Lister> listing)
      : account_(account), party_(std::move(line), Access::read), listing_(std::move(listing)) {}

  Task<std::vector<FolderInfo>> list() override { return list_all(); }

  Task<FolderNumbers> select(const FolderName& folder) override { return open(folder); }

  Task<Opened> open_with_catalogue(FolderName folder) override {
    return open_all(std::move(folder));
  }

  Task<Opened> open_with_changes(FolderName folder, Since since) override {
    return open_changes(std::move(folder), std::move(since));
  }

  Task<void> glance(std::vector<FolderName> folders,
                    std::function<Task<void>(FolderName, Opened)> take) override {
    std::vector<std::pair<FolderName, std::string>> asked;
    asked.reserve(folders.size());
    for (FolderName& folder : folders) {
      std::string wire = account_.names.wire(folder);
      if (!elsewhere(folder)) asked.emplace_back(std::move(folder), std::move(wire));
    }
    return glance_at(party_, std::move(asked), std::move(take));
  }

  Task<Catalogue> catalogue() override { return read(); }

  Task<std::vector<UidRange>> uids() override { return read_uids(); }

  Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys) override {
    return read_fields(std::move(keys));
  }

  Task<void> fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) override {
    return fetch_messages(party_, std::move(wanted), sink);
  }

  Task<Removal> remove(std::vector<MessageKey> keys) override {
    return remove_from(std::move(keys));
  }

  std::unique_ptr<SourceSession> fork() override {
    return std::make_unique<ImapSourceSession>(account_, party_.line(), nullptr);
  }

  bool lost() const override { return party_.line()->lost(); }

  std::string software() const override { return party_.session().quirks.software; }

  std::vector<std::string> offers() const override { return party_.session().capabilities.names(); }

  Task<void> logout() override { return say_goodbye(); }

 private:
  /// What a catalogue of this folder leaves out.
  const Labels* elsewhere(const FolderName& folder) const {
    return folder == account_.rest_folder ? &account_.carried : nullptr;
  }

  Task<Removal> remove_from(std::vector<MessageKey> keys) {
    Selected folder = party_.folder();
    const auto work = [&]() {
      party_.line()->open_for = nullptr;  // it is opened anew, to write
      return remove_messages(party_.session(), folder, std::move(keys));
    };
    co_return co_await party_.alone_on_line(work);
  }

  // Who leaves the line last says goodbye for all.
  Task<void> say_goodbye() {
    if (!party_.alone()) co_return;
    if (party_.line()->lost()) {
      // In the middle of something: what is said now would be taken for a part of it.
      co_await party_.session().close();
    } else {
      co_await log_out(party_.session());
    }
  }

  Task<std::vector<FolderInfo>> list_all() {
    const auto ask = [this]() {
      return list_from(party_.session(), listing_, account_.names, Numbers::with_modseq);
    };
    co_return co_await party_.alone_on_line(ask);
  }

  Task<FolderNumbers> open(FolderName folder) {
    if (listing_) co_await list_all();
    std::string wire = account_.names.wire(folder);
    co_await party_.open(std::move(folder), std::move(wire));
    co_return party_.folder().numbers;
  }

  Task<Opened> open_all(FolderName folder) {
    if (listing_) co_await list_all();
    std::string wire = account_.names.wire(folder);
    Opened opened;
    const Labels* shown = elsewhere(folder);
    opened.catalogue = co_await open_and_read(party_, std::move(folder), std::move(wire), shown);
    opened.numbers = party_.folder().numbers;
    co_return opened;
  }

  Task<Opened> open_changes(FolderName folder, Since since) {
    // Labels change without a message's doing.
    if (elsewhere(folder)) co_return co_await open_all(std::move(folder));
    if (listing_) co_await list_all();
    std::string wire = account_.names.wire(folder);
    co_return co_await open_and_read_changes(party_, std::move(folder), std::move(wire), since);
  }

  Task<std::vector<UidRange>> read_uids() { co_return co_await list_uids(party_); }

  Task<Catalogue> read() {
    const auto all = [this]() {
      return read_catalogue(party_.session(), began_with(party_.session()),
                            elsewhere(party_.folder().name));
    };
    co_return co_await party_.in_folder(all);
  }

  Task<std::vector<HeaderEntry>> read_fields(std::vector<MessageKey> keys) {
    std::vector<Uid> uids;
    uids.reserve(keys.size());
    for (const MessageKey& key : keys) uids.push_back(key.uid());
    const auto ask = [&]() { return read_headers(party_.session(), std::move(uids)); };
    co_return co_await party_.in_folder(ask);
  }

  Account& account_;
  Party party_;
  std::unique_ptr<Lister> listing_;  // asked for at the login, not answered yet
};

class ImapSource final : public Source {
 public:
  ImapSource(const ConnectorContext& context, EndSetup setup)
      : account_{context, std::move(setup), {}, {}, {}, {}, {}, {}} {
    account_.where = "source " + describe();
  }

  Task<std::unique_ptr<SourceSession>> connect() override {
    LoggedIn in = co_await log_in(account_, Numbers::with_modseq);
    co_return std::make_unique<ImapSourceSession>(
        account_, std::make_shared<Line>(std::move(in.session)), std::move(in.listing));
  }

  void carried(const std::vector<FolderInfo>& folders) override {
    account_.carried = labels_of(folders, account_.names);
    for (const FolderInfo& folder : folders)
      if (folder.holds_rest) account_.rest_folder = folder.name;
  }

  int max_sessions() const override { return account_.setup.sessions(); }

  std::string describe() const override { return account_.setup.endpoint.to_string(); }

 private:
  Account account_;
};

}  // namespace

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup) {
  return std::make_unique<ImapSource>(context, std::move(setup));
}

}  // namespace postferry::imap
