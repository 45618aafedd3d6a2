// What the sessions of one relay share.
#pragma once

#include <string>
#include <vector>

#include "connectors/registry.h"

namespace postferry::smtp {

struct Account {
  ConnectorContext context;
  EndSetup setup;
  std::string where;   // begins the context of errors: "target smtp://ann@mail.example"
  std::string sender;  // of every envelope; empty: <>
  std::vector<std::string> useless = {};  // mechanisms that the server offers and cannot do with us

  bool lmtp() const { return setup.endpoint.protocol == Protocol::lmtp; }
};

}  // namespace postferry::smtp
