// The parts of the response parser, one for each family of responses; private to the codec.
// Each begins behind the response's name and reads to the end of its frame.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connectors/imap/codec/lexer.h"
#include "connectors/imap/codec/response.h"

namespace postferry::imap {

/// With `head`, the frame may end behind a streamed literal.
FetchData parse_fetch(Lexer& lexer, const Limits& limits, bool head);

ListData parse_list(Lexer& lexer, ListData::Kind kind);
StatusData parse_status(Lexer& lexer);
NamespaceData parse_namespace(Lexer& lexer);
QuotaData parse_quota(Lexer& lexer);
QuotaRootData parse_quota_root(Lexer& lexer, const Limits& limits);

SearchData parse_search(Lexer& lexer);
EsearchData parse_esearch(Lexer& lexer, const Limits& limits);
VanishedData parse_vanished(Lexer& lexer, const Limits& limits);

/// `(\Seen $Forwarded)`, or NIL for none.
std::vector<std::string> parse_flag_list(Lexer& lexer);

/// Fails unless only spaces are left.
void expect_end(Lexer& lexer);

}  // namespace postferry::imap
