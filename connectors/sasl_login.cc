#include "connectors/sasl_login.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "connectors/base64.h"

namespace postferry::sasl {
namespace {

constexpr int kMaxRounds = 20;  // challenges of one exchange

/// Some servers fill up with blanks.
std::string decoded(std::string_view challenge) {
  challenge = challenge.substr(0, challenge.find_last_not_of(" \t") + 1);
  auto bytes = base64_decode(challenge);
  if (!bytes) throw Error(ErrorKind::protocol, "the server's SASL challenge is not base64");
  return std::move(*bytes);
}

}  // namespace

Wish wish_of(const Endpoint& endpoint, const net::Stream& stream) {
  Wish wish;
  wish.mechanism = endpoint.auth;
  wish.encrypted = stream.encrypted();
  wish.clear_allowed = endpoint.tls == TlsMode::none;
  wish.channel_binding = !stream.channel_binding(kChannelBindingType).empty();
  wish.authzid = !endpoint.authzid.empty();
  return wish;
}

Identity identity_of(const Endpoint& endpoint, Secret secret, std::string_view service,
                     const net::Stream& stream) {
  Identity identity;
  identity.user = endpoint.user;
  identity.authzid = endpoint.authzid;
  identity.secret = std::move(secret);
  identity.host = endpoint.host;
  identity.port = endpoint.port;
  identity.service = service;
  identity.channel_binding_data = stream.channel_binding(kChannelBindingType);
  return identity;
}

std::string no_way(const std::vector<std::string>& offered, const Wish& wish) {
  std::string why = fmt::format(
      "no way to log in: the server offers {}",
      offered.empty() ? "nothing" : printable(fmt::format("{}", fmt::join(offered, ", "))));
  if (!wish.mechanism.empty()) why += fmt::format("; auth={} was asked for", wish.mechanism);
  if (wish.authzid) why += "; it must be one that can act for another user";
  if (!wish.encrypted && !wish.clear_allowed) why += "; without TLS no password is sent";
  return why;
}

void Login::drop_useless(std::vector<std::string>& ways) const {
  std::erase_if(ways, [this](const std::string& way) {
    return std::ranges::find(memory_.useless, way) != memory_.useless.end();
  });
}

bool Login::worth_trying(const std::string& way, const std::string& tried,
                         const Attempt& last) const {
  if (shows(way) || last.refused->kind() == ErrorKind::protocol) return true;
  return !last.secret_used && tried == way + "-PLUS";
}

Task<Attempt> Login::attempt_after(std::string way, const Attempt* last) {
  try {
    co_return co_await attempt(std::move(way));
  } catch (const Error& failure) {
    if (last && failure.kind() == ErrorKind::transient && !failure.retry_after()) {
      throw *last->refused;
    }
    throw;
  }
}

Task<void> Login::run(std::vector<std::string> ways) {
  const auto proven = std::ranges::find(ways, memory_.proven);
  if (proven != ways.end()) std::rotate(ways.begin(), proven, proven + 1);
  Attempt last;
  std::string tried;
  for (const std::string& way : ways) {
    if (last.refused && !worth_trying(way, tried, last)) continue;
    Attempt now = co_await attempt_after(way, last.refused ? &last : nullptr);
    if (now.refused && now.refused->kind() == ErrorKind::auth && takes_token(way)) {
      // Tokens last an hour: the credentials may have a new one by now.
      const Attempt before = std::exchange(now, {});
      now = co_await attempt_after(way, &before);
    }
    if (!now.refused) {
      memory_.proven = way;
      co_return;
    }
    last = std::move(now);
    tried = way;
    const ErrorKind kind = last.refused->kind();
    if (kind != ErrorKind::auth && kind != ErrorKind::protocol) break;
    if (!last.secret_used && way != plain_) memory_.useless.push_back(way);
    if (kind == ErrorKind::auth && shows(way)) break;
  }
  throw std::move(*last.refused);
}

Exchange::Exchange(const std::string& mechanism, Identity identity, std::string where) try
    : where_(where), client_(mechanism, std::move(identity)) {
  if (client_.first()) initial_ = base64_encode(client_.step(""));
} catch (const Error& failure) {
  throw failure.in(where);
}

std::optional<std::string> Exchange::initial(std::size_t most) {
  if (initial_ && initial_->size() > most) return std::nullopt;
  return std::exchange(initial_, std::nullopt);
}

std::string Exchange::answer(std::string_view challenge) {
  if (rounds_++ > kMaxRounds) {
    throw Error(ErrorKind::protocol, "the login does not end").in(where_);
  }
  if (rounds_ > kMaxRounds && !broken_) {
    broken_ = Error(ErrorKind::protocol, "the login does not end").in(where_);
  }
  if (broken_) return "*";
  // The first challenge is empty then, or has words for people.
  if (initial_) return *initial();
  try {
    return base64_encode(client_.step(decoded(challenge)));
  } catch (const Error& failure) {
    broken_ = failure.in(where_);
    return "*";
  }
}

void Exchange::finish(bool accepted) {
  if (broken_) throw *broken_;
  if (!accepted) return;
  try {
    client_.finish();
  } catch (const Error& failure) {
    throw failure.in(where_);
  }
}

std::string Exchange::told() const {
  const std::string& error = client_.server_error();
  return error.empty() ? "" : " (" + printable(error) + ")";
}

}  // namespace postferry::sasl
