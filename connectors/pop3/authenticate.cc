#include "connectors/pop3/authenticate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "connectors/base64.h"
#include "connectors/sasl.h"

namespace postferry::pop3 {
namespace {

constexpr int kMaxRounds = 20;  // challenges of one authentication
/// What servers that limit the rate of logins, and do not say to what, usually mean.
constexpr std::chrono::seconds kLoginDelay{60};

const std::string kUserPass = "USER";

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "nothing" : printable(text);
}

class Authenticator {
 public:
  Authenticator(Session& session, Account& account)
      : session_(session),
        account_(account),
        endpoint_(account.setup.endpoint),
        credentials_(*account.setup.credentials) {}

  Task<void> run() {
    const std::vector<std::string> ways = choose();
    std::optional<Error> refused;
    std::string tried;  // the last way
    for (const std::string& way : ways) {
      if (refused && !worth_trying(way, tried)) continue;
      std::optional<Error> failure = co_await try_once(way, refused);
      if (failure && sasl::takes_token(way)) {
        // Tokens last an hour: the credentials may have a new one by now.
        failure = co_await try_once(way, failure);
      }
      if (!failure) co_return;
      refused = std::move(failure);
      tried = way;
      if (!secret_used_ && way != kUserPass) account_.useless.push_back(way);
      if (shows_secret(way)) break;
    }
    throw std::move(*refused);
  }

 private:
  static bool shows_secret(const std::string& way) {
    return way == kUserPass || sasl::shows_secret(way);
  }

  /// After a refusal: what shows the secret, or the same mechanism without channel binding if the
  /// secret was not at stake yet. Everything else would be guessing.
  bool worth_trying(const std::string& way, const std::string& tried) const {
    return shows_secret(way) || (!secret_used_ && tried == way + "-PLUS");
  }

  std::vector<std::string> choose() const {
    const bool clear_allowed = endpoint_.tls == TlsMode::none;
    const bool secrets_allowed = session_.stream().encrypted() || clear_allowed;
    sasl::Wish wish;
    wish.mechanism = endpoint_.auth;
    wish.encrypted = session_.stream().encrypted();
    wish.clear_allowed = clear_allowed;
    wish.channel_binding = !session_.stream().channel_binding(sasl::kChannelBindingType).empty();
    wish.authzid = !endpoint_.authzid.empty();

    std::vector<std::string> ways;
    const bool login_wanted = endpoint_.auth == "LOGIN";
    if (!login_wanted || !session_.capabilities.sasl.empty()) {
      ways = sasl::choose(session_.capabilities.sasl, wish);
    }
    if (endpoint_.auth.empty()) {
      std::erase_if(ways, [this](const std::string& way) {
        return std::ranges::find(account_.useless, way) != account_.useless.end();
      });
    }
    // A server that lists capabilities without USER may still have it; many do.
    const bool user_wanted = endpoint_.auth.empty() || (login_wanted && ways.empty());
    if (user_wanted && secrets_allowed && endpoint_.authzid.empty()) ways.push_back(kUserPass);
    if (!ways.empty()) return ways;

    std::string why =
        fmt::format("no way to log in: the server offers {}", list_of(session_.capabilities.sasl));
    if (!endpoint_.auth.empty()) why += fmt::format("; auth={} was asked for", endpoint_.auth);
    if (!endpoint_.authzid.empty()) why += "; it must be one that can act for another user";
    if (!secrets_allowed) why += "; without TLS no password is sent";
    throw session_.error(ErrorKind::auth, why);
  }

  /// The refusal, if the server refused and may be asked in another way. A server that hangs up
  /// after `before` has said why then.
  Task<std::optional<Error>> try_once(std::string way, std::optional<Error> before) {
    try {
      oauth_error_.clear();
      secret_used_ = way == kUserPass;
      const StatusLine answer =
          way == kUserPass ? co_await user_and_pass() : co_await exchange(way);
      if (answer.ok()) co_return std::nullopt;
      Error failure = refusal(answer);
      if (failure.kind() != ErrorKind::auth) throw failure;
      co_return failure;
    } catch (const Error& failure) {
      if (before && failure.kind() == ErrorKind::transient && !failure.retry_after() &&
          !session_.at_rest()) {
        throw *before;
      }
      throw;
    }
  }

  /// Busy is not refused (RFC 2449 8.1): the same login may work later.
  Error refusal(const StatusLine& answer) const {
    std::string text = words(answer);
    if (!oauth_error_.empty()) text += " (" + printable(oauth_error_) + ")";
    if (!says_busy(answer)) {
      return session_.error(ErrorKind::auth, fmt::format("the login was refused: {}", text));
    }
    const Error busy = session_.error(ErrorKind::transient,
                                      fmt::format("the mailbox cannot be had now: {}", text));
    if (const auto delay = told_delay(answer)) return busy.after(*delay);
    return answer.code == ResponseCode::login_delay ? busy.after(kLoginDelay) : busy;
  }

  Task<StatusLine> user_and_pass() {
    const Secret secret = co_await credentials_.secret();
    std::optional<Command> name;
    std::optional<Command> password;
    try {
      name = user(endpoint_.user);
      password = pass(secret.reveal());
    } catch (const std::invalid_argument& unsayable) {
      throw session_.error(ErrorKind::usage, unsayable.what());
    }
    StatusLine answer = co_await session_.ask(std::move(*name));
    if (!answer.ok()) co_return answer;
    co_return co_await session_.ask(std::move(*password));
  }

  sasl::Identity identity(Secret secret) const {
    sasl::Identity identity;
    identity.user = endpoint_.user;
    identity.authzid = endpoint_.authzid;
    identity.secret = std::move(secret);
    identity.host = endpoint_.host;
    identity.port = endpoint_.port;
    identity.service = "pop";
    identity.channel_binding_data = session_.stream().channel_binding(sasl::kChannelBindingType);
    return identity;
  }

  /// Two steps always: the first response waits for the server's empty challenge.
  Task<StatusLine> exchange(std::string mechanism) {
    Secret secret = co_await credentials_.secret();
    std::optional<sasl::Client> client;
    try {
      client.emplace(mechanism, identity(std::move(secret)));
    } catch (const Error& failure) {
      throw failure.in(session_.where());
    }
    bool speaks_first = client->first();
    std::optional<Error> broken;
    StatusLine answer = co_await session_.ask(auth(mechanism));
    for (int round = 0; answer.kind == StatusLine::Kind::challenge; ++round) {
      std::string response = "*";
      if (!broken && round < kMaxRounds) {
        try {
          // Some servers fill the first challenge with words for people.
          response = base64_encode(client->step(
              std::exchange(speaks_first, false) ? std::string() : decode(answer.text)));
        } catch (const Error& failure) {
          broken = failure.in(session_.where());  // `*` ends the exchange (RFC 5034 4)
        }
      } else if (round > kMaxRounds) {
        throw session_.error(ErrorKind::protocol, "the login does not end");
      }
      answer = co_await session_.ask(auth_response(response));
    }
    oauth_error_ = client->server_error();
    secret_used_ = client->secret_used();
    if (broken) throw *broken;
    if (answer.ok()) {
      try {
        client->finish();
      } catch (const Error& failure) {
        throw failure.in(session_.where());
      }
    }
    co_return answer;
  }

  static std::string decode(const std::string& challenge) {
    auto bytes = base64_decode(challenge);
    if (!bytes) throw Error(ErrorKind::protocol, "the server's SASL challenge is not base64");
    return std::move(*bytes);
  }

  Session& session_;
  Account& account_;
  const Endpoint& endpoint_;
  Credentials& credentials_;
  std::string oauth_error_;   // of the last try
  bool secret_used_ = false;  // in the last try
};

}  // namespace

Task<void> authenticate(Session& session, Account& account) {
  Authenticator authenticator(session, account);
  co_await authenticator.run();
}

}  // namespace postferry::pop3
