// Which mechanism is taken, of those that a server offers.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "connectors/sasl.h"

using namespace postferry::sasl;
using Names = std::vector<std::string>;

namespace {

const Names kAll = {"login",       "PLAIN",         "CRAM-MD5",
                    "EXTERNAL",    "XOAUTH2",       "OAUTHBEARER",
                    "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
                    "GSSAPI",      "NTLM",          "SCRAM-SHA-1-PLUS"};

}  // namespace

TEST_CASE("the best mechanism comes first under TLS") {
  CHECK(choose(kAll, {.encrypted = true, .channel_binding = true}) ==
        Names{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN",
              "CRAM-MD5", "LOGIN"});
}

TEST_CASE("without channel binding there is no PLUS") {
  CHECK(choose(kAll, {.encrypted = true}) ==
        Names{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "CRAM-MD5", "LOGIN"});
}

TEST_CASE("no mechanism that shows the secret is taken in the clear") {
  CHECK(choose(kAll, {}) == Names{"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"});
  CHECK(choose({"PLAIN", "LOGIN"}, {}).empty());
  for (const char* name : {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"}) {
    CHECK(choose(kAll, {.mechanism = name}).empty());
  }
}

TEST_CASE("tls=none, spelled out, allows the clear") {
  CHECK(choose({"PLAIN", "LOGIN", "CRAM-MD5"}, {.clear_allowed = true}) ==
        Names{"CRAM-MD5", "PLAIN", "LOGIN"});
}

TEST_CASE("a mechanism that was asked for stands alone") {
  CHECK(choose(kAll, {.mechanism = "plain", .encrypted = true}) == Names{"PLAIN"});
  CHECK(choose(kAll, {.mechanism = "xoauth2", .encrypted = true}) == Names{"XOAUTH2"});
  CHECK(choose(kAll, {.mechanism = "EXTERNAL", .encrypted = true}) == Names{"EXTERNAL"});
  CHECK(choose({"PLAIN"}, {.mechanism = "SCRAM-SHA-256", .encrypted = true}).empty());
  CHECK(choose(kAll, {.mechanism = "GSSAPI", .encrypted = true}).empty());
}

TEST_CASE("a mechanism that was asked for is tried where the server says nothing") {
  CHECK(choose({}, {.mechanism = "PLAIN", .encrypted = true}) == Names{"PLAIN"});
  CHECK(choose({}, {.encrypted = true}).empty());
}

TEST_CASE("who acts for another user gets a mechanism that can say so") {
  CHECK(choose(kAll, {.encrypted = true, .authzid = true}) ==
        Names{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"});
  CHECK(choose(kAll, {.mechanism = "LOGIN", .encrypted = true, .authzid = true}).empty());
}
