// The Target port on one IMAP session each.
#include "connectors/imap/target.h"

#include <algorithm>
#include <utility>

#include "connectors/imap/account.h"
#include "connectors/imap/appender.h"
#include "connectors/imap/codec/lexer.h"
#include "connectors/imap/fetcher.h"
#include "connectors/imap/folders.h"
#include "connectors/imap/login.h"
#include "connectors/imap/look.h"
#include "connectors/imap/scan.h"
#include "connectors/imap/selected.h"
#include "connectors/imap/store.h"

namespace postferry::imap {
namespace {

constexpr std::size_t kMultiappendMessages = 1000;
constexpr std::size_t kPipelinedMessages = 50;
constexpr std::size_t kBatchBytes = 1 << 20;
constexpr std::size_t kMaxQuotas = 100;  // of one folder

const char* special_use(Role role) {
  switch (role) {
    case Role::all:
      return "\\All";
    case Role::archive:
      return "\\Archive";
    case Role::drafts:
      return "\\Drafts";
    case Role::flagged:
      return "\\Flagged";
    case Role::important:
      return "\\Important";
    case Role::junk:
      return "\\Junk";
    case Role::sent:
      return "\\Sent";
    case Role::trash:
      return "\\Trash";
    case Role::none:
    case Role::inbox:
      break;
  }
  return nullptr;
}

TargetTraits traits_of(const Session& session, const FolderNames& names) {
  const Capabilities& offered = session.capabilities;
  TargetTraits traits;
  traits.uidplus = offered.has("UIDPLUS") || offered.has("IMAP4REV2");
  traits.munges_8bit = session.quirks.munges_8bit;
  traits.folds_duplicates = session.quirks.folds_duplicates;
  traits.loses_flagged = session.quirks.append_loses_flagged;
  traits.regenerates = session.quirks.regenerates;
  traits.forbidden_chars = session.quirks.forbidden_chars;
  traits.slash_in_names = session.quirks.slash_in_names;
  traits.delimiter = names.delimiter();
  traits.names_ignore_case = session.quirks.names_ignore_case;
  traits.trims_names = session.quirks.trims_names;
  traits.inbox_has_children = session.quirks.inbox_has_children;
  traits.reserved_names = session.quirks.reserved_names;
  traits.rewrites_message_id = session.quirks.rewrites_message_id;
  traits.hides_deleted = session.quirks.deleted_hides;
  traits.append_limit_bytes = offered.number("APPENDLIMIT");
  traits.batch_messages = offered.has("MULTIAPPEND") ? kMultiappendMessages : kPipelinedMessages;
  if (const auto most = offered.number("SAVELIMIT"); most && *most > 0) {
    traits.batch_messages =
        static_cast<std::size_t>(std::min<std::uint64_t>(traits.batch_messages, *most));
  }
  traits.batch_bytes = kBatchBytes;
  traits.waits_for_each =
      !offered.has("MULTIAPPEND") && offered.literals() == LiteralMode::kSynchronising;
  return traits;
}

class ImapTargetSession final : public TargetSession {
 public:
  ImapTargetSession(Account& account, std::shared_ptr<Line> line, std::unique_ptr<Lister> listing)
      : account_(account),
        party_(std::move(line), Access::write),
        session_(party_.session()),
        listing_(std::move(listing)),
        traits_(traits_of(session_, account_.names)) {}

  const TargetTraits& traits() const override { return traits_; }

  Task<std::vector<FolderInfo>> list() override { return list_all(); }

  Task<void> create(const FolderName& folder, Role role) override {
    return create_as(folder, account_.names.wire(folder), role);
  }

  Task<void> subscribe(const FolderName& folder) override {
    return subscribe_to(folder, account_.names.wire(folder));
  }

  Task<FolderNumbers> select(const FolderName& folder) override { return open(folder); }

  Task<MadeFolder> make_and_select(FolderName folder, Role role, bool subscribed) override {
    return make_and_open(std::move(folder), role, subscribed);
  }

  Task<Uid> uid_next() override {
    return in_folder([this]() { return ask_uid_next(); });
  }

  Task<std::vector<TargetEntry>> look(Uid from) override { return look_from(party_, from); }
  Task<Catalogue> catalogue(Uid from) override { return catalogue_from(party_, from); }

  Task<std::vector<TargetEntry>> look_at(std::vector<Uid> uids) override {
    return imap::look_at(party_, std::move(uids));
  }

  Task<std::vector<HeaderEntry>> headers(std::vector<Uid> uids) override {
    return in_folder([this, uids = std::move(uids)]() { return read_headers(session_, uids); });
  }

  Task<void> fetch(std::vector<Uid> uids, MessageSink& sink) override {
    std::vector<Catalogue::Entry> wanted;
    wanted.reserve(uids.size());
    for (const Uid uid : uids) wanted.push_back({MessageKey(uid), 0, std::nullopt, nullptr});
    return fetch_messages(party_, std::move(wanted), sink);
  }

  Task<void> append(AppendFeed& feed) override {
    AppendTraits traits;
    traits.literals = session_.capabilities.literals();
    if (session_.quirks.distrust_literal_plus) {
      traits.literals = std::min(traits.literals, LiteralMode::kLiteralMinus);
    }
    traits.nul_ends_session = session_.quirks.nul_ends_session;
    traits.multiappend = session_.capabilities.has("MULTIAPPEND");
    traits.uidplus = traits_.uidplus;
    traits.binary = session_.capabilities.has("BINARY");
    traits.limit_bytes = traits_.append_limit_bytes;
    traits.plain = feed.plain();
    if (traits.plain) traits.literals = LiteralMode::kSynchronising;
    return append_feed(party_, traits, feed, flags_dropped_);
  }

  std::uint64_t flags_dropped() const override { return flags_dropped_; }

  Task<void> store(std::vector<Uid> uids, const Flags& flags, bool add) override {
    std::vector<FlagStore> one;
    one.push_back({std::move(uids), flags, add});
    return store_all(std::move(one));
  }

  Task<void> store_all(std::vector<FlagStore> changes) override {
    return imap::store_all(party_, std::move(changes), flags_dropped_);
  }

  Task<void> expunge(std::vector<Uid> uids) override {
    return expunge_all(party_, std::move(uids), traits_.uidplus);
  }

  std::unique_ptr<TargetSession> fork() override {
    return std::make_unique<ImapTargetSession>(account_, party_.line(), nullptr);
  }

  bool lost() const override { return party_.line()->lost(); }

  std::string software() const override { return session_.quirks.software; }
  std::vector<std::string> offers() const override { return session_.capabilities.names(); }

  Task<std::vector<Quota>> quotas(FolderName folder) override {
    return ask_quotas(account_.names.wire(folder));
  }

  Task<void> logout() override { return say_goodbye(); }

 private:
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

  // Keeps `work` for as long as it runs.
  template <class F>
  auto in_folder(F work) -> std::invoke_result_t<F&> {
    co_return co_await party_.in_folder(std::move(work));
  }

  /// A command that needs no folder open, in a turn of its own.
  Task<StatusResponse> ask(Command command) {
    if (listing_) co_await list_all();  // its answers come first, and are for no other command
    const auto one = [&](Turn& turn) -> Task<StatusResponse> {
      std::string tag = co_await party_.say(turn, std::move(command));
      turn.spoken();
      co_await turn.listen();
      co_return co_await session_.finish(tag);
    };
    co_return co_await party_.in_turn(one);
  }

  Task<void> subscribe_to(FolderName folder, std::string wire) {
    const StatusResponse status = co_await ask(session_.command("SUBSCRIBE").string(wire).finish());
    if (status.status != Status::kOk) throw refused_for(folder, status, "SUBSCRIBE");
  }

  // GETQUOTAROOT (RFC 9208 §4.1.3). A server that refuses has no limits to tell.
  Task<std::vector<Quota>> ask_quotas(std::string wire) {
    constexpr std::uint64_t kUnit = 1024;  // of STORAGE (RFC 9208 §5.1)
    std::vector<Quota> quotas;
    if (!session_.capabilities.has("QUOTA")) co_return quotas;
    const auto take = [&quotas](Response& response) {
      const auto* told = std::get_if<QuotaData>(&response);
      if (!told || quotas.size() + told->resources.size() > kMaxQuotas) return;
      for (const QuotaData::Resource& resource : told->resources) {
        if (resource.name == "MESSAGE") {
          quotas.push_back({told->root, Quota::Of::messages, resource.usage, resource.limit});
        } else if (resource.name == "STORAGE") {
          const auto bytes = [](std::uint64_t units) {
            return std::min(units, UINT64_MAX / kUnit) * kUnit;
          };
          quotas.push_back(
              {told->root, Quota::Of::bytes, bytes(resource.usage), bytes(resource.limit)});
        }
      }
    };
    const auto ask = [&]() -> Task<void> {
      const std::string tag =
          co_await session_.send(session_.command("GETQUOTAROOT").string(wire).finish());
      co_await session_.finish(tag, take);
    };
    co_await party_.alone_on_line(ask);
    co_return quotas;
  }

  // The folder spoken of need not be the one that is open.
  Error refused_for(const FolderName& folder, const StatusResponse& status,
                    const std::string& what) const {
    return refusal(status, judge(status), what,
                   account_.where + ", folder " + printable(folder.to_string()));
  }

  /// The role as CREATE takes it (RFC 6154 §3), where it does.
  const char* use_of(Role role) const {
    return session_.capabilities.has("CREATE-SPECIAL-USE") ? special_use(role) : nullptr;
  }

  Command create_command(const std::string& wire, Role role) {
    CommandBuilder command = session_.command("CREATE").string(wire);
    if (const char* use = use_of(role)) command.raw(std::string("(USE (") + use + "))");
    return command.finish();
  }

  Task<MadeFolder> make_and_open(FolderName folder, Role role, bool subscribed) {
    if (listing_) co_await list_all();
    const std::string wire = account_.names.wire(folder);
    Command create = create_command(wire, role);
    Made made;
    if (!folder.is_inbox() && create.pieces.size() == 1)
      made = co_await make_at_once(folder, wire, std::move(create), subscribed);
    MadeFolder out;
    if (made.whole) {
      account_.names.created(folder);
      out.numbers = co_await opened();
      co_return out;
    }
    std::optional<Error> refused;
    try {
      co_await create_as(folder, wire, role);
    } catch (const Error& failure) {
      if (failure.kind() != ErrorKind::rejected || !made.subscribed) throw;
      refused = failure;
    }
    if (refused) {
      // Nobody wants a subscription to a folder that is not there.
      co_await ask(session_.command("UNSUBSCRIBE").string(wire).finish());
      throw *refused;
    }
    try {
      if (subscribed) co_await subscribe_to(folder, wire);
    } catch (const Error& failure) {
      if (failure.kind() != ErrorKind::rejected) throw;
      out.not_subscribed = failure;
    }
    out.numbers = co_await open(std::move(folder));
    co_return out;
  }

  struct Made {
    bool whole = false;  // else something was refused: then it goes step by step, and is told why
    bool subscribed = false;
  };

  Task<Made> make_at_once(FolderName folder, std::string wire, Command create, bool subscribed) {
    Made made{true, false};
    const auto volley = [&](Turn& turn) -> Task<void> {
      std::vector<std::string> tags;
      tags.push_back(co_await party_.say(turn, std::move(create)));
      if (subscribed) {
        Command subscribe = session_.command("SUBSCRIBE").string(wire).finish();
        tags.push_back(co_await party_.say(turn, std::move(subscribe)));
      }
      Opening opening = co_await party_.begin_opening(turn, folder, wire);
      turn.spoken();
      co_await turn.listen();
      for (std::size_t i = 0; i < tags.size(); ++i) {
        const StatusResponse status = co_await session_.finish(std::move(tags[i]));
        made.whole = made.whole && status.status == Status::kOk;
        made.subscribed = i > 0 && status.status == Status::kOk;
      }
      try {
        co_await party_.end_opening(std::move(opening));
      } catch (const Error& failure) {
        if (failure.kind() != ErrorKind::rejected) throw;
        made.whole = false;
      }
    };
    co_await party_.in_turn(volley);
    co_return made;
  }

  Task<void> create_as(FolderName folder, std::string wire, Role role) {
    if (folder.is_inbox()) co_return;
    StatusResponse status = co_await ask(create_command(wire, role));
    if (status.status != Status::kOk && use_of(role) && !exists_already(status)) {
      // Another folder may have the role, or the server does not allow it: the folder matters more.
      status = co_await ask(session_.command("CREATE").string(wire).finish());
    }
    if (status.status != Status::kOk && !exists_already(status)) {
      throw refused_for(folder, status, "CREATE");
    }
    account_.names.created(folder);
  }

  static bool exists_already(const StatusResponse& status) {
    if (status.status != Status::kNo) return false;
    return status.has(Code::kAlreadyExists) ||
           upper_ascii(status.text).find("EXISTS") != std::string::npos;
  }

  Task<std::vector<FolderInfo>> list_all() {
    const auto ask = [this]() {
      return list_from(session_, listing_, account_.names, Numbers::without_modseq);
    };
    co_return co_await party_.alone_on_line(ask);
  }

  Task<FolderNumbers> open(FolderName folder) {
    if (listing_) co_await list_all();
    std::string wire = account_.names.wire(folder);
    co_await party_.open(std::move(folder), std::move(wire));
    co_return co_await opened();
  }

  Task<FolderNumbers> opened() {
    if (lacks_numbers(party_.folder())) co_await party_.learn_numbers();
    traits_.uidplus =
        !party_.folder().uid_not_sticky && traits_of(session_, account_.names).uidplus;
    co_return party_.folder().numbers;
  }

  Task<Uid> ask_uid_next() {
    std::string noop = co_await session_.send(session_.command("NOOP").finish());
    // A name that needs a waiting literal cannot follow before the answer.
    Command ask = session_.command("STATUS").string(party_.folder().wire).raw("(UIDNEXT)").finish();
    const bool alone = ask.pieces.size() > 1;
    if (alone) co_await session_.succeed(noop, "NOOP");
    std::string tag = co_await session_.send(std::move(ask));
    if (!alone) co_await session_.succeed(noop, "NOOP");
    std::optional<std::uint32_t> next;
    co_await session_.succeed(tag, "STATUS", [&next](Response& response) {
      if (const auto* status = std::get_if<StatusData>(&response)) {
        next = numbers_of(*status).uid_next;
      }
    });
    if (next) co_return Uid{*next};
    // NetEase leaves UIDNEXT out. Behind the last message is the least it can be.
    if (session_.exists() == 0) co_return Uid{1};
    std::uint32_t last = 0;
    tag = co_await session_.send(session_.command("UID FETCH").raw("* (UID)").finish());
    co_await session_.succeed(tag, "FETCH", [&last](Response& response) {
      const auto* fetch = std::get_if<FetchData>(&response);
      if (fetch && fetch->uid) last = std::max(last, *fetch->uid);
    });
    co_return Uid{last + 1};
  }

  Account& account_;
  Party party_;
  Session& session_;
  std::unique_ptr<Lister> listing_;  // asked for at the login, not answered yet
  TargetTraits traits_;
  std::uint64_t flags_dropped_ = 0;
};

class ImapTarget final : public Target {
 public:
  ImapTarget(const ConnectorContext& context, EndSetup setup)
      : account_{context, std::move(setup), {}, {}, {}, {}, {}, {}} {
    account_.where = "target " + describe();
  }

  Task<std::unique_ptr<TargetSession>> connect() override {
    LoggedIn in = co_await log_in(account_, Numbers::without_modseq);
    co_return std::make_unique<ImapTargetSession>(
        account_, std::make_shared<Line>(std::move(in.session)), std::move(in.listing));
  }

  int max_sessions() const override { return account_.setup.sessions(); }

  std::string describe() const override { return account_.setup.endpoint.to_string(); }

 private:
  Account account_;
};

}  // namespace

std::unique_ptr<Target> make_target(const ConnectorContext& context, EndSetup setup) {
  return std::make_unique<ImapTarget>(context, std::move(setup));
}

}  // namespace postferry::imap
