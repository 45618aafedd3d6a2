// Opening a folder for what changed since a former run (RFC 7162), and when that is given up.
#include <catch2/catch.hpp>

#include "connectors/imap/scan.h"
#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

constexpr const char* kItems = "(UID FLAGS RFC822.SIZE INTERNALDATE)";

Since since() {
  Since since;
  since.numbers.uid_validity = 7;
  since.numbers.uid_next = 9;
  since.numbers.messages = 3;
  since.numbers.highest_modseq = 40;
  since.witnesses = {Uid{4}, Uid{6}};
  return since;
}

std::string line(std::uint32_t number, std::uint32_t uid, const std::string& flags = "") {
  return fmt::format(
      "* {} FETCH (UID {} FLAGS ({}) RFC822.SIZE {} INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" "
      "MODSEQ (50))",
      number, uid, flags, uid * 10);
}

struct Read {
  Opened opened;
  std::string told;
  std::optional<Error> error;
};

Read read_by(const Dialogue& dialogue, const std::vector<std::string>& capabilities) {
  Read read;
  converse(dialogue, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    read = {};
    auto session = std::make_unique<Session>(std::move(stream), "source x");
    session->capabilities = Capabilities(capabilities);
    Party party(std::make_shared<Line>(std::move(session)), Access::read);
    try {
      read.opened = co_await open_and_read_changes(party, FolderName({"Box"}), "Box", since());
    } catch (const Error& failure) {
      read.error = failure;
      co_return;
    }
    const Catalogue& all = read.opened.catalogue;
    for (std::size_t i = 0; i < all.size(); ++i)
      read.told += fmt::format("{}({}) ", all.uid(i).value, all[i].flags->to_string());
  });
  return read;
}

/// All that is asked goes out before the first answer.
Dialogue asked(const std::string& search) {
  Dialogue d;
  d.c("A1 EXAMINE \"Box\"");
  d.c(fmt::format("A2 UID FETCH 1:* {} (CHANGEDSINCE 40)", kItems));
  d.c(fmt::format("A3 UID FETCH 4,6,7:* {}", kItems)).c("A4 UID SEARCH " + search + "UID 7:*");
  d.s("* 4 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("* OK [UIDNEXT 10] ok");
  d.s("* OK [HIGHESTMODSEQ 50] ok").s("A1 OK");
  return d;
}

}  // namespace

TEST_CASE("what changed, what came and the witnesses are asked for in one volley with EXAMINE") {
  Dialogue d = asked("RETURN (ALL) ");
  d.s(line(1, 2, "\\Seen")).s(line(4, 9)).s("A2 OK");
  d.s(line(2, 4)).s(line(3, 6)).s(line(4, 9)).s("A3 OK");
  d.s("* ESEARCH (TAG \"A4\") UID ALL 9").s("A4 OK");
  const Read read = read_by(d, {"CONDSTORE", "ESEARCH"});
  CHECK(read.opened.changes_only);
  CHECK(read.told == "2(\\Seen) 4() 6() 9() ");
  CHECK(read.opened.numbers.highest_modseq == 50u);
  CHECK(read.opened.numbers.messages == 4u);
}

TEST_CASE("a message that SEARCH names and FETCH leaves out takes a whole catalogue") {
  Dialogue d = asked("");
  d.s(line(1, 2, "\\Seen")).s("A2 OK").s(line(2, 4)).s(line(3, 6)).s("A3 OK");
  d.s("* SEARCH 6 9").s("A4 OK");
  d.c(fmt::format("A5 UID FETCH 1:* {}", kItems));
  d.s(line(1, 2)).s(line(2, 4)).s(line(3, 6)).s(line(4, 9)).s("A5 OK");
  const Read read = read_by(d, {"CONDSTORE"});
  CHECK_FALSE(read.opened.changes_only);
  CHECK(read.told == "2() 4() 6() 9() ");
}

TEST_CASE("a folder without mod-sequences is read whole, and so is one that is cut short") {
  const std::string answer = GENERATE("A2 BAD no such thing here", "A2 OK [MESSAGELIMIT 1 5] cut");
  Dialogue d = asked("");
  d.s(answer).s(line(2, 4)).s(line(3, 6)).s(line(4, 9)).s("A3 OK").s("* SEARCH 9").s("A4 OK");
  d.c(fmt::format("A5 UID FETCH 1:* {}", kItems));
  d.s(line(1, 2)).s(line(2, 4)).s(line(3, 6)).s(line(4, 9)).s("A5 OK");
  const Read read = read_by(d, {"CONDSTORE"});
  CHECK_FALSE(read.opened.changes_only);
  CHECK(read.told == "2() 4() 6() 9() ");
}

TEST_CASE("without CONDSTORE nothing but the whole is asked for") {
  Dialogue d;
  d.c("A1 EXAMINE \"Box\"").c(fmt::format("A2 UID FETCH 1:* {}", kItems));
  d.s("* 1 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("* OK [UIDNEXT 10] ok").s("A1 OK");
  d.s(line(1, 9)).s("A2 OK");
  const Read read = read_by(d, {"ESEARCH"});
  CHECK_FALSE(read.opened.changes_only);
  CHECK(read.told == "9() ");
}

TEST_CASE("a folder that is gone says so, whatever was asked behind") {
  Dialogue d;
  d.c("A1 EXAMINE \"Box\"");
  d.c(fmt::format("A2 UID FETCH 1:* {} (CHANGEDSINCE 40)", kItems));
  d.c(fmt::format("A3 UID FETCH 4,6,7:* {}", kItems)).c("A4 UID SEARCH UID 7:*");
  d.s("A1 NO [NONEXISTENT] gone").s("A2 BAD").s("A3 BAD").s("A4 BAD");
  const Read read = read_by(d, {"CONDSTORE"});
  REQUIRE(read.error);
  CHECK(read.error->kind() == ErrorKind::rejected);
}

TEST_CASE("the list of UIDs is a SEARCH, or a catalogue where that comes short") {
  const bool whole = GENERATE(true, false);
  Dialogue d;
  d.c("A1 EXAMINE \"Box\"").s("* 3 EXISTS").s("* OK [UIDVALIDITY 7] ok");
  d.s("* OK [UIDNEXT 10] ok").s("A1 OK");
  d.c("A2 UID SEARCH ALL").s(whole ? "* SEARCH 9 2 3" : "* SEARCH 9 2").s("A2 OK");
  if (!whole) {
    d.c(fmt::format("A3 UID FETCH 1:* {}", kItems));
    d.s(line(1, 2)).s(line(2, 3)).s(line(3, 9)).s("A3 OK");
  }
  std::vector<UidRange> uids;
  converse(d, in_open_folder([&](Party& party) -> Task<void> {
             co_await party.open(FolderName({"Box"}), "Box");
             uids = co_await list_uids(party);
           }));
  CHECK(holds(uids, Uid{2}));
  CHECK(holds(uids, Uid{3}));
  CHECK(holds(uids, Uid{9}));
  CHECK_FALSE(holds(uids, Uid{4}));
  CHECK_FALSE(holds(uids, Uid{1}));
}

TEST_CASE("a SEARCH that is answered by OK alone does not say that the folder is empty") {
  Dialogue d;
  d.c("A1 EXAMINE \"Box\"").s("* 1 EXISTS").s("* OK [UIDVALIDITY 7] ok");
  d.s("* OK [UIDNEXT 10] ok").s("A1 OK");
  d.c("A2 UID SEARCH ALL").s("A2 OK");
  d.c(fmt::format("A3 UID FETCH 1:* {}", kItems)).s(line(1, 9)).s("A3 OK");
  std::vector<UidRange> uids;
  converse(d, in_open_folder([&](Party& party) -> Task<void> {
             co_await party.open(FolderName({"Box"}), "Box");
             uids = co_await list_uids(party);
           }));
  CHECK(holds(uids, Uid{9}));
}
