#include "connectors/smtp/login.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "connectors/dial.h"
#include "connectors/net/mail_exchangers.h"
#include "connectors/smtp/authenticate.h"
#include "engine/async/timeout.h"

namespace postferry::smtp {
namespace {

constexpr std::chrono::milliseconds kLogoutLimit{2000};
/// How long the line may be silent at all: the end of a message is answered within ten minutes
/// (RFC 5321 4.5.3.2.6). Every other answer has the user's limit.
constexpr std::chrono::minutes kLineLimit{11};

/// The endpoint at one of its hosts.
EndSetup setup_at(const Account& account, const std::string& host) {
  EndSetup setup = account.setup;
  setup.endpoint.host = host;
  setup.timeout = std::max<std::chrono::milliseconds>(setup.timeout, kLineLimit);
  // What is taken only when it is offered protects from nobody who can leave the offer out.
  if (setup.endpoint.tls == TlsMode::when_offered) setup.endpoint.verify = false;
  return setup;
}

/// 4xx is over later; 5xx says that we are not wanted here.
Task<void> greeting(Session& session) {
  const Reply greeting = co_await session.reply();
  if (greeting.code == 220) co_return;
  const ErrorKind kind = greeting.transient()   ? ErrorKind::transient
                         : greeting.permanent() ? ErrorKind::rejected
                                                : ErrorKind::protocol;
  throw session.error(kind, fmt::format("the server does not let us in: {}", greeting.words()));
}

Task<void> say_hello(Session& session, const Account& account) {
  const std::string& us = account.context.host_name;
  Reply answer = co_await session.ask(hello(account.lmtp() ? "LHLO" : "EHLO", us));
  session.offered = {};
  if (answer.positive()) {
    session.offered = parse_extensions(answer);
    co_return;
  }
  if (answer.permanent() && !account.lmtp()) answer = co_await session.ask(hello("HELO", us));
  if (answer.positive()) co_return;
  throw session.error(answer.transient() ? ErrorKind::transient : ErrorKind::rejected,
                      fmt::format("the server does not greet us: {}", answer.words()));
}

Task<void> turn_to_tls(Session& session, const Account& account, const Endpoint& endpoint) {
  const bool wanted = endpoint.tls == TlsMode::starttls;
  if (!session.offered.starttls) {
    if (wanted) throw session.error(ErrorKind::tls, "the server does not offer STARTTLS");
    co_return;
  }
  const Reply answer = co_await session.ask(starttls());
  if (answer.code != 220) {
    if (!wanted && !session.closing()) co_return;
    throw session.error(ErrorKind::tls, fmt::format("STARTTLS was refused: {}", answer.words()));
  }
  co_await session.start_tls(tls_options(endpoint));
  // What was said in the clear may have been anybody's words (RFC 3207 4.2).
  co_await say_hello(session, account);
}

Task<std::unique_ptr<Session>> log_in_at(Account& account, std::string host) {
  const EndSetup setup = setup_at(account, host);
  std::unique_ptr<net::Stream> stream =
      co_await dial(*account.context.network, setup, account.where);
  auto session = std::make_unique<Session>(std::move(stream), account.where, account.setup.timeout);
  co_await greeting(*session);
  co_await say_hello(*session, account);
  const TlsMode tls = setup.endpoint.tls;
  if (tls == TlsMode::starttls || tls == TlsMode::when_offered)
    co_await turn_to_tls(*session, account, setup.endpoint);
  if (account.setup.endpoint.user.empty()) co_return session;
  co_await authenticate(*session, account);
  // More may be offered to those who are known.
  co_await say_hello(*session, account);
  co_return session;
}

/// Another exchanger of the same domain may do what this one does not.
bool may_ask_another(const Error& error) {
  return error.kind() == ErrorKind::unreachable || error.kind() == ErrorKind::transient ||
         error.kind() == ErrorKind::protocol;
}

}  // namespace

Task<std::unique_ptr<Session>> log_in(Account& account) {
  const Endpoint& endpoint = account.setup.endpoint;
  if (endpoint.protocol != Protocol::mx) {
    const std::string host = endpoint.path.empty() ? endpoint.host : endpoint.path;
    co_return co_await log_in_at(account, host);
  }
  std::vector<std::string> hosts;
  try {
    hosts = co_await account.context.exchangers->look_up(endpoint.host, endpoint.dns);
  } catch (const Error& failure) {
    throw failure.in(account.where);
  }
  std::optional<Error> failed;
  for (const std::string& host : hosts) {
    try {
      co_return co_await log_in_at(account, host);
    } catch (const Error& failure) {
      if (!may_ask_another(failure)) throw;
      failed = failure;
    }
  }
  throw std::move(*failed);
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

}  // namespace postferry::smtp
