#include "connectors/smtp/authenticate.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/sasl_login.h"

namespace postferry::smtp {
namespace {

constexpr int kChallenge = 334;
/// A longer first response waits for the server's empty challenge: a command line has 512 octets
/// (RFC 4954 4).
constexpr std::size_t kMaxInitial = 400;

class Authenticator final : public sasl::Login {
 public:
  Authenticator(Session& session, Account& account)
      : Login(account.logins, ""),
        session_(session),
        endpoint_(account.setup.endpoint),
        credentials_(*account.setup.credentials) {}

  Task<void> run() { return Login::run(choose()); }

 private:
  std::vector<std::string> choose() const {
    const sasl::Wish wish = sasl::wish_of(endpoint_, session_.stream());
    const std::vector<std::string>& offered = session_.offered.auth;
    std::vector<std::string> mechanisms;
    if (!offered.empty()) mechanisms = sasl::choose(offered, wish);
    if (endpoint_.auth.empty()) drop_useless(mechanisms);
    if (!mechanisms.empty()) return mechanisms;
    throw session_.error(ErrorKind::auth, sasl::no_way(offered, wish));
  }

  Task<sasl::Attempt> attempt(std::string mechanism) override {
    Secret secret = co_await credentials_.secret();
    sasl::Exchange exchange(
        mechanism, sasl::identity_of(endpoint_, std::move(secret), "smtp", session_.stream()),
        session_.where());
    const std::optional<std::string> initial = exchange.initial(kMaxInitial);
    Reply answer = co_await session_.ask(auth(mechanism, initial ? &*initial : nullptr));
    while (answer.code == kChallenge) {
      const std::string response = exchange.answer(answer.lines.front());
      answer = co_await session_.ask(auth_response(response));
    }
    exchange.finish(answer.positive());
    if (answer.positive()) co_return sasl::Attempt{};
    const std::string words = answer.words() + exchange.told();
    if (answer.transient()) {
      throw session_.error(ErrorKind::transient, "nobody can log in now: " + words);
    }
    co_return sasl::Attempt{session_.error(ErrorKind::auth, "the login was refused: " + words),
                            exchange.secret_used()};
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

}  // namespace postferry::smtp
