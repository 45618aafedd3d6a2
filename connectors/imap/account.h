// What all sessions of one end share: where it is, and how its folders are spelled.
#pragma once

#include <optional>
#include <string>

#include "connectors/imap/compression.h"
#include "connectors/imap/gmail.h"
#include "connectors/imap/names.h"
#include "connectors/imap/quirks.h"
#include "connectors/registry.h"
#include "connectors/sasl_login.h"

namespace postferry::imap {

struct Account {
  ConnectorContext context;
  EndSetup setup;
  std::string where;  // begins the context of errors: "target imaps://ann@new.example"
  FolderNames names;
  sasl::LoginMemory logins;
  std::optional<Quirks> quirks;  // of the server, once a session has asked
  // Gmail's All Mail, if it is carried, and the labels of the other folders that are.
  std::optional<FolderName> rest_folder;
  Labels carried;
  Compression compression{setup.endpoint.compress};
};

}  // namespace postferry::imap
