// The table of server software.
#include "connectors/imap/quirks.h"

#include "connectors/imap/codec/lexer.h"

namespace postferry::imap {
namespace {

struct Software {
  const char* name;
  const char* id_name;     // upper case, found in the `name` or `vendor` field of ID; or null
  const char* greeting;    // upper case, found in the greeting; or null
  const char* capability;  // offered; or null
  void (*apply)(Quirks&);
};

constexpr Software kSoftware[] = {
    // Folder names with these cannot exist there (Cyrus 3.6); `munge8bit` is its default.
    {"Cyrus", "CYRUS", "CYRUS IMAP", nullptr,
     [](Quirks& q) {
       q.forbidden_chars = "!\"%;<>\\^`{|}";
       q.slash_in_names = false;
       q.munges_8bit = true;
     }},
    // APPEND of a message it has answers OK with the first copy's UID. `^` makes a system label.
    // A NUL: `BYE Invalid character in literal`. With Auto-Expunge on, as it is by default,
    // \\Deleted takes a message out of its folder at once.
    {"Gmail", "GIMAP", "GIMAP", "X-GM-EXT-1",
     [](Quirks& q) {
       q.folds_duplicates = true;
       q.forbidden_chars = "^";
       q.names_ignore_case = true;
       q.nul_ends_session = true;
       q.deleted_hides = true;
       q.trims_names = true;
     }},
    // A `/` in a name comes back as `_xF8FF_`; `Files` is its own. A large literal that does not
    // wait may get a BAD, and its bytes be taken for commands. RFC822.SIZE may be the store's, and
    // BODY[] is made of the parts that it keeps.
    {"Exchange", "MICROSOFT.EXCHANGE", "MICROSOFT EXCHANGE", nullptr,
     [](Quirks& q) {
       q.names_ignore_case = true;
       q.stub_bodies = true;
       q.append_loses_flagged = true;
       q.regenerates = true;
       q.slash_in_names = false;
       q.distrust_literal_plus = true;
       q.slash_spelling = "_xF8FF_";
       q.reserved_names = {"files"};
     }},
    // After EXAMINE the next SELECT may show another UIDVALIDITY.
    {"Courier", "COURIER", "COURIER-IMAP", nullptr, [](Quirks& q) { q.select_not_examine = true; }},
    // Commands of more than 1000 octets end the connection.
    {"Yahoo", "YAHOO", "YAHOO", nullptr,
     [](Quirks& q) {
       q.command_octets = 1000;
       q.newest_only = 10'000;
       q.newest_only_advice = "export.imap.mail.yahoo.com shows all";
     }},
    // CREATE "INBOX\\x" is refused; `<1@old.example>` comes back as `<1@domino.example>`.
    {"Domino", "DOMINO", "DOMINO", nullptr,
     [](Quirks& q) {
       q.inbox_has_children = false;
       q.rewrites_message_id = true;
     }},
    {"UW imapd", "UW IMAP", "IMAP4REV1 2007", nullptr, [](Quirks& q) { q.command_octets = 1000; }},
    {"Dovecot", "DOVECOT", "DOVECOT", nullptr, [](Quirks&) {}},
};

}  // namespace

Quirks recognise(std::string_view greeting, const Capabilities& capabilities, const IdData& id) {
  const std::string greeted = upper_ascii(greeting);
  std::string named;
  for (const auto& [key, value] : id.fields) {
    const std::string field = upper_ascii(key);
    if (value && (field == "NAME" || field == "VENDOR")) named += upper_ascii(*value) + " ";
  }
  Quirks quirks;
  for (const Software& software : kSoftware) {
    const bool found =
        (software.id_name && named.find(software.id_name) != std::string::npos) ||
        (software.greeting && greeted.find(software.greeting) != std::string::npos) ||
        (software.capability && capabilities.has(software.capability));
    if (!found) continue;
    quirks.software = software.name;
    software.apply(quirks);
    break;
  }
  return quirks;
}

}  // namespace postferry::imap
