// The steps of a login, in order.
#include "connectors/imap/login.h"

#include <chrono>
#include <utility>

#include "connectors/dial.h"
#include "connectors/imap/authenticate.h"
#include "connectors/imap/codec/lexer.h"
#include "engine/async/timeout.h"

namespace postferry::imap {
namespace {

constexpr std::chrono::milliseconds kLogoutLimit{2000};

Task<std::unique_ptr<Session>> connect(Account& account) {
  co_return std::make_unique<Session>(
      co_await dial(*account.context.network, account.setup, account.where), account.where);
}

// The greeting's text; `preauth` if the server needs no login (RFC 9051 §7.1.4).
Task<std::string> greeting(Session& session, bool& preauth) {
  Item item = co_await session.next();
  const auto* response = std::get_if<Response>(&item);
  const auto* status = response ? std::get_if<StatusResponse>(response) : nullptr;
  if (!status || status->tagged() ||
      (status->status != Status::kOk && status->status != Status::kPreauth)) {
    throw session.error(ErrorKind::protocol, "this is not an IMAP server: its greeting is wrong");
  }
  preauth = status->status == Status::kPreauth;
  co_return status->text;
}

Task<void> turn_to_tls(Session& session, const Endpoint& endpoint, bool preauth) {
  if (preauth) {
    // A greeting in the clear that leaves no room for STARTTLS may be an attacker's.
    throw session.error(ErrorKind::tls,
                        "the server greets with PREAUTH, so that TLS is impossible");
  }
  if (session.capabilities_told() && !session.capabilities.has("STARTTLS")) {
    throw session.error(ErrorKind::tls, "the server does not offer STARTTLS");
  }
  std::string tag = co_await session.send(session.command("STARTTLS").finish());
  const StatusResponse status = co_await session.finish(tag);
  if (status.status != Status::kOk) {
    throw session.error(ErrorKind::tls, "STARTTLS was refused: " + words(status));
  }
  co_await session.start_tls(tls_options(endpoint));
}

Task<void> ask_capabilities(Session& session) {
  std::string tag = co_await session.send(session.command("CAPABILITY").finish());
  co_await session.succeed(tag, "CAPABILITY");
}

// What a volley after the login learns.
struct Told {
  IdData id;
  NamespaceData namespaces;
  std::optional<ListData> root;

  void take(Response& response) {
    if (auto* fields = std::get_if<IdData>(&response)) id = std::move(*fields);
    if (auto* spaces = std::get_if<NamespaceData>(&response)) namespaces = std::move(*spaces);
    if (auto* listed = std::get_if<ListData>(&response)) root = std::move(*listed);
  }
};

std::string id_arguments(const std::string& version) {
  return "(\"name\" \"postferry\" \"version\" " + quoted(version) + ")";
}

// Capabilities, names, namespaces and the first listing in one volley. `before` is what was offered
// before the login: nearly all servers offer ID and NAMESPACE there too, else they cost a second
// round trip.
Task<void> introduce(Session& session, Account& account, const Capabilities& before,
                     const std::string& greeted, Lister* lister) {
  Told told;
  const auto take = [&told, lister](Response& response) {
    told.take(response);
    if (lister) lister->take(response);
  };
  bool asked_id = false, asked_namespace = false;
  std::string id_tag, space_tag, capability_tag, list_tag;
  const auto ask = [&](const Capabilities& offered) -> Task<void> {
    if (!asked_id && offered.has("ID")) {
      asked_id = true;
      id_tag = co_await session.send(
          session.command("ID").raw(id_arguments(account.context.version)).finish());
    }
    if (!asked_namespace && offered.has("NAMESPACE")) {
      asked_namespace = true;
      space_tag = co_await session.send(session.command("NAMESPACE").finish());
    }
  };
  const auto answers = [&]() -> Task<void> {
    if (!capability_tag.empty()) {
      co_await session.succeed(std::exchange(capability_tag, {}), "CAPABILITY", take);
    }
    // A refused ID costs nothing.
    if (!id_tag.empty()) co_await session.finish(std::exchange(id_tag, {}), take);
    for (std::string* tag : {&space_tag, &list_tag}) {
      if (tag->empty()) continue;
      const StatusResponse status = co_await session.finish(std::exchange(*tag, {}), take);
      if (status.status == Status::kOk) continue;
      // Exchange: `BAD User is authenticated but not connected`.
      const ErrorKind kind = judge(status).kind;
      if (kind != ErrorKind::rejected && kind != ErrorKind::protocol) {
        throw session.refused(status, "the first command");
      }
    }
  };

  if (!session.capabilities_told()) {
    capability_tag = co_await session.send(session.command("CAPABILITY").finish());
    co_await ask(before);
    co_await answers();
  }
  const Capabilities now = session.capabilities;
  co_await ask(now);
  if (!asked_namespace) {
    list_tag = co_await session.send(session.command("LIST").raw("\"\" \"\"").finish());
  }
  if (lister) co_await lister->ask();
  co_await answers();

  session.quirks = recognise(greeted, session.capabilities, told.id);
  account.quirks = session.quirks;
  account.names.set_slash_spelling(session.quirks.slash_spelling);
  if (!told.namespaces.personal.empty()) {
    account.names.set_namespaces(std::move(told.namespaces));
  } else if (told.root) {
    account.names.set_delimiter(told.root->delimiter);
  }
}

// A further session: what the first has learned holds, and nothing is waited for. NetEase wants an
// ID of each before it lets it open a folder.
Task<void> introduce_again(Session& session, const Account& account) {
  session.quirks = *account.quirks;
  if (!session.capabilities_told()) co_await ask_capabilities(session);
  if (!session.capabilities.has("ID")) co_return;
  session.dismiss(co_await session.send(
      session.command("ID").raw(id_arguments(account.context.version)).finish()));
}

}  // namespace

Task<LoggedIn> log_in(Account& account, std::optional<Numbers> listing) {
  const Endpoint& endpoint = account.setup.endpoint;
  std::unique_ptr<Session> session = co_await connect(account);
  session->compression = &account.compression;
  bool preauth = false;
  const std::string greeted = co_await greeting(*session, preauth);
  if (endpoint.tls == TlsMode::starttls) co_await turn_to_tls(*session, endpoint, preauth);
  if (!session->capabilities_told()) co_await ask_capabilities(*session);
  const Capabilities before = session->capabilities;
  if (!preauth) {
    co_await authenticate(*session, account);
    // What a server offers to a stranger says little about what it offers now.
  }
  LoggedIn in;
  if (account.quirks) {
    co_await introduce_again(*session, account);
    if (compression_due(*session)) co_await compress(*session);
  } else {
    if (listing) in.listing = std::make_unique<Lister>(*session, *listing);
    co_await introduce(*session, account, before, greeted, in.listing.get());
  }
  in.session = std::move(session);
  co_return in;
}

Task<std::vector<FolderInfo>> list_from(Session& session, std::unique_ptr<Lister>& asked,
                                        FolderNames& names, Numbers wanted) {
  std::vector<FolderInfo> folders;
  if (const std::unique_ptr<Lister> listing = std::move(asked)) {
    folders = co_await listing->answer(names);
  } else {
    folders = co_await list_folders(session, names, wanted);
  }
  if (compression_due(session)) co_await compress(session);
  co_return folders;
}

Task<void> log_out(Session& session) {
  const auto goodbye = [](Session& s) -> Task<void> {
    s.expect_bye();
    std::string tag = co_await s.send(s.command("LOGOUT").finish());
    co_await s.finish(tag);
  };
  try {
    co_await with_timeout(kLogoutLimit, goodbye(session));
  } catch (const Error&) {
    // A session that is lost has nothing more to say: closing it is all that is left.
  } catch (const TimedOut&) {
    // Nor has a server that does not answer.
  }
  co_await session.close();
}

}  // namespace postferry::imap
