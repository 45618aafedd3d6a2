// Several sessions on one connection: their commands go out without waiting for each other's
// answers, each finds its folder open, and they share their fate.
#include <catch2/catch.hpp>

#include "connectors/imap/appender.h"
#include "connectors/imap/compression.h"
#include "connectors/imap/fetcher.h"
#include "connectors/imap/look.h"
#include "connectors/imap/scan.h"
#include "tests/imap/port_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

constexpr const char* kCatalogue = "UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)";

Dialogue& opened(Dialogue& d, int tag, int exists, int uid_validity = 7) {
  d.s(fmt::format("* {} EXISTS", exists)).s(fmt::format("* OK [UIDVALIDITY {}] ok", uid_validity));
  return d.s("* OK [UIDNEXT 9] ok").s(fmt::format("A{} OK", tag));
}

struct Two {
  explicit Two(std::unique_ptr<net::Stream> stream)
      : line(std::make_shared<Line>(std::make_unique<Session>(std::move(stream), "source x"))),
        first(line, Access::read),
        second(line, Access::read) {}
  std::shared_ptr<Line> line;
  Party first, second;
};

Task<void> read_into(Party& party, const char* name, std::optional<Catalogue>& catalogue,
                     std::optional<Error>& error) {
  try {
    catalogue = co_await open_and_read(party, FolderName({name}), name);
  } catch (const Error& failure) {
    error = failure;
  }
}

struct BothRead {
  std::optional<Catalogue> a, b;
  std::optional<Error> a_error, b_error;
  FolderNumbers a_numbers;
};

BothRead read_both(const Dialogue& dialogue) {
  BothRead both;
  converse(dialogue, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    both = {};
    Two two(std::move(stream));
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(read_into(two.first, "A", both.a, both.a_error));
      group.spawn(read_into(two.second, "B", both.b, both.b_error));
      co_await group.join();
    });
    both.a_numbers = two.first.folder().numbers;
  });
  return both;
}

std::vector<Catalogue::Entry> one_entry(std::uint32_t uid) {
  std::vector<Catalogue::Entry> wanted;
  wanted.push_back({MessageKey(Uid{uid}), 3, std::nullopt, nullptr});
  return wanted;
}

AppendTraits at_once() {
  AppendTraits traits;
  traits.literals = LiteralMode::kLiteralPlus;
  traits.multiappend = traits.uidplus = true;
  return traits;
}

struct Appended {
  std::string told;
  std::optional<Error> error;
};

// "a" and "b\n" are appended to A, in one batch or message by message, while B is open.
Appended append_to_a(const Dialogue& dialogue, const AppendTraits& traits) {
  Appended appended;
  converse(dialogue, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    Two two(std::move(stream));
    co_await two.first.open(FolderName({"A"}), "A");
    co_await two.second.open(FolderName({"B"}), "B");
    OneBatch feed({{"a", ""}, {"b\n", ""}});
    std::uint64_t dropped = 0;
    appended.error.reset();
    try {
      co_await append_feed(two.first, traits, feed, dropped);
    } catch (const Error& failure) {
      appended.error = failure;
    }
    appended.told = feed.told;
  });
  return appended;
}

// A is opened, then B.
Dialogue both_open() {
  Dialogue d;
  d.c("A1 EXAMINE \"A\"");
  opened(d, 1, 1);
  d.c("A2 EXAMINE \"B\"");
  opened(d, 2, 1);
  return d;
}

// All four commands are out before the first is answered.
Dialogue both_asked() {
  Dialogue d;
  d.c("A1 EXAMINE \"A\"").c(std::string("A2 ") + kCatalogue);
  d.c("A3 EXAMINE \"B\"").c(std::string("A4 ") + kCatalogue);
  return d;
}

class Keys final : public MessageSink {
 public:
  Task<void> message(Message message) override {
    told += std::to_string(message.key.uid().value) + "=" + std::string(message.body.bytes()) + " ";
    co_return;
  }
  Task<void> missing(MessageKey, bool, std::string) override { co_return; }
  std::string told;
};

}  // namespace

TEST_CASE("two folders are read over one connection in one round trip") {
  Dialogue d = both_asked();
  opened(d, 1, 1).s("* 1 FETCH (UID 5 FLAGS () RFC822.SIZE 10)").s("A2 OK");
  opened(d, 3, 2).s("* 1 FETCH (UID 6 FLAGS () RFC822.SIZE 10)");
  d.s("* 2 FETCH (UID 8 FLAGS () RFC822.SIZE 10)").s("A4 OK");
  const BothRead both = read_both(d);
  REQUIRE((both.a && both.b));
  CHECK(both.a->size() == 1);
  CHECK(both.b->size() == 2);
}

TEST_CASE("a folder that cannot be opened is its own user's trouble alone") {
  Dialogue d = both_asked();
  d.s("A1 NO [NONEXISTENT] no such folder").s("A2 BAD no folder is open");
  opened(d, 3, 0).s("A4 BAD there is nothing");
  const BothRead both = read_both(d);
  REQUIRE(both.a_error);
  CHECK(both.a_error->kind() == ErrorKind::rejected);
  CHECK(std::string(both.a_error->what()).find("no such folder") != std::string::npos);
  REQUIRE(both.b);
  CHECK(both.b->size() == 0);
}

TEST_CASE("a line that is lost is lost to all its users") {
  Dialogue d = both_asked();
  d.hangs_up();
  const BothRead both = read_both(d);
  REQUIRE((both.a_error && both.b_error));
  CHECK(both.a_error->kind() == ErrorKind::transient);
  CHECK(both.b_error->kind() == ErrorKind::transient);
}

TEST_CASE("a listing that comes short is asked for again, with its own folder open") {
  Dialogue d = both_asked();
  opened(d, 1, 2).s("* 1 FETCH (UID 5 FLAGS () RFC822.SIZE 10)").s("A2 OK");
  opened(d, 3, 0).s("A4 OK");
  d.c("A5 EXAMINE \"A\"");
  opened(d, 5, 1);
  d.c(std::string("A6 ") + kCatalogue).s("* 1 FETCH (UID 5 FLAGS () RFC822.SIZE 10)").s("A6 OK");
  const BothRead both = read_both(d);
  REQUIRE(both.a);
  CHECK(both.a->size() == 1);
}

TEST_CASE("mail that comes before UIDNEXT has been asked for does not pass for listed") {
  Dialogue d = both_asked();
  d.s("* 1 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("A1 OK");
  d.s("* 1 FETCH (UID 5 FLAGS () RFC822.SIZE 10)").s("A2 OK");
  opened(d, 3, 0).s("A4 OK");
  // Opened again, it would tell of that mail.
  d.c("A5 STATUS \"A\" (UIDNEXT UIDVALIDITY)").s("* STATUS A (UIDNEXT 9 UIDVALIDITY 7)").s("A5 OK");
  const BothRead both = read_both(d);
  REQUIRE(both.a);
  CHECK(both.a->size() == 1);
  CHECK(both.a_numbers.messages == 1);
  CHECK(both.a_numbers.uid_next == 9);
}

TEST_CASE("who comes back to a folder opens it again, and notes if it is another one") {
  const int again = GENERATE(7, 8, 0);  // 0: it is not told this time
  const bool same = again != 8;
  Dialogue d;
  d.c("A1 EXAMINE \"A\"");
  opened(d, 1, 1);
  d.c("A2 EXAMINE \"B\"");
  opened(d, 2, 1);
  d.c("A3 EXAMINE \"A\"").c("A4 UID FETCH 5 (UID FLAGS INTERNALDATE BODY.PEEK[])");
  if (again > 0) {
    opened(d, 3, 1, again);
  } else {
    d.s("* 1 EXISTS").s("A3 OK");
  }
  d.raw("* 1 FETCH (UID 5 BODY[] {3}\r\nabc)\r\n").s("A4 OK");
  Keys keys;
  std::optional<Error> error;
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    keys.told.clear();
    error.reset();
    Two two(std::move(stream));
    co_await two.first.open(FolderName({"A"}), "A");
    co_await two.second.open(FolderName({"B"}), "B");
    try {
      co_await fetch_messages(two.first, one_entry(5), keys);
    } catch (const Error& failure) {
      error = failure;
    }
  });
  CHECK(keys.told == (same ? "5=abc " : ""));
  CHECK(error.has_value() == !same);
}

TEST_CASE("who is answered before those who spoke before it gets its answer all the same") {
  Dialogue d;
  d.c("A1 EXAMINE \"A\"");
  opened(d, 1, 1);
  d.c("A2 UID FETCH 5 (UID FLAGS INTERNALDATE BODY.PEEK[])").c("A3 CREATE \"N\"");
  d.s("A3 OK created").raw("* 1 FETCH (UID 5 BODY[] {3}\r\nabc)\r\n").s("A2 OK");
  Keys keys;
  bool created = false;
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    keys.told.clear();
    created = false;
    Two two(std::move(stream));
    co_await two.first.open(FolderName({"A"}), "A");
    const auto create = [&](Turn& turn) -> Task<void> {
      Session& session = two.second.session();
      std::string tag =
          co_await two.second.say(turn, session.command("CREATE").string("N").finish());
      turn.spoken();
      co_await turn.listen();
      created = (co_await session.finish(std::move(tag))).status == Status::kOk;
    };
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(fetch_messages(two.first, one_entry(5), keys));
      group.spawn(two.second.in_turn(create));
      co_await group.join();
    });
  });
  CHECK(keys.told == "5=abc ");
  CHECK(created);
}

TEST_CASE("looking at a target opens the folder again in the same round trip") {
  Dialogue d;
  d.c("A1 EXAMINE \"A\"");
  opened(d, 1, 0);
  d.c("A3 EXAMINE \"A\"").c("A2 UID FETCH 3:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
  opened(d, 3, 1).s("* 1 FETCH (UID 3 FLAGS () RFC822.SIZE 4)").s("A2 OK");
  std::vector<TargetEntry> seen;
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    Two two(std::move(stream));
    co_await two.first.open(FolderName({"A"}), "A");
    seen = co_await look_from(two.first, Uid{3});
  });
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].size_bytes == 4);
}

TEST_CASE("a UIDVALIDITY that a STATUS alone tells is asked for behind what opens the folder") {
  const int again = GENERATE(7, 8);
  const bool waits = GENERATE(false, true);  // the name is a literal
  const std::string wire = waits ? "\xc3\x84" : "A";
  const auto names = [&](Dialogue& d, const std::string& start, const std::string& more) {
    if (waits) {
      d.c(start + " {2}").s("+ go").c(wire + more);
    } else {
      d.c(start + " \"A\"" + more);
    }
  };
  const auto opens = [](Dialogue& d, const std::string& tag) {
    d.s("* 1 EXISTS").s("* OK [UIDNEXT 9] ok").s(tag + " OK");
  };
  const auto tells = [](Dialogue& d, const std::string& tag, int validity) {
    d.s(fmt::format("* STATUS x (UIDNEXT 9 UIDVALIDITY {})", validity)).s(tag + " OK");
  };
  Dialogue d;
  names(d, "A1 EXAMINE", "");
  opens(d, "A1");
  names(d, "A2 STATUS", " (UIDNEXT UIDVALIDITY)");
  tells(d, "A2", 7);
  names(d, "A4 EXAMINE", "");
  if (waits) opens(d, "A4");
  names(d, waits ? "A6 STATUS" : "A5 STATUS", " (UIDNEXT UIDVALIDITY)");
  if (waits) tells(d, "A6", again);
  if (!waits || again == 7) d.c("A3 UID FETCH 3:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
  if (!waits) {
    opens(d, "A4");
    tells(d, "A5", again);
  }
  if (!waits || again == 7) d.s("* 1 FETCH (UID 3 FLAGS () RFC822.SIZE 4)").s("A3 OK");
  std::size_t seen = 0;
  std::optional<Error> error;
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    error.reset();
    Two two(std::move(stream));
    co_await two.first.open(FolderName({"A"}), wire);
    try {
      seen = (co_await look_from(two.first, Uid{3})).size();
    } catch (const Error& failure) {
      error = failure;
    }
  });
  CHECK(error.has_value() == (again == 8));
  if (error) CHECK(std::string(error->what()).find("UIDVALIDITY changed") != std::string::npos);
  if (!error) CHECK(seen == 1);
}

TEST_CASE("who comes to listen on a line that was lost while he spoke does not wait for ever") {
  converse(Dialogue(), [](std::unique_ptr<net::Stream> stream) -> Task<void> {
    Line line(std::make_unique<Session>(std::move(stream), "source x"));
    std::optional<Turn> first(std::in_place, line);
    Turn second(line);
    co_await first->speak();
    first->spoken();
    co_await second.speak();
    first.reset();
    second.spoken();
    const std::optional<Error> error = co_await failure_of(second.listen());
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::transient);
  });
}

TEST_CASE("behind a folder that is refused all answers are heard before others go on") {
  const bool fetching = GENERATE(true, false);
  Dialogue d = both_open();
  const std::string_view items = "(UID FLAGS INTERNALDATE ";
  if (fetching) {
    d.c("A3 EXAMINE \"A\"").c(fmt::format("A4 UID FETCH 5 {}BODY.PEEK[])", items));
    d.s("A3 NO [NOPERM] not now").s("A4 BAD no folder is open");
  } else {
    d.c("A4 EXAMINE \"A\"").c(fmt::format("A3 UID FETCH 3:* {}RFC822.SIZE)", items));
    d.s("A4 NO [NOPERM] not now").s("A3 BAD no folder is open");
  }
  // Nothing may be under way where a literal waits.
  d.c("A5 EXAMINE {3}").s("+ go").c("C\xc3\xa4");
  opened(d, 5, 1);
  std::optional<Error> error;
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    error.reset();
    Keys keys;
    Two two(std::move(stream));
    co_await two.first.open(FolderName({"A"}), "A");
    co_await two.second.open(FolderName({"B"}), "B");
    try {
      if (fetching) {
        co_await fetch_messages(two.first, one_entry(5), keys);
      } else {
        co_await look_from(two.first, Uid{3});
      }
    } catch (const Error& failure) {
      error = failure;
    }
    co_await two.second.open(FolderName({"C"}), "C\xc3\xa4");
  });
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::rejected);
}

TEST_CASE("copies that an answer leaves out for its length are looked for") {
  Dialogue d;
  d.c("A1 EXAMINE \"A\"");
  opened(d, 1, 3);
  const auto listed = [](int uid) {
    return fmt::format("* 1 FETCH (UID {} FLAGS () RFC822.SIZE {})", uid, uid);
  };
  const std::string items = " (UID FLAGS INTERNALDATE RFC822.SIZE)";
  d.c("A2 UID FETCH 3:4,8" + items).s(listed(8)).s("A2 OK [MESSAGELIMIT 1 8] cut");
  d.c("A4 EXAMINE \"A\"").c("A3 UID FETCH 3:*" + items);
  opened(d, 4, 3).s(listed(8)).s("A3 OK [MESSAGELIMIT 1 8] cut");
  d.c("A5 UID FETCH 3:7" + items).s(listed(4)).s("A5 OK [MESSAGELIMIT 1 4] cut");
  d.c("A6 UID FETCH 3:3" + items).s(listed(3)).s("A6 OK");
  std::vector<TargetEntry> seen;
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    Two two(std::move(stream));
    co_await two.first.open(FolderName({"A"}), "A");
    std::vector<Uid> wanted{Uid{3}, Uid{4}, Uid{8}};
    seen = co_await look_at(two.first, std::move(wanted));
  });
  CHECK(seen.size() == 3);
}

TEST_CASE("compression is asked for once, whoever of a line's users comes to it first") {
  Dialogue d;
  d.c("A1 COMPRESS DEFLATE").s("A1 NO not now");
  d.c("A2 APPEND \"A\" {1+}").c("a").c("A3 APPEND \"B\" {1+}").c("b");
  d.s("A2 OK [APPENDUID 7 1]").s("A3 OK [APPENDUID 7 2]");
  std::string told;
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    Compression compression(Compress::on);
    auto session = std::make_unique<Session>(std::move(stream), "target y");
    session->compression = &compression;
    session->capabilities = Capabilities({"IMAP4REV1", "COMPRESS=DEFLATE"});
    const auto line = std::make_shared<Line>(std::move(session));
    Party first(line, Access::write, folder_selected("A"));
    Party second(line, Access::write, folder_selected("B"));
    OneBatch a({{"a", ""}}), b({{"b", ""}});
    std::uint64_t dropped = 0;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(append_feed(first, at_once(), a, dropped));
      group.spawn(append_feed(second, at_once(), b, dropped));
      co_await group.join();
    });
    told = a.told + b.told;
  });
  CHECK(told == "1 2 ");
}

TEST_CASE("what is refused of an APPEND is said of its own folder, whichever is open") {
  const bool waits = GENERATE(false, true);
  AppendTraits traits = at_once();
  Dialogue d = both_open();
  if (waits) {
    traits.literals = LiteralMode::kSynchronising;
    d.c("A3 APPEND \"A\" {1}");
  } else {
    d.c("A3 APPEND \"A\" {1+}").c("a {2+}").c("b\n");
  }
  d.s("A3 NO [TRYCREATE] no such folder");
  const Appended appended = append_to_a(d, traits);
  REQUIRE(appended.error);
  CHECK(std::string(appended.error->what()).find("folder A") != std::string::npos);
}

TEST_CASE("what has been stored is told, though the folder is refused when it is opened again") {
  const bool waits = GENERATE(false, true);
  AppendTraits traits = at_once();
  traits.multiappend = false;
  Dialogue d = both_open();
  if (waits) {
    traits.literals = LiteralMode::kSynchronising;
    d.c("A3 APPEND \"A\" {1}").s("+").bytes("a\r\nA4 APPEND \"A\" {2}\r\n");
    d.s("A3 OK [APPENDUID 7 1]").s("A4 NO bare newlines");
  } else {
    d.c("A3 APPEND \"A\" {1+}").c("a").c("A4 APPEND \"A\" {2+}").c("b\n");
    d.s("A3 OK [APPENDUID 7 1]").s("A4 NO bare newlines");
  }
  d.c("A5 EXAMINE \"A\"").s("A5 NO [NOPERM] not now");
  const Appended appended = append_to_a(d, traits);
  REQUIRE(appended.error);
  CHECK(appended.error->kind() == ErrorKind::rejected);
  CHECK(appended.told == "1 ");
}
