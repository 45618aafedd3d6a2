// What the sessions of one POP3 source share.
#pragma once

#include <string>

#include "connectors/registry.h"
#include "connectors/sasl_login.h"

namespace postferry::pop3 {

struct Account {
  ConnectorContext context;
  EndSetup setup;
  std::string where;         // begins the context of errors: "source pop3s://ann@old.example"
  bool without_top = false;  // the server's TOP has proved to be broken
  sasl::LoginMemory logins = {};
};

}  // namespace postferry::pop3
