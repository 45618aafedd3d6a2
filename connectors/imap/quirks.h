// What is known of server software beyond its capabilities, as data. Each line names the server
// and what was seen; whoever acts on one reads a flag here and asks nothing else.
#pragma once

#include <string>
#include <string_view>

#include "connectors/imap/capabilities.h"
#include "connectors/imap/codec/response.h"

namespace postferry::imap {

struct Quirks {
  std::string software;                // for people; empty if not recognised
  std::string forbidden_chars;         // bytes that no level of a folder name may hold
  bool slash_in_names = true;          // `/` may stand in a level where it is not the delimiter
  bool munges_8bit = false;            // 8-bit header bytes come back as X
  bool folds_duplicates = false;       // APPEND of an equal message answers with the old UID
  bool names_ignore_case = false;      // `Sent` and `sent` are one folder
  bool select_not_examine = false;     // EXAMINE loses UIDVALIDITY
  bool stub_bodies = false;            // a text instead of a message that cannot be rendered
  bool append_loses_flagged = false;   // \Flagged must be stored after APPEND
  bool distrust_literal_plus = false;  // only short literals may go without waiting
  bool nul_ends_session = false;       // an APPEND with a NUL is answered with BYE
  std::size_t command_octets = 8000;   // longest command line that is safe
};

/// What greeting, capabilities and the fields of ID (RFC 2971) tell. Each may be empty.
Quirks recognise(std::string_view greeting, const Capabilities& capabilities, const IdData& id);

}  // namespace postferry::imap
