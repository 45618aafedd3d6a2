#include "connectors/smtp/authenticate.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/base64.h"
#include "connectors/sasl.h"

namespace postferry::smtp {
namespace {

constexpr int kMaxRounds = 20;  // challenges of one authentication
constexpr int kChallenge = 334;
/// A longer first response waits for the server's empty challenge: a command line has 512 octets
/// (RFC 4954 4).
constexpr std::size_t kMaxInitial = 400;

class Authenticator {
 public:
  Authenticator(Session& session, Account& account)
      : session_(session),
        account_(account),
        endpoint_(account.setup.endpoint),
        credentials_(*account.setup.credentials) {}

  Task<void> run() {
    const std::vector<std::string> mechanisms = choose();
    std::optional<Error> refused;
    std::string tried;  // the last one
    for (const std::string& mechanism : mechanisms) {
      if (refused && !worth_trying(mechanism, tried)) continue;
      std::optional<Error> failure = co_await try_once(mechanism);
      // Tokens last an hour: the credentials may have a new one by now.
      if (failure && sasl::takes_token(mechanism)) failure = co_await try_once(mechanism);
      if (!failure) co_return;
      refused = std::move(failure);
      tried = mechanism;
      if (!secret_used_) account_.useless.push_back(mechanism);
      if (sasl::shows_secret(mechanism)) break;
    }
    throw std::move(*refused);
  }

 private:
  /// After a refusal: what shows the secret, or the same mechanism without channel binding if the
  /// secret was not at stake yet. Everything else would be guessing.
  bool worth_trying(const std::string& mechanism, const std::string& tried) const {
    return sasl::shows_secret(mechanism) || (!secret_used_ && tried == mechanism + "-PLUS");
  }

  std::vector<std::string> choose() const {
    sasl::Wish wish;
    wish.mechanism = endpoint_.auth;
    wish.encrypted = session_.stream().encrypted();
    wish.clear_allowed = endpoint_.tls == TlsMode::none;
    wish.channel_binding = !session_.stream().channel_binding(sasl::kChannelBindingType).empty();
    wish.authzid = !endpoint_.authzid.empty();
    std::vector<std::string> mechanisms;
    if (!session_.offered.auth.empty()) mechanisms = sasl::choose(session_.offered.auth, wish);
    if (endpoint_.auth.empty()) {
      std::erase_if(mechanisms, [this](const std::string& mechanism) {
        return std::ranges::find(account_.useless, mechanism) != account_.useless.end();
      });
    }
    if (!mechanisms.empty()) return mechanisms;
    std::string why = fmt::format("no way to log in: the server offers {}",
                                  session_.offered.auth.empty()
                                      ? "nothing"
                                      : fmt::format("{}", fmt::join(session_.offered.auth, ", ")));
    if (!endpoint_.auth.empty()) why += fmt::format("; auth={} was asked for", endpoint_.auth);
    if (!endpoint_.authzid.empty()) why += "; it must be one that can act for another user";
    if (!wish.encrypted && !wish.clear_allowed) why += "; without TLS no password is sent";
    throw session_.error(ErrorKind::auth, why);
  }

  sasl::Identity identity(Secret secret) const {
    sasl::Identity identity;
    identity.user = endpoint_.user;
    identity.authzid = endpoint_.authzid;
    identity.secret = std::move(secret);
    identity.host = endpoint_.host;
    identity.port = endpoint_.port;
    identity.service = "smtp";
    identity.channel_binding_data = session_.stream().channel_binding(sasl::kChannelBindingType);
    return identity;
  }

  /// The refusal, if the server refused and may be asked in another way.
  Task<std::optional<Error>> try_once(std::string mechanism) {
    secret_used_ = false;
    oauth_error_.clear();
    const Reply answer = co_await exchange(mechanism);
    if (answer.positive()) co_return std::nullopt;
    std::string words = answer.words();
    if (!oauth_error_.empty()) words += " (" + oauth_error_ + ")";
    if (answer.transient())
      throw session_.error(ErrorKind::transient, "nobody can log in now: " + words);
    co_return session_.error(ErrorKind::auth, "the login was refused: " + words);
  }

  Task<Reply> exchange(std::string mechanism) {
    Secret secret = co_await credentials_.secret();
    std::optional<sasl::Client> client;
    std::optional<std::string> initial;
    try {
      client.emplace(mechanism, identity(std::move(secret)));
      if (client->first()) initial = base64_encode(client->step(""));
    } catch (const Error& failure) {
      throw failure.in(session_.where());
    }
    std::optional<Error> broken;
    const bool at_once = initial && initial->size() <= kMaxInitial;
    Reply answer = co_await session_.ask(auth(mechanism, at_once ? &*initial : nullptr));
    if (at_once) initial.reset();
    for (int round = 0; answer.code == kChallenge; ++round) {
      std::string response = "*";
      if (!broken && round < kMaxRounds) {
        try {
          response = initial ? *std::exchange(initial, std::nullopt)
                             : base64_encode(client->step(decode(answer.lines.front())));
        } catch (const Error& failure) {
          broken = failure.in(session_.where());  // `*` ends the exchange (RFC 4954 4)
        }
      } else if (round > kMaxRounds) {
        throw session_.error(ErrorKind::protocol, "the login does not end");
      }
      answer = co_await session_.ask(auth_response(response));
    }
    oauth_error_ = client->server_error();
    secret_used_ = client->secret_used();
    if (broken) throw *broken;
    if (answer.positive()) {
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

}  // namespace postferry::smtp
