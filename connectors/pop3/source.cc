#include "connectors/pop3/source.h"

#include <fmt/format.h>

#include <utility>

#include "connectors/header_fields.h"
#include "connectors/pop3/fetcher.h"
#include "connectors/pop3/header_reader.h"
#include "connectors/pop3/listing.h"
#include "connectors/pop3/login.h"
#include "connectors/pop3/remover.h"

namespace postferry::pop3 {
namespace {

class Pop3SourceSession final : public SourceSession {
 public:
  Pop3SourceSession(std::unique_ptr<Session> session, Account& account)
      : session_(std::move(session)), account_(account) {}
  /// The next session knows what this one has learned.
  ~Pop3SourceSession() override {
    account_.without_top = account_.without_top || session_->top_never_ends;
  }

  Task<std::vector<FolderInfo>> list() override {
    FolderInfo inbox;
    inbox.name = FolderName::parse("INBOX");
    inbox.role = Role::inbox;
    inbox.subscribed = true;
    inbox.numbers = co_await numbers();
    std::vector<FolderInfo> folders;
    folders.push_back(std::move(inbox));
    co_return folders;
  }

  Task<FolderNumbers> select(const FolderName& folder) override {
    const bool there = folder.is_inbox();
    if (!there) throw session_->error(ErrorKind::rejected, "POP3 has no folder but INBOX");
    co_return co_await numbers();
  }

  bool windowed() const override { return session_->windowed; }
  bool shows_all() const override { return session_->shows_all; }

  Task<Catalogue> catalogue() override {
    maildrop_ = co_await list_maildrop(*session_);
    listed_ = true;
    Catalogue catalogue;
    catalogue.reserve(maildrop_.size());
    for (std::size_t i = 0; i < maildrop_.size(); ++i) {
      catalogue.add(MessageKey(std::string(maildrop_.key(i))), maildrop_[i].size_bytes,
                    std::nullopt, Flags{});
    }
    co_return catalogue;
  }

  Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys) override {
    co_await need_listing();
    std::vector<Maildrop::Entry> entries;
    std::vector<MessageKey> found_keys;
    for (MessageKey& key : keys) {
      const auto found = maildrop_.find(key.uidl());
      if (!found) continue;
      entries.push_back(*found);
      found_keys.push_back(std::move(key));
    }
    std::vector<HeaderEntry> headers;
    co_await read_headers(*session_, std::move(entries),
                          [&](std::size_t i, const mail::HeaderScan& scan) {
                            headers.push_back({found_keys[i], header_fields(scan)});
                          });
    co_return headers;
  }

  Task<void> fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) override {
    co_await need_listing();
    co_await fetch_messages(*session_, maildrop_, *account_.context.spool, std::move(wanted), sink);
  }

  Task<Removal> remove(std::vector<MessageKey> keys) override {
    co_await need_listing();
    over_ = true;
    co_return co_await remove_messages(*session_, maildrop_, std::move(keys));
  }

  std::vector<std::string> offers() const override { return session_->capabilities.lines; }

  Task<void> logout() override {
    if (over_) {
      co_await session_->close();
    } else {
      co_await log_out(*session_);
    }
  }

 private:
  /// What STAT tells; nothing, where it is refused.
  Task<FolderNumbers> numbers() {
    if (!session_->stat) session_->stat = co_await session_->ask(stat());
    FolderNumbers numbers;
    if (!session_->stat->ok()) co_return numbers;
    if (const auto told = parse_stat(*session_->stat)) {
      numbers.messages = told->messages;
      numbers.size_bytes = told->size_bytes;
    }
    co_return numbers;
  }

  Task<void> need_listing() {
    if (listed_) co_return;
    maildrop_ = co_await list_maildrop(*session_);
    listed_ = true;
  }

  std::unique_ptr<Session> session_;
  Account& account_;
  Maildrop maildrop_;
  bool listed_ = false;
  bool over_ = false;  // QUIT has been said
};

class Pop3Source final : public Source {
 public:
  Pop3Source(const ConnectorContext& context, EndSetup setup)
      : account_{context, std::move(setup), {}} {
    account_.where = "source " + describe();
  }

  Task<std::unique_ptr<SourceSession>> connect() override {
    std::unique_ptr<Session> session = co_await log_in(account_);
    co_return std::make_unique<Pop3SourceSession>(std::move(session), account_);
  }
  int max_sessions() const override { return 1; }
  std::string describe() const override { return account_.setup.endpoint.to_string(); }

 private:
  Account account_;
};

}  // namespace

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup) {
  return std::make_unique<Pop3Source>(context, std::move(setup));
}

}  // namespace postferry::pop3
