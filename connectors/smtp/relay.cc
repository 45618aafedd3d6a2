#include "connectors/smtp/relay.h"

#include <utility>

#include "connectors/smtp/login.h"
#include "connectors/smtp/transaction.h"
#include "engine/async/scope.h"
#include "engine/digest.h"

namespace postferry::smtp {
namespace {

/// A name for a message that is the same at every attempt, and says nothing of it.
std::string id_of(const MessageKey& key) {
  static constexpr char kHex[] = "0123456789abcdef";
  const Sha256 hash = sha256(key.to_string());
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    text += kHex[hash[i] >> 4];
    text += kHex[hash[i] & 15];
  }
  return text;
}

class SmtpRelaySession final : public RelaySession {
 public:
  SmtpRelaySession(std::unique_ptr<Session> session, const Account& account)
      : session_(std::move(session)), account_(account) {}

  Task<RelayResult> send(const Message& message) override {
    const Endpoint& endpoint = account_.setup.endpoint;
    Parcel parcel;
    parcel.body = message.body;
    parcel.unfinished = unfinished_;
    parcel.envelope.sender = account_.sender;
    parcel.envelope.recipient = endpoint.recipient;
    parcel.trace.from = account_.context.host_name;
    parcel.trace.by = account_.context.host_name;
    parcel.trace.token = loop_token(endpoint.recipient);
    parcel.trace.id = id_of(message.key);
    parcel.trace.recipient = endpoint.recipient;
    if (endpoint.resent)
      parcel.trace.resent_from = account_.sender.empty() ? endpoint.recipient : account_.sender;
    parcel.trace.now = unix_time((co_await current_scope()).executor());
    parcel.envelope.id = parcel.trace.token + "." + parcel.trace.id;
    ++sent_;
    ParcelResult result = co_await transact(*session_, std::move(parcel));
    unfinished_ = result.unfinished;
    co_return std::move(result.result);
  }

  bool over() const override {
    const auto& most = session_->offered.most_mails;
    return session_->closing() || (most && sent_ >= *most);
  }
  std::optional<std::uint64_t> most_bytes() const override { return session_->offered.most_bytes; }
  Task<void> logout() override { co_await log_out(*session_); }

 private:
  std::unique_ptr<Session> session_;
  const Account& account_;
  bool unfinished_ = false;
  std::uint64_t sent_ = 0;
};

class SmtpRelay final : public Relay {
 public:
  SmtpRelay(const ConnectorContext& context, EndSetup setup)
      : account_{context, std::move(setup), {}, {}} {
    const Endpoint& endpoint = account_.setup.endpoint;
    account_.where = "target " + endpoint.to_string();
    if (account_.context.host_name.empty()) account_.context.host_name = "localhost";
    const bool login_is_address = endpoint.user.find('@') != std::string::npos;
    if (!endpoint.envelope_sender && !login_is_address) {
      throw Error(
          ErrorKind::usage,
          "the target's login is no address: give --envelope-sender ADDRESS, or <> for none");
    }
    account_.sender = endpoint.envelope_sender.value_or(endpoint.user);
  }

  Task<std::unique_ptr<RelaySession>> connect() override {
    std::unique_ptr<Session> session = co_await log_in(account_);
    co_return std::make_unique<SmtpRelaySession>(std::move(session), account_);
  }
  int max_sessions() const override { return account_.setup.sessions(); }
  std::string describe() const override {
    return account_.setup.endpoint.to_string() + " for " + account_.setup.endpoint.recipient;
  }

 private:
  Account account_;
};

}  // namespace

std::unique_ptr<Relay> make_relay(const ConnectorContext& context, EndSetup setup) {
  return std::make_unique<SmtpRelay>(context, std::move(setup));
}

}  // namespace postferry::smtp
