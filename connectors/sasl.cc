// Two kinds of mechanism: those that libgsasl knows, and OAuth's own.
#include "connectors/sasl.h"

#include <fmt/format.h>
#include <gsasl.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "connectors/base64.h"
#include "connectors/sasl_oauth.h"
#include "engine/error.h"

namespace postferry::sasl {
namespace {

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  }
  return out;
}

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

bool known(std::string_view name) {
  return one_of(name, {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1",
                       "CRAM-MD5", "PLAIN", "LOGIN", "EXTERNAL", "XOAUTH2", "OAUTHBEARER"});
}

bool is_scram(std::string_view name) { return name.starts_with("SCRAM-"); }
bool needs_channel_binding(std::string_view name) { return name.ends_with("-PLUS"); }
bool carries_authzid(std::string_view name) {
  return !one_of(name, {"CRAM-MD5", "LOGIN", "XOAUTH2"});
}

bool will_do(std::string_view name, const Wish& wish) {
  if (shows_secret(name) && !wish.encrypted && !wish.clear_allowed) return false;
  if (needs_channel_binding(name) && !wish.channel_binding) return false;
  return carries_authzid(name) || !wish.authzid;
}

}  // namespace

bool shows_secret(std::string_view mechanism) {
  return one_of(mechanism, {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"});
}

bool takes_token(std::string_view mechanism) {
  return one_of(mechanism, {"XOAUTH2", "OAUTHBEARER"});
}

std::vector<std::string> choose(const std::vector<std::string>& offered, const Wish& wish) {
  std::vector<std::string> names;
  for (const std::string& name : offered) names.push_back(upper(name));
  const auto is_offered = [&](std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };

  if (!wish.mechanism.empty()) {
    const std::string asked = upper(wish.mechanism);
    const bool there = names.empty() || is_offered(asked);
    return known(asked) && there && will_do(asked, wish) ? std::vector{asked}
                                                         : std::vector<std::string>{};
  }
  // Under TLS a password that the server may check as it likes is worth more than CRAM-MD5, which
  // many offer and cannot do for passwords that they keep hashed.
  const std::array<std::string_view, 7> order = {"SCRAM-SHA-256-PLUS",
                                                 "SCRAM-SHA-256",
                                                 "SCRAM-SHA-1-PLUS",
                                                 "SCRAM-SHA-1",
                                                 wish.encrypted ? "PLAIN" : "CRAM-MD5",
                                                 wish.encrypted ? "CRAM-MD5" : "PLAIN",
                                                 "LOGIN"};
  std::vector<std::string> chosen;
  for (const std::string_view name : order) {
    if (is_offered(name) && will_do(name, wish)) chosen.emplace_back(name);
  }
  return chosen;
}

class Client::Mechanism {
 public:
  virtual ~Mechanism() = default;
  virtual bool first() const = 0;
  virtual std::string step(std::string_view challenge) = 0;
  virtual bool done() const = 0;
  virtual bool secret_used() const = 0;

  std::string server_error;
};

/// A mechanism of libgsasl. Each has a library context of its own: no globals, no sharing between
/// loops, and the SCRAM cache of nobody else.
class Client::GsaslMechanism final : public Mechanism {
 public:
  GsaslMechanism(std::string name, const Identity& identity) : name_(std::move(name)) {
    require(gsasl_init(&library_));
    if (const int code = gsasl_client_start(library_, name_.c_str(), &session_); code != GSASL_OK) {
      gsasl_done(library_);
      throw Error(ErrorKind::usage,
                  fmt::format("this libgsasl does not know {}: {}", name_, gsasl_strerror(code)));
    }
    set(GSASL_AUTHID, identity.user);
    set(GSASL_PASSWORD, identity.secret.reveal());
    // EXTERNAL without an authzid says an empty one (RFC 4422 A.1).
    if (!identity.authzid.empty() || name_ == "EXTERNAL") set(GSASL_AUTHZID, identity.authzid);
    set(GSASL_SERVICE, identity.service);
    set(GSASL_HOSTNAME, identity.host);
    if (needs_channel_binding(name_)) {
      set(GSASL_CB_TLS_EXPORTER, base64_encode(identity.channel_binding_data));
    }
  }
  ~GsaslMechanism() override {
    gsasl_finish(session_);
    gsasl_done(library_);
  }
  GsaslMechanism(const GsaslMechanism&) = delete;
  GsaslMechanism& operator=(const GsaslMechanism&) = delete;

  bool first() const override { return !one_of(name_, {"CRAM-MD5", "LOGIN"}); }
  bool done() const override { return done_; }
  bool secret_used() const override {
    // SCRAM and LOGIN begin with the user's name alone, EXTERNAL has no secret.
    if (name_ == "EXTERNAL") return false;
    return steps_ >= (is_scram(name_) || name_ == "LOGIN" ? 2 : 1);
  }

  std::string step(std::string_view challenge) override {
    if (done_) {
      // Some servers send one more empty challenge, and want an empty answer.
      if (challenge.empty()) return {};
      throw Error(ErrorKind::protocol,
                  fmt::format("the server goes on with {} after its end", name_));
    }
    if (is_scram(name_) && challenge.starts_with("e=")) {  // RFC 5802 7, server-error
      throw Error(ErrorKind::auth, std::string(challenge.substr(2)));
    }
    char* out = nullptr;
    std::size_t size = 0;
    const int code = gsasl_step(session_, challenge.data(), challenge.size(), &out, &size);
    std::string answer(out == nullptr ? "" : out, out == nullptr ? 0 : size);
    wipe(out, size);
    gsasl_free(out);
    if (code != GSASL_OK && code != GSASL_NEEDS_MORE) fail(code);
    ++steps_;
    done_ = code == GSASL_OK;
    return answer;
  }

 private:
  static void wipe(char* bytes, std::size_t size) {
    volatile char* p = bytes;
    for (std::size_t i = 0; bytes != nullptr && i < size; ++i) p[i] = 0;
  }

  static void require(int code) {
    if (code != GSASL_OK) throw Error(ErrorKind::local, gsasl_strerror(code));
  }

  [[noreturn]] void fail(int code) const {
    switch (code) {
      case GSASL_SASLPREP_ERROR:
        throw Error(
            ErrorKind::auth,
            fmt::format("the user name or password has characters that {} cannot carry", name_));
      case GSASL_AUTHENTICATION_ERROR:
        throw Error(
            ErrorKind::protocol,
            fmt::format("the server could not prove in {} that it knows the password", name_));
      default:
        throw Error(ErrorKind::protocol, fmt::format("{} failed: {}", name_, gsasl_strerror(code)));
    }
  }

  void set(Gsasl_property property, std::string_view value) {
    require(gsasl_property_set_raw(session_, property, value.data(), value.size()));
  }

  std::string name_;
  Gsasl* library_ = nullptr;
  Gsasl_session* session_ = nullptr;
  int steps_ = 0;
  bool done_ = false;
};

/// XOAUTH2 and OAUTHBEARER: everything is in the first response; a challenge is a failure, and is
/// answered only so that the server may say no.
class Client::OAuthMechanism final : public Mechanism {
 public:
  OAuthMechanism(bool xoauth2, Identity identity)
      : xoauth2_(xoauth2), identity_(std::move(identity)) {}

  bool first() const override { return true; }
  bool secret_used() const override { return sent_; }
  bool done() const override { return sent_ && server_error.empty() && !failed_; }

  std::string step(std::string_view challenge) override {
    if (!sent_) {
      sent_ = true;
      const std::string_view token = identity_.secret.reveal();
      if (xoauth2_) return xoauth2_response(identity_.user, token);
      // RFC 7628 3.1: the authzid says for whom; without one the user is meant.
      const std::string& name = identity_.authzid.empty() ? identity_.user : identity_.authzid;
      return oauthbearer_response(name, identity_.host, identity_.port, token);
    }
    if (failed_) throw Error(ErrorKind::protocol, "the server goes on after a failed login");
    failed_ = true;
    server_error = challenge;
    return xoauth2_ ? std::string() : std::string("\x01");
  }

 private:
  bool xoauth2_;
  Identity identity_;
  bool sent_ = false;
  bool failed_ = false;
};

Client::Client(std::string_view mechanism, Identity identity) {
  const std::string name = upper(mechanism);
  if (!known(name)) {
    throw Error(ErrorKind::usage, fmt::format("the mechanism {} is not known", printable(name)));
  }
  if (!identity.authzid.empty() && !carries_authzid(name)) {
    throw Error(ErrorKind::usage, fmt::format("{} cannot act for another user", name));
  }
  if (needs_channel_binding(name) && identity.channel_binding_data.empty()) {
    throw Error(ErrorKind::usage, fmt::format("{} needs a TLS 1.3 connection", name));
  }
  if (takes_token(name)) {
    mechanism_ = std::make_unique<OAuthMechanism>(name == "XOAUTH2", std::move(identity));
  } else {
    mechanism_ = std::make_unique<GsaslMechanism>(name, identity);
  }
}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

bool Client::first() const { return mechanism_->first(); }
std::string Client::step(std::string_view challenge) { return mechanism_->step(challenge); }
bool Client::secret_used() const { return mechanism_->secret_used(); }
bool Client::done() const { return mechanism_->done(); }
const std::string& Client::server_error() const { return mechanism_->server_error; }
bool Client::token_expired() const { return says_token_expired(mechanism_->server_error); }

void Client::finish() const {
  if (!done()) {
    throw Error(
        ErrorKind::protocol,
        "the server says that the login succeeded, but has not proved that it knows the password");
  }
}

}  // namespace postferry::sasl
