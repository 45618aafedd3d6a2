// AUTHENTICATE (RFC 9051 §6.2.2, SASL-IR of RFC 4959) and LOGIN.
#include "connectors/imap/authenticate.h"

#include <optional>
#include <utility>

#include "connectors/sasl_login.h"

namespace postferry::imap {
namespace {

const std::string kLoginCommand = "LOGIN command";

class Authenticator final : public sasl::Login {
 public:
  Authenticator(Session& session, Account& account)
      : Login(account.logins, kLoginCommand),
        session_(session),
        endpoint_(account.setup.endpoint),
        credentials_(*account.setup.credentials),
        offered_(session.capabilities) {}

  Task<void> run() { return Login::run(choose()); }

 private:
  std::vector<std::string> choose() const {
    const sasl::Wish wish = sasl::wish_of(endpoint_, session_.stream());
    std::vector<std::string> mechanisms = offered_.behind("AUTH=");
    std::vector<std::string> ways;
    if (!mechanisms.empty()) ways = sasl::choose(mechanisms, wish);
    if (wish.mechanism.empty()) drop_useless(ways);
    const bool login_wanted = wish.mechanism.empty() || wish.mechanism == "LOGIN";
    const bool disabled = offered_.has("LOGINDISABLED");
    if (login_wanted && !wish.authzid && !disabled && (wish.encrypted || wish.clear_allowed)) {
      ways.push_back(kLoginCommand);
    }
    if (!ways.empty()) return ways;
    if (disabled) mechanisms.push_back("LOGINDISABLED");
    throw session_.error(ErrorKind::auth, sasl::no_way(mechanisms, wish));
  }

  Task<sasl::Attempt> attempt(std::string way) override {
    if (way != kLoginCommand) co_return co_await exchange(std::move(way));
    const StatusResponse status = co_await login();
    if (status.status == Status::kOk) co_return sasl::Attempt{};
    co_return sasl::Attempt{refused(status, "")};
  }

  Error refused(StatusResponse status, const std::string& told) {
    session_.capabilities = offered_;
    const Verdict verdict = judge_login(status);
    status.text += told;
    return refusal(status, verdict, "the login", session_.where());
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

  Task<sasl::Attempt> exchange(std::string mechanism) {
    Secret secret = co_await credentials_.secret();
    sasl::Exchange exchange(
        mechanism, sasl::identity_of(endpoint_, std::move(secret), "imap", session_.stream()),
        session_.where());
    CommandBuilder command = session_.command("AUTHENTICATE").raw(mechanism);
    if (offered_.has("SASL-IR")) {
      if (const auto initial = exchange.initial()) {
        command.raw_secret(initial->empty() ? "=" : *initial);
      }
    }
    session_.forget_capabilities();
    const std::string tag = co_await session_.send(command.finish());
    while (const auto challenge = co_await session_.continuation(tag)) {
      co_await say_secret(exchange.answer(*challenge));
    }
    const StatusResponse status = co_await session_.finish(tag);
    const bool accepted = status.status == Status::kOk;
    exchange.finish(accepted);
    if (accepted) co_return sasl::Attempt{};
    co_return sasl::Attempt{refused(status, exchange.told()), exchange.secret_used()};
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
  const Capabilities offered_;
};

}  // namespace

Task<void> authenticate(Session& session, Account& account) {
  Authenticator authenticator(session, account);
  co_await authenticator.run();
}

}  // namespace postferry::imap
