// The table of servers, from what their real counterparts were seen to do.
#include "tests/sim/profile.h"

#include <stdexcept>
#include <utility>
#include <vector>

namespace postferry::sim {
namespace {

Profile dovecot() {
  Profile p;
  p.name = "dovecot";
  p.greeting = "Dovecot ready.";
  p.stranger = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+";
  p.member =
      "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ SORT THREAD=REFERENCES "
      "MULTIAPPEND "
      "UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED CONDSTORE QRESYNC ESEARCH LIST-STATUS "
      "SPECIAL-USE MOVE BINARY";
  p.id = "(\"name\" \"Dovecot\")";
  p.create_overtakes_fetch = true;
  return p;
}

Profile cyrus() {
  Profile p;
  p.name = "cyrus";
  p.greeting = "server Cyrus IMAP 3.6.1 server ready";
  p.stranger = "IMAP4rev1 LITERAL+ ID ENABLE";
  p.member =
      "IMAP4rev1 LITERAL+ ID ENABLE ACL QUOTA NAMESPACE UIDPLUS MULTIAPPEND BINARY CHILDREN "
      "CONDSTORE QRESYNC LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE MOVE ESEARCH";
  p.tells_member = false;
  p.id = "(\"name\" \"Cyrus IMAP\" \"version\" \"3.6.1\")";
  p.delimiter = '.';
  p.munges_8bit = true;
  return p;
}

Profile gmail() {
  Profile p;
  p.name = "gmail";
  p.greeting = "Gimap ready for requests";
  p.stranger = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1";
  p.member =
      "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS ENABLE MOVE "
      "CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE "
      "APPENDLIMIT=35651584";
  p.id = "(\"name\" \"GImap\" \"vendor\" \"Google, Inc.\")";
  p.folds_duplicates = true;
  p.guarantee = Guarantee::once_or_more;
  return p;
}

Profile exchange() {
  Profile p;
  p.name = "exchange";
  p.greeting = "The Microsoft Exchange IMAP4 service is ready.";
  p.stranger = "IMAP4 IMAP4rev1 LOGINDISABLED=NO ID";
  p.member = "IMAP4 IMAP4rev1 ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+ UIDPLUS";
  p.id = "(\"name\" \"Microsoft.Exchange.Imap4.Imap4Server\" \"version\" \"15.20\")";
  p.tells_member = false;
  p.loses_flagged = true;
  p.keywords = false;
  p.command_octets = 10'000;
  return p;
}

Profile yahoo() {
  Profile p;
  p.name = "yahoo";
  p.greeting = "[CLOSED] IMAP4rev1 imapgate-1.0 yahoo ready";
  p.stranger = "IMAP4rev1 ID NAMESPACE X-ID-ACLID UIDPLUS LITERAL+ CHILDREN";
  p.member = "IMAP4rev1 ID NAMESPACE UIDPLUS LITERAL+ CHILDREN XLIST UNSELECT APPENDLIMIT=41697280";
  p.id = "(\"vendor\" \"Yahoo! Inc.\")";
  p.command_octets = 1000;
  return p;
}

Profile icloud() {
  Profile p;
  p.name = "icloud";
  p.greeting = "iCloud IMAP4 server ready";
  p.stranger = "IMAP4 IMAP4rev1 SASL-IR";
  p.member =
      "XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR CONDSTORE ENABLE ESEARCH ID LITERAL+ NAMESPACE "
      "QRESYNC UIDPLUS UNSELECT";
  p.max_sessions = 5;
  p.repeats_fetch = true;
  return p;
}

Profile courier() {
  Profile p;
  p.name = "courier";
  p.greeting = "Courier-IMAP ready. See COPYING for distribution information.";
  p.stranger = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE";
  p.member = p.stranger;
  p.tells_member = false;
  p.delimiter = '.';
  p.prefix = "INBOX.";
  p.uidnext_on_select = false;
  p.append_needs_noop = true;
  p.examine_changes_validity = true;
  return p;
}

Profile zoho() {
  Profile p;
  p.name = "zoho";
  p.greeting = "IMAP4 server ready";
  p.stranger = "IMAP4rev1 UNSELECT CHILDREN XLIST NAMESPACE IDLE MOVE ID UIDPLUS";
  p.member = p.stranger;
  p.two_digit_day = true;
  p.skips_fetch = true;
  return p;
}

Profile qq() {
  Profile p;
  p.name = "qq";
  p.greeting = "[CAPABILITY IMAP4 IMAP4rev1 ID] QQMail IMAP4Server ready";
  p.stranger = "IMAP4 IMAP4rev1 ID";
  p.member = "IMAP4 IMAP4rev1 XLIST MOVE IDLE NAMESPACE CHILDREN ID UIDPLUS";
  p.refuses_descending_sets = true;
  p.keywords = false;
  return p;
}

Profile domino() {
  Profile p;
  p.name = "domino";
  p.greeting = "Domino IMAP4 Server Release 9.0 ready";
  p.stranger = "IMAP4rev1 LITERAL+ NAMESPACE UIDPLUS";
  p.member = p.stranger;
  p.delimiter = '\\';
  p.wrong_sizes = true;
  p.rewrites_message_id = true;
  return p;
}

Profile bare() {
  Profile p;
  p.name = "bare";
  p.greeting = "ready";
  p.stranger = "IMAP4rev1";
  p.member = "IMAP4rev1";
  p.tells_member = false;
  p.guarantee = Guarantee::twins_remain;
  return p;
}

const std::vector<Profile>& table() {
  static const std::vector<Profile> kTable{dovecot(), cyrus(),  gmail(),   exchange(),
                                           yahoo(),   icloud(), courier(), zoho(),
                                           qq(),      domino(), bare()};
  return kTable;
}

}  // namespace

bool Profile::offers(std::string_view capability) const {
  std::string_view rest = member;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == capability) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

std::span<const Profile> profiles() { return table(); }

Profile profile_named(std::string_view name, Dice& dice) {
  if (name == "random") return random_profile(dice);
  for (const Profile& profile : table())
    if (profile.name == name) return profile;
  throw std::invalid_argument("no such profile: " + std::string(name));
}

Profile random_profile(Dice& dice) {
  Profile p;
  p.name = "random";
  p.greeting = "ready";
  p.stranger = p.member = "IMAP4rev1";
  for (const char* extension :
       {"LITERAL+", "MULTIAPPEND", "UIDPLUS", "CONDSTORE", "NAMESPACE", "ID", "LIST-EXTENDED",
        "LIST-STATUS", "SPECIAL-USE", "CREATE-SPECIAL-USE", "ESEARCH"}) {
    if (dice.one_in(2)) p.member += std::string(" ") + extension;
  }
  if (!p.offers("LITERAL+") && dice.one_in(3)) p.member += " LITERAL-";
  p.tells_member = dice.one_in(2);
  p.delimiter = dice.one_in(2) ? '/' : '.';
  if (p.offers("NAMESPACE") && dice.one_in(3)) p.prefix = std::string("INBOX") + p.delimiter;
  p.keywords = !dice.one_in(4);
  p.uidnext_on_select = !dice.one_in(4);
  p.append_needs_noop = dice.one_in(3);
  p.two_digit_day = dice.one_in(3);
  p.refuses_descending_sets = dice.one_in(4);
  p.unordered_fetch = p.create_overtakes_fetch = dice.one_in(4);
  p.repeats_fetch = dice.one_in(4);
  p.skips_fetch = dice.one_in(5);
  p.wrong_sizes = dice.one_in(5);
  p.tracks_nothing = dice.one_in(6);
  p.max_sessions = 1 + dice.below(6);
  if (!p.offers("UIDPLUS")) p.guarantee = Guarantee::twins_remain;
  return p;
}

Profile with_wrong_modseq(Profile profile, Dice& dice) {
  constexpr std::pair<Modseq, const char*> kWrong[] = {{Modseq::behind, "behind"},
                                                       {Modseq::arrivals, "of arrivals"},
                                                       {Modseq::still, "still"},
                                                       {Modseq::erratic, "erratic"}};
  const auto& [modseq, words] = kWrong[dice.below(std::size(kWrong))];
  profile.modseq = modseq;
  profile.name += std::string(" (HIGHESTMODSEQ ") + words + ")";
  return profile;
}

}  // namespace postferry::sim
