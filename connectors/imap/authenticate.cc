// AUTHENTICATE (RFC 9051 §6.2.2, SASL-IR of RFC 4959) and LOGIN.
#include "connectors/imap/authenticate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "connectors/base64.h"
#include "connectors/sasl.h"

namespace postferry::imap {
namespace {

constexpr int kMaxRounds = 20;  // challenges of one authentication

const std::string kLoginCommand = "LOGIN command";

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text.empty() ? "nothing" : text;
}

class Authenticator {
 public:
  Authenticator(Session& session, Account& account)
      : session_(session),
        endpoint_(account.setup.endpoint),
        credentials_(*account.setup.credentials),
        proven_(account.login_way),
        offered_(session.capabilities) {}

  Task<void> run() {
    std::vector<std::string> ways = choose();
    const auto proven = std::ranges::find(ways, proven_);
    if (proven != ways.end()) std::rotate(ways.begin(), proven, proven + 1);
    std::optional<Error> refused;
    for (std::size_t i = 0; i < ways.size(); ++i) {
      // Without the secret shown, a refusal may only mean that the server keeps no key for this
      // mechanism: one that shows it is tried as well, once. Everything else would be guessing.
      if (refused && refused->kind() == ErrorKind::auth && !binding_refused_ &&
          !shows_secret(ways[i])) {
        continue;
      }
      std::optional<Error> failure = co_await try_once(ways[i], refused);
      if (failure && failure->kind() == ErrorKind::auth && sasl::takes_token(ways[i])) {
        // Tokens last an hour: the credentials may have a new one by now.
        failure = co_await try_once(ways[i], failure);
      }
      if (!failure) {
        proven_ = ways[i];
        co_return;
      }
      refused = std::move(failure);
      if (refused->kind() == ErrorKind::auth && shows_secret(ways[i])) break;
    }
    throw std::move(*refused);
  }

 private:
  static bool shows_secret(const std::string& way) {
    return way == kLoginCommand || sasl::shows_secret(way);
  }

  std::vector<std::string> choose() const {
    const bool clear_allowed = endpoint_.tls == TlsMode::none;
    const bool encrypted = session_.stream().encrypted();
    sasl::Wish wish;
    wish.mechanism = endpoint_.auth;
    wish.encrypted = encrypted;
    wish.clear_allowed = clear_allowed;
    wish.channel_binding = !session_.stream().channel_binding(sasl::kChannelBindingType).empty();
    wish.authzid = !endpoint_.authzid.empty();
    const std::vector<std::string> mechanisms = offered_.behind("AUTH=");
    std::vector<std::string> ways;
    if (!mechanisms.empty()) ways = sasl::choose(mechanisms, wish);
    const bool login_wanted = endpoint_.auth.empty() || endpoint_.auth == "LOGIN";
    if (login_wanted && endpoint_.authzid.empty() && !offered_.has("LOGINDISABLED") &&
        (encrypted || clear_allowed)) {
      ways.push_back(kLoginCommand);
    }
    if (!ways.empty()) return ways;
    std::string why = fmt::format("no way to log in: the server offers {}", joined(mechanisms));
    if (offered_.has("LOGINDISABLED")) why += " and LOGINDISABLED";
    if (!endpoint_.auth.empty()) why += fmt::format("; auth={} was asked for", endpoint_.auth);
    if (!encrypted && !clear_allowed) why += "; without TLS no password is sent";
    throw session_.error(ErrorKind::auth, why);
  }

  // The refusal, if the server refused and may be asked in another way. A server that hangs up
  // after `before` has said why then.
  Task<std::optional<Error>> try_once(std::string way, std::optional<Error> before) {
    try {
      const StatusResponse status =
          way == kLoginCommand ? co_await login() : co_await exchange(way);
      if (status.status == Status::kOk) co_return std::nullopt;
      session_.capabilities = offered_;
      const Verdict verdict = judge_login(status);
      // Cyrus 3.6 offers -PLUS over TLS 1.3 and then knows no binding that we know: `NO bad
      // protocol`. That says nothing of the password.
      binding_refused_ = way.ends_with("-PLUS") && !status.has(Code::kAuthenticationFailed);
      StatusResponse told = status;
      if (!oauth_error_.empty()) told.text += " (" + printable(oauth_error_) + ")";
      Error failure = refusal(told, verdict, "the login", session_.where());
      // A BAD: the server offers the mechanism and does not know it.
      if (failure.kind() != ErrorKind::auth && failure.kind() != ErrorKind::protocol) throw failure;
      co_return failure;
    } catch (const Error& failure) {
      if (before && failure.kind() == ErrorKind::transient) throw *before;
      throw;
    }
  }

  Task<StatusResponse> login() {
    const Secret secret = co_await credentials_.secret();
    if (secret.reveal().find('\0') != std::string_view::npos) {
      throw session_.error(ErrorKind::usage, "a password cannot hold a NUL byte");
    }
    Command command =
        session_.command("LOGIN").string(endpoint_.user).secret(secret.reveal()).finish();
    session_.forget_capabilities();
    std::string tag = co_await session_.send(std::move(command));
    co_return co_await session_.finish(tag);
  }

  Task<StatusResponse> exchange(std::string mechanism) {
    sasl::Identity identity;
    identity.user = endpoint_.user;
    identity.authzid = endpoint_.authzid;
    identity.secret = co_await credentials_.secret();
    identity.host = endpoint_.host;
    identity.port = endpoint_.port;
    identity.service = "imap";
    identity.channel_binding_data = session_.stream().channel_binding(sasl::kChannelBindingType);
    sasl::Client client(mechanism, std::move(identity));

    CommandBuilder command = session_.command("AUTHENTICATE").raw(mechanism);
    std::optional<std::string> initial;
    if (client.first()) initial = client.step("");
    if (initial && offered_.has("SASL-IR")) {
      command.raw_secret(initial->empty() ? "=" : base64_encode(*initial));
      initial.reset();
    }
    session_.forget_capabilities();
    std::string tag = co_await session_.send(command.finish());
    std::optional<Error> broken;
    for (int round = 0;; ++round) {
      if (round == kMaxRounds) {
        throw session_.error(ErrorKind::protocol, "the login does not end");
      }
      const std::optional<std::string> challenge = co_await session_.continuation(tag);
      if (!challenge) break;
      std::string answer = "*";
      if (!broken) {
        try {
          answer = base64_encode(initial ? *std::exchange(initial, std::nullopt)
                                         : client.step(decode(*challenge)));
        } catch (const Error& failure) {
          broken = failure.in(session_.where());  // `*` ends the exchange
          answer = "*";
        }
      }
      co_await say_secret(std::move(answer));
    }
    StatusResponse status = co_await session_.finish(tag);
    oauth_error_ = client.server_error();
    if (broken) throw *broken;
    if (status.status == Status::kOk) {
      try {
        client.finish();
      } catch (const Error& failure) {
        throw failure.in(session_.where());
      }
    }
    co_return status;
  }

  std::string decode(const std::string& challenge) const {
    const std::size_t end = challenge.find_last_not_of(" \t");
    const auto bytes = base64_decode(challenge.substr(0, end + 1));
    if (!bytes) throw Error(ErrorKind::protocol, "the server's SASL challenge is not base64");
    return *bytes;
  }

  Task<void> say_secret(std::string line) {
    line += "\r\n";
    session_.stream().mark_secret(true);
    std::vector<std::string_view> pieces(1, line);
    co_await session_.write(std::move(pieces));
    session_.stream().mark_secret(false);
  }

  Session& session_;
  const Endpoint& endpoint_;
  Credentials& credentials_;
  std::string& proven_;  // the account's
  const Capabilities offered_;
  std::string oauth_error_;
  bool binding_refused_ = false;
};

}  // namespace

Task<void> authenticate(Session& session, Account& account) {
  Authenticator authenticator(session, account);
  co_await authenticator.run();
}

}  // namespace postferry::imap
