#include "connectors/pop3/login.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>
#include <vector>

#include "connectors/dial.h"
#include "connectors/pop3/authenticate.h"
#include "engine/async/timeout.h"

namespace postferry::pop3 {
namespace {

constexpr std::chrono::milliseconds kLogoutLimit{2000};

Task<std::unique_ptr<Session>> connect(Account& account) {
  co_return std::make_unique<Session>(
      co_await dial(*account.context.network, account.setup, account.where), account.where);
}

/// As these call themselves, in the greeting or as IMPLEMENTATION (RFC 2449 6.9).
bool shows_all(std::string_view software) {
  return software.contains("Dovecot") || software.contains("Cyrus POP3") ||
         software.contains("Courier Mail Server");
}

/// A refusal in the greeting comes from a server that is too busy, or does not want this address;
/// either may be over later.
Task<void> greeting(Session& session) {
  const StatusLine greeting = co_await session.status();
  session.windowed = greeting.text.starts_with("Gpop ");
  session.shows_all = shows_all(greeting.text);
  if (greeting.ok()) co_return;
  if (greeting.kind == StatusLine::Kind::challenge) {
    throw session.error(ErrorKind::protocol, "this is not a POP3 server: its greeting is wrong");
  }
  throw session.error(ErrorKind::transient,
                      fmt::format("the server does not let us in: {}", words(greeting)));
}

Task<void> turn_to_tls(Session& session, const Endpoint& endpoint) {
  if (session.capabilities.known && !session.capabilities.stls) {
    throw session.error(ErrorKind::tls, "the server does not offer STLS");
  }
  const StatusLine answer = co_await session.ask(stls());
  if (!answer.ok()) {
    throw session.error(ErrorKind::tls, fmt::format("STLS was refused: {}", words(answer)));
  }
  co_await session.start_tls(tls_options(endpoint));
}

/// The capabilities of who is logged in, and what there is: in one round trip, where that may be.
Task<void> look_around(Session& session) {
  if (!session.capabilities.pipelining) {
    co_await session.ask_capabilities();
    co_return;
  }
  std::vector<Command> both;
  both.push_back(capa());
  both.push_back(stat());
  co_await session.send_all(std::move(both));
  co_await session.take_capabilities();
  session.stat = co_await session.status();
}

}  // namespace

Task<std::unique_ptr<Session>> log_in(Account& account) {
  const Endpoint& endpoint = account.setup.endpoint;
  std::unique_ptr<Session> session = co_await connect(account);
  co_await greeting(*session);
  co_await session->ask_capabilities();
  if (endpoint.tls == TlsMode::starttls) {
    co_await turn_to_tls(*session, endpoint);
    // What was said in the clear may have been anybody's words (RFC 2595 4).
    co_await session->ask_capabilities();
  }
  co_await authenticate(*session, account);
  const Capabilities before = session->capabilities;
  co_await look_around(*session);
  if (!session->capabilities.known) session->capabilities = before;
  if (account.without_top) {
    session->capabilities.known = true;
    session->capabilities.top = false;
  }
  session->windowed = session->windowed || before.google || session->capabilities.google;
  session->shows_all =
      !session->windowed && (session->shows_all || shows_all(session->capabilities.implementation));
  // `recent:` shows the mail of 30 days, whoever has fetched it.
  if (endpoint.user.starts_with("recent:")) session->windowed = false;
  co_return session;
}

Task<void> log_out(Session& session) {
  if (session.at_rest()) {
    try {
      co_await with_timeout(kLogoutLimit, session.ask(quit()));
    } catch (const Error&) {
      // A session that is lost has nothing more to say: closing it is all that is left.
    } catch (const TimedOut&) {
      // Nor has a server that does not answer.
    }
  }
  co_await session.close();
}

}  // namespace postferry::pop3
