// What the sessions of one POP3 source share.
#pragma once

#include <string>
#include <vector>

#include "connectors/registry.h"

namespace postferry::pop3 {

struct Account {
  ConnectorContext context;
  EndSetup setup;
  std::string where;         // begins the context of errors: "source pop3s://ann@old.example"
  bool without_top = false;  // the server's TOP has proved to be broken
  std::vector<std::string> useless = {};  // mechanisms that the server offers and cannot do with us
};

}  // namespace postferry::pop3
