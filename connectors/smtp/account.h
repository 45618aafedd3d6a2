// What the sessions of one relay share.
#pragma once

#include <string>

#include "connectors/registry.h"
#include "connectors/sasl_login.h"

namespace postferry::smtp {

struct Account {
  ConnectorContext context;
  EndSetup setup;
  std::string where;   // begins the context of errors: "target smtp://ann@mail.example"
  std::string sender;  // of every envelope; empty: <>
  sasl::LoginMemory logins = {};

  bool lmtp() const { return setup.endpoint.protocol == Protocol::lmtp; }
};

}  // namespace postferry::smtp
