#include "connectors/pop3/authenticate.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "connectors/sasl_login.h"

namespace postferry::pop3 {
namespace {

/// What servers that limit the rate of logins, and do not say to what, usually mean.
constexpr std::chrono::seconds kLoginDelay{60};

const std::string kUserPass = "USER";

class Authenticator final : public sasl::Login {
 public:
  Authenticator(Session& session, Account& account)
      : Login(account.logins, kUserPass),
        session_(session),
        endpoint_(account.setup.endpoint),
        credentials_(*account.setup.credentials) {}

  Task<void> run() { return Login::run(choose()); }

 private:
  std::vector<std::string> choose() const {
    const sasl::Wish wish = sasl::wish_of(endpoint_, session_.stream());
    const std::vector<std::string>& offered = session_.capabilities.sasl;
    std::vector<std::string> ways;
    const bool login_wanted = endpoint_.auth == "LOGIN";
    if (!login_wanted || !offered.empty()) ways = sasl::choose(offered, wish);
    if (endpoint_.auth.empty()) drop_useless(ways);
    // A server that lists capabilities without USER may still have it; many do.
    const bool user_wanted = endpoint_.auth.empty() || (login_wanted && ways.empty());
    if (user_wanted && !wish.authzid && (wish.encrypted || wish.clear_allowed)) {
      ways.push_back(kUserPass);
    }
    if (!ways.empty()) return ways;
    throw session_.error(ErrorKind::auth, sasl::no_way(offered, wish));
  }

  Task<sasl::Attempt> attempt(std::string way) override {
    if (way != kUserPass) co_return co_await exchange(std::move(way));
    const StatusLine answer = co_await user_and_pass();
    if (answer.ok()) co_return sasl::Attempt{};
    co_return sasl::Attempt{refusal(answer, "")};
  }

  /// Busy is not refused (RFC 2449 8.1): the same login may work later.
  Error refusal(const StatusLine& answer, const std::string& told) const {
    const std::string text = words(answer) + told;
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

  /// Two steps always: the first response waits for the server's empty challenge.
  Task<sasl::Attempt> exchange(std::string mechanism) {
    Secret secret = co_await credentials_.secret();
    sasl::Exchange exchange(
        mechanism, sasl::identity_of(endpoint_, std::move(secret), "pop", session_.stream()),
        session_.where());
    StatusLine answer = co_await session_.ask(auth(mechanism));
    while (answer.kind == StatusLine::Kind::challenge) {
      const std::string response = exchange.answer(answer.text);
      answer = co_await session_.ask(auth_response(response));
    }
    exchange.finish(answer.ok());
    if (answer.ok()) co_return sasl::Attempt{};
    co_return sasl::Attempt{refusal(answer, exchange.told()), exchange.secret_used()};
  }

  Session& session_;
  const Endpoint& endpoint_;
  Credentials& credentials_;
};

}  // namespace

Task<void> authenticate(Session& session, Account& account) {
  Authenticator authenticator(session, account);
  co_await authenticator.run();
}

}  // namespace postferry::pop3
