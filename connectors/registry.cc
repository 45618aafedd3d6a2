// One line a protocol.
#include "connectors/registry.h"

#include "connectors/eml/source.h"
#include "connectors/imap/source.h"
#include "connectors/imap/target.h"
#include "connectors/maildir/source.h"
#include "connectors/maildir/target.h"
#include "connectors/mbox/source.h"
#include "connectors/mbox/target.h"
#include "connectors/pop3/source.h"
#include "connectors/smtp/relay.h"
#include "engine/error.h"

namespace postferry {

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup) {
  switch (setup.endpoint.protocol) {
    case Protocol::imap:
      return imap::make_source(context, std::move(setup));
    case Protocol::pop3:
      return pop3::make_source(context, std::move(setup));
    case Protocol::maildir:
      return maildir::make_source(context, std::move(setup));
    case Protocol::mbox:
      return mbox::make_source(context, std::move(setup));
    case Protocol::eml:
      return eml::make_source(context, std::move(setup));
    case Protocol::smtp:
    case Protocol::lmtp:
    case Protocol::mx:
      throw Error(ErrorKind::usage, "SMTP and LMTP only take mail: they cannot be a source");
  }
  throw Error(ErrorKind::usage, "this protocol cannot be a source");
}

std::unique_ptr<Target> make_target(const ConnectorContext& context, EndSetup setup) {
  switch (setup.endpoint.protocol) {
    case Protocol::imap:
      return imap::make_target(context, std::move(setup));
    case Protocol::maildir:
      return maildir::make_target(context, std::move(setup));
    case Protocol::mbox:
      return mbox::make_target(context, std::move(setup));
    case Protocol::eml:
      throw Error(ErrorKind::usage, ".eml files are read, not written");
    case Protocol::pop3:
      throw Error(ErrorKind::usage, "a POP3 server cannot be a target: it only gives mail away");
    case Protocol::smtp:
    case Protocol::lmtp:
    case Protocol::mx:
      throw Error(ErrorKind::usage, "a relay has no mailbox to look into");
  }
  throw Error(ErrorKind::usage, "this protocol cannot be a target");
}

std::unique_ptr<Relay> make_relay(const ConnectorContext& context, EndSetup setup) {
  return smtp::make_relay(context, std::move(setup));
}

}  // namespace postferry
