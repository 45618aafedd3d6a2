// Whole logins, against libgsasl's own server side and against RFC examples; and servers that
// cheat.
#include <gsasl.h>

#include <catch2/catch.hpp>
#include <string>

#include "connectors/base64.h"
#include "connectors/sasl.h"
#include "connectors/sasl_oauth.h"
#include "engine/error.h"

using namespace postferry;
using namespace postferry::sasl;

namespace {

Identity ann() {
  return {.user = "ann@example.org",
          .authzid = "",
          .secret = Secret("p=\xc3\xa4ss, word"),
          .host = "mail.example.org",
          .port = 993,
          .service = "imap",
          .channel_binding_data = std::string("binding\0data", 12)};
}

/// libgsasl as the server, which knows one password.
class Server {
 public:
  Server(const std::string& mechanism, std::string password, std::string binding = {})
      : password_(std::move(password)), binding_(std::move(binding)) {
    REQUIRE(gsasl_init(&library_) == GSASL_OK);
    gsasl_callback_set(library_, &Server::callback);
    gsasl_callback_hook_set(library_, this);
    REQUIRE(gsasl_server_start(library_, mechanism.c_str(), &session_) == GSASL_OK);
  }
  ~Server() {
    gsasl_finish(session_);
    gsasl_done(library_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// GSASL_OK, GSASL_NEEDS_MORE or an error; the words for the client in `out`.
  int step(const std::string& input, std::string& out) {
    char* bytes = nullptr;
    std::size_t size = 0;
    const int code = gsasl_step(session_, input.data(), input.size(), &bytes, &size);
    out.assign(bytes == nullptr ? "" : bytes, bytes == nullptr ? 0 : size);
    gsasl_free(bytes);
    return code;
  }
  const std::string& authid() const { return authid_; }
  const std::string& authzid() const { return authzid_; }

 private:
  static int callback(Gsasl* library, Gsasl_session* session, Gsasl_property property) {
    auto* self = static_cast<Server*>(gsasl_callback_hook_get(library));
    const auto said = [&](Gsasl_property name) {
      const char* value = gsasl_property_fast(session, name);
      return std::string(value == nullptr ? "" : value);
    };
    switch (property) {
      case GSASL_PASSWORD:
        self->authid_ = said(GSASL_AUTHID);
        self->authzid_ = said(GSASL_AUTHZID);
        return gsasl_property_set(session, GSASL_PASSWORD, self->password_.c_str());
      case GSASL_CB_TLS_EXPORTER:
        if (self->binding_.empty()) return GSASL_NO_CALLBACK;
        return gsasl_property_set(session, GSASL_CB_TLS_EXPORTER,
                                  base64_encode(self->binding_).c_str());
      case GSASL_VALIDATE_SIMPLE:
        self->authid_ = said(GSASL_AUTHID);
        self->authzid_ = said(GSASL_AUTHZID);
        return said(GSASL_PASSWORD) == self->password_ ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
      case GSASL_VALIDATE_EXTERNAL:
        self->authzid_ = said(GSASL_AUTHZID);
        return GSASL_OK;
      default:
        return GSASL_NO_CALLBACK;
    }
  }

  Gsasl* library_ = nullptr;
  Gsasl_session* session_ = nullptr;
  std::string password_;
  std::string binding_;
  std::string authid_;
  std::string authzid_;
};

/// Runs a login to its end; whether the server was content.
bool login(Client& client, Server& server, bool initial_response) {
  std::string said;
  if (initial_response && client.first()) said = client.step("");
  for (int round = 0; round < 10; ++round) {
    std::string challenge;
    const bool asked_for_nothing = round == 0 && !initial_response && client.first();
    const int code = asked_for_nothing ? GSASL_NEEDS_MORE : server.step(said, challenge);
    if (code == GSASL_OK) {
      // What the server says with its last word (SCRAM's signature) comes as a challenge too.
      if (!challenge.empty()) CHECK(client.step(challenge).empty());
      client.finish();
      return true;
    }
    if (code != GSASL_NEEDS_MORE) return false;
    said = client.step(challenge);
  }
  FAIL("the login does not end");
  return false;
}

ErrorKind kind_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  FAIL("nothing was thrown");
  return ErrorKind::usage;
}

}  // namespace

TEST_CASE("each mechanism logs in, with and without an initial response") {
  const std::string name = GENERATE("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
                                    "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN");
  const bool initial_response = GENERATE(false, true);
  INFO(name << (initial_response ? " at once" : " in two steps"));
  Client client(name, ann());
  Server server(name, "p=\xc3\xa4ss, word", ann().channel_binding_data);
  CHECK(client.first() == (name != "CRAM-MD5" && name != "LOGIN"));
  CHECK(login(client, server, initial_response));
  CHECK(server.authid() == "ann@example.org");
  CHECK(client.done());
}

TEST_CASE("a wrong password does not log in") {
  const std::string name = GENERATE("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN");
  INFO(name);
  Client client(name, ann());
  Server server(name, "another");
  CHECK_FALSE(login(client, server, true));
}

TEST_CASE("another channel is noticed by the PLUS mechanisms") {
  Client client("SCRAM-SHA-256-PLUS", ann());
  Server server("SCRAM-SHA-256-PLUS", "p=\xc3\xa4ss, word", "of another connection");
  CHECK_FALSE(login(client, server, true));
}

TEST_CASE("the authzid is said by mechanisms that have one") {
  const std::string name = GENERATE("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN");
  Identity identity = ann();
  identity.authzid = "bob";
  Client client(name, identity);
  Server server(name, "p=\xc3\xa4ss, word");
  CHECK(login(client, server, true));
  CHECK(server.authzid() == "bob");
  CHECK(server.authid() == "ann@example.org");
}

TEST_CASE("a mechanism that cannot say the authzid is refused") {
  Identity identity = ann();
  identity.authzid = "bob";
  for (const char* name : {"LOGIN", "CRAM-MD5", "XOAUTH2"}) {
    CHECK(kind_of([&] { Client client(name, identity); }) == ErrorKind::usage);
  }
}

TEST_CASE("unknown mechanisms are refused") {
  for (const char* name : {"GSSAPI", "", "PLAIN ", "DIGEST-MD5"}) {
    CHECK(kind_of([&] { Client client(name, ann()); }) == ErrorKind::usage);
  }
}

TEST_CASE("PLUS without channel binding data is refused") {
  Identity identity = ann();
  identity.channel_binding_data.clear();
  CHECK(kind_of([&] { Client client("SCRAM-SHA-256-PLUS", identity); }) == ErrorKind::usage);
}

TEST_CASE("PLAIN says authzid, user and password between NULs") {
  Client client("plain", ann());
  CHECK(client.step("") == std::string("\0ann@example.org\0p=\xc3\xa4ss, word", 29));
  CHECK(client.done());
  client.finish();
}

TEST_CASE("CRAM-MD5 agrees with the example of RFC 2195") {
  Identity identity = ann();
  identity.user = "tim";
  identity.secret = Secret("tanstaaftanstaaf");
  Client client("CRAM-MD5", identity);
  CHECK_FALSE(client.first());
  CHECK(client.step("<1896.697170952@postoffice.reston.mci.net>") ==
        "tim b913a602c7eda7a495b4e6e7334d3890");
  client.finish();
}

TEST_CASE("EXTERNAL says the authzid or nothing") {
  Client nobody("EXTERNAL", ann());
  CHECK(nobody.first());
  CHECK(nobody.step("").empty());
  CHECK(nobody.done());
  Identity identity = ann();
  identity.authzid = "bob";
  CHECK(Client("EXTERNAL", identity).step("") == "bob");
}

TEST_CASE("a server that does not prove itself in SCRAM is not believed") {
  Client client("SCRAM-SHA-256", ann());
  Server server("SCRAM-SHA-256", "p=\xc3\xa4ss, word");
  std::string challenge;
  REQUIRE(server.step(client.step(""), challenge) == GSASL_NEEDS_MORE);
  const std::string proof = client.step(challenge);
  CHECK(client.secret_used());
  CHECK_FALSE(client.done());
  CHECK(kind_of([&] { client.finish(); }) == ErrorKind::protocol);

  std::string signature;
  REQUIRE(server.step(proof, signature) == GSASL_OK);
  signature[5] = signature[5] == 'A' ? 'B' : 'A';
  CHECK(kind_of([&] { client.step(signature); }) == ErrorKind::protocol);
  CHECK_FALSE(client.done());
}

TEST_CASE("a SCRAM server that answers with rubbish breaks the protocol") {
  for (const char* challenge : {"", "rubbish", "r=other,s=QUJD,i=4096"}) {
    Client client("SCRAM-SHA-256", ann());
    client.step("");
    CHECK(kind_of([&] { client.step(challenge); }) == ErrorKind::protocol);
  }
}

TEST_CASE("a SCRAM server that names an error refuses the login") {
  Client client("SCRAM-SHA-256", ann());
  client.step("");
  CHECK(kind_of([&] { client.step("e=unknown-user"); }) == ErrorKind::auth);
}

TEST_CASE("a secret counts as used once something made from it was said") {
  const auto used_after = [](const char* name, std::initializer_list<const char*> challenges) {
    Client client(name, ann());
    CHECK_FALSE(client.secret_used());
    for (const char* challenge : challenges) client.step(challenge);
    return client.secret_used();
  };
  CHECK_FALSE(used_after("SCRAM-SHA-256-PLUS", {""}));
  CHECK_FALSE(used_after("SCRAM-SHA-1", {""}));
  CHECK_FALSE(used_after("LOGIN", {"Username:"}));
  CHECK_FALSE(used_after("EXTERNAL", {""}));
  CHECK(used_after("LOGIN", {"Username:", "Password:"}));
  CHECK(used_after("PLAIN", {""}));
  CHECK(used_after("CRAM-MD5", {"<1@x>"}));
  CHECK(used_after("XOAUTH2", {""}));
}

TEST_CASE("XOAUTH2 sends the token first, and nothing in answer to a failure") {
  Identity identity = ann();
  identity.secret = Secret("ya29.token");
  Client client("XOAUTH2", identity);
  CHECK(client.first());
  CHECK(client.step("") ==
        "user=ann@example.org\x01"
        "auth=Bearer ya29.token\x01\x01");
  CHECK(client.done());
  CHECK(client.step(R"({"status":"401","schemes":"bearer","scope":"https://mail.google.com/"})")
            .empty());
  CHECK_FALSE(client.done());
  CHECK(client.token_expired());
  CHECK(client.server_error().find("mail.google.com") != std::string::npos);
  CHECK(kind_of([&] { client.finish(); }) == ErrorKind::protocol);
  CHECK(kind_of([&] { client.step("more"); }) == ErrorKind::protocol);
}

TEST_CASE("OAUTHBEARER agrees with the example of RFC 7628") {
  CHECK(oauthbearer_response("user@example.com", "server.example.com", 143,
                             "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==") ==
        "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
        "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01");
  CHECK(oauthbearer_response("a,b=c", "h", 1, "t").starts_with("n,a=a=2Cb=3Dc,"));
}

TEST_CASE("OAUTHBEARER answers a failure with one byte") {
  Client client("OAUTHBEARER", ann());
  client.step("");
  CHECK(client.step(R"({"status":"invalid_token","scope":"x"})") == "\x01");
  CHECK(client.token_expired());
}

TEST_CASE("only an expired token is worth a new one") {
  CHECK(says_token_expired(R"({"status":"401"})"));
  CHECK(says_token_expired(R"({ "scope" : "status" , "status" : 401 })"));
  CHECK(says_token_expired(R"({"status":"invalid_token"})"));
  CHECK_FALSE(says_token_expired(R"({"status":"403"})"));
  CHECK_FALSE(says_token_expired(R"({"status":"insufficient_scope"})"));
  CHECK_FALSE(says_token_expired(R"({"mystatus":"401"})"));
  CHECK_FALSE(says_token_expired(R"({"status":)"));
  CHECK_FALSE(says_token_expired(""));
}
