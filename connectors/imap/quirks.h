// What is known of server software beyond its capabilities, as data. Each line names the server
// and what was seen; whoever acts on one reads a flag here and asks nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
  bool regenerates = false;            // sizes and bytes of messages are the store's own
  bool distrust_literal_plus = false;  // only short literals may go without waiting
  bool nul_ends_session = false;       // an APPEND with a NUL is answered with BYE
  bool deleted_hides = false;          // what is \\Deleted leaves its folder by itself
  bool trims_names = false;            // no blank at either end of a level, no two in a row
  bool inbox_has_children = true;      // folders may lie under INBOX
  bool rewrites_message_id = false;    // the domain of a Message-ID is replaced at APPEND
  std::vector<std::string> reserved_names;  // top-level names that cannot be made, lower case
  std::string slash_spelling;               // what a `/` in a folder's name comes back as
  std::uint64_t newest_only = 0;            // a folder shows no more messages than these; 0: all
  std::string newest_only_advice;           // where the others are to be had
  std::size_t command_octets = 8000;        // longest command line that is safe
};

/// What greeting, capabilities and the fields of ID (RFC 2971) tell. Each may be empty.
Quirks recognise(std::string_view greeting, const Capabilities& capabilities, const IdData& id);

}  // namespace postferry::imap
