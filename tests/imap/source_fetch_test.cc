// Fetching whole messages: windows, answers in any order, bodies that do not come.
#include <catch2/catch.hpp>

#include "connectors/imap/fetcher.h"
#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

class Recorder final : public MessageSink {
 public:
  Recorder(TaskGroup& group, std::uint64_t read_ahead) : group_(group), room_(read_ahead) {}

  Share* share() override { return &share_; }

  Task<void> message(Message message) override {
    told += fmt::format("{}({}){} ", message.key.uid().value, message.flags.to_string(),
                        message.date ? fmt::format("@{}", message.date->seconds) : "");
    if (message.body.streamed()) {
      group_.spawn([this, body = message.body, key = message.key.uid().value]() -> Task<void> {
        std::uint64_t count = 0;
        co_await body.write_to([&count](std::string_view bytes) -> Task<void> {
          count += bytes.size();
          co_return;
        });
        told += fmt::format("{}:{} bytes ", key, count);
      });
    } else {
      bodies += fmt::format("{}='{}' ", message.key.uid().value, message.body.bytes());
    }
    co_return;
  }
  Task<void> missing(MessageKey key, bool gone, std::string reason) override {
    told += fmt::format("{} {} '{}' ", key.uid().value, gone ? "gone" : "unreadable", reason);
    co_return;
  }

  void crawling() override { crawls = true; }

  std::string told, bodies;
  bool crawls = false;

 private:
  TaskGroup& group_;
  Room room_;
  Share share_{room_};
};

struct Fetched {
  std::string told, bodies;
  bool crawls = false;
  std::optional<Error> error;
};

Fetched fetch_by(const Dialogue& dialogue,
                 std::vector<std::pair<std::uint32_t, std::uint64_t>> wanted,
                 const Quirks& quirks = {}, std::uint64_t read_ahead = 1 << 20) {
  Fetched fetched;
  converse(
      dialogue, in_open_folder([&](Party& party) -> Task<void> {
        party.session().quirks = quirks;
        std::vector<Catalogue::Entry> entries;
        for (const auto& [uid, size] : wanted) {
          entries.push_back({MessageKey(Uid{uid}), size, InternalDate{1'000'000'000, 0}, nullptr});
        }
        fetched = {};
        co_await with_group([&](TaskGroup& group) -> Task<void> {
          Recorder recorder(group, read_ahead);
          try {
            co_await fetch_messages(party, entries, recorder);
          } catch (const Error& error) {
            fetched.error = error;
          }
          co_await group.join();
          fetched.told = recorder.told;
          fetched.bodies = recorder.bodies;
          fetched.crawls = recorder.crawls;
        });
      }));
  return fetched;
}

std::string whole(int seq, std::uint32_t uid, const std::string& body, const char* rest = "") {
  return fmt::format("* {} FETCH (UID {}{} BODY[] {{{}}}\r\n{})\r\n", seq, uid, rest, body.size(),
                     body);
}

const char* const kItems = " (UID FLAGS INTERNALDATE BODY.PEEK[])";

}  // namespace

TEST_CASE("messages come with the flags and date of the fetch, else with those of the catalogue") {
  Dialogue d;
  d.c(std::string("A1 UID FETCH 3:4,9") + kItems);
  d.raw(whole(1, 3, "abc", " FLAGS (\\Seen) INTERNALDATE \" 9-Sep-2001 01:46:41 +0000\""));
  d.raw(whole(2, 4, "")).raw(whole(3, 9, "def", " FLAGS (x)")).s("A1 OK");
  const Fetched fetched = fetch_by(d, {{3, 3}, {4, 0}, {9, 3}});
  CHECK(fetched.told == "3(\\Seen)@1000000001 4()@1000000000 9(x)@1000000000 ");
  CHECK(fetched.bodies == "3='abc' 4='' 9='def' ");
}

TEST_CASE("answers are matched by UID, whatever their order; strangers and repeats do not count") {
  Dialogue d;
  d.c(std::string("A1 UID FETCH 3:4") + kItems);
  d.raw(whole(7, 4, "four")).raw(whole(8, 77, "stranger")).s("* 3 FETCH (UID 3 FLAGS (\\Seen))");
  d.raw(whole(8, 4, "again")).raw(whole(6, 3, "three")).s("A1 OK");
  CHECK(fetch_by(d, {{3, 5}, {4, 4}}).bodies == "3='three' 4='four' ");
}

TEST_CASE("windows are planned by bytes, two are in flight, and messages come in their order") {
  constexpr std::uint64_t kHalf = 1 << 19;
  Dialogue d;
  d.c(std::string("A1 UID FETCH 1:2") + kItems).c(std::string("A2 UID FETCH 3:4") + kItems);
  d.raw(whole(1, 1, "a")).raw(whole(4, 4, "d")).raw(whole(3, 3, "c")).s("A2 OK");
  d.c(std::string("A3 UID FETCH 5") + kItems).raw(whole(5, 5, "e")).s("A3 OK");
  d.raw(whole(2, 2, "b")).s("A1 OK");
  CHECK(fetch_by(d, {{1, kHalf}, {2, kHalf}, {3, kHalf}, {4, kHalf}, {5, kHalf}}).bodies ==
        "1='a' 2='b' 3='c' 4='d' 5='e' ");
}

TEST_CASE(
    "a long body is asked for when those before it are nearly here, the next when it begins") {
  const std::string big(kHoldLimit + 1, 'x');
  constexpr std::uint64_t kHalf = 1 << 19;
  Dialogue d;
  d.c(std::string("A1 UID FETCH 1:2") + kItems).raw(whole(1, 1, "a"));
  d.raw(whole(2, 2, "b"));
  d.c(std::string("A2 UID FETCH 3") + kItems).s("A1 OK");
  d.raw(fmt::format("* 3 FETCH (UID 3 BODY[] {{{}}}\r\n{}", big.size(), big.substr(1)));
  d.c(std::string("A3 UID FETCH 4") + kItems).raw("x)\r\n");
  d.s("A2 OK").raw(whole(4, 4, "d")).s("A3 OK");
  const Fetched fetched = fetch_by(d, {{1, kHalf}, {2, kHalf}, {3, big.size()}, {4, 1}});
  CHECK(fetched.told.starts_with("1()@1000000000 2()@1000000000 3()@1000000000 "));
  CHECK(fetched.bodies == "1='a' 2='b' 4='d' ");
}

TEST_CASE("as much is asked for in advance as may be held, and long bodies wait for their turn") {
  const std::string big(kHoldLimit + 1, 'x');
  Dialogue d;
  d.c(std::string("A1 UID FETCH 1") + kItems).c(std::string("A2 UID FETCH 2") + kItems);
  d.c(std::string("A3 UID FETCH 3") + kItems);
  d.raw(whole(2, 2, big)).s("A2 OK").raw(whole(1, 1, "a"));
  d.c(std::string("A4 UID FETCH 4") + kItems);
  d.s("A1 OK").raw(whole(3, 3, big)).s("A3 OK").raw(whole(4, 4, "d")).s("A4 OK");
  const Fetched fetched = fetch_by(
      d, {{1, kHoldLimit}, {2, big.size()}, {3, big.size()}, {4, kHoldLimit}}, {}, 4 << 20);
  CHECK(fetched.bodies == "1='a' 2='" + big + "' 4='d' ");
  CHECK(fetched.told.starts_with("1()@1000000000 2()@1000000000 3()@1000000000 "));
}

TEST_CASE("sets are ascending even if the order asked for is not") {
  Dialogue d;
  d.c(std::string("A1 UID FETCH 5") + kItems).c(std::string("A2 UID FETCH 2:3") + kItems);
  d.raw(whole(1, 5, "a")).s("A1 OK").raw(whole(2, 2, "b")).raw(whole(3, 3, "c")).s("A2 OK");
  CHECK(fetch_by(d, {{5, 1}, {2, 1}, {3, 1}}).bodies == "5='a' 2='b' 3='c' ");
}

TEST_CASE(
    "bodies that are NIL, empty or left out are asked for alone; what is gone is told apart") {
  Dialogue d;
  d.c(std::string("A1 UID FETCH 1:5") + kItems);
  d.s("* 1 FETCH (UID 1 BODY[] NIL)").s("* 2 FETCH (UID 2 BODY[] \"\")");
  d.raw(whole(5, 5, "five")).s("A1 OK");
  d.c("A2 NOOP").s("A2 OK").c("A3 UID FETCH 1:4 (UID)");
  d.s("* 1 FETCH (UID 1)").s("* 2 FETCH (UID 2)").s("* 4 FETCH (UID 4)").s("A3 OK");
  d.c(std::string("A4 UID FETCH 1") + kItems).raw(whole(1, 1, "one")).s("A4 OK");
  d.c(std::string("A5 UID FETCH 2") + kItems).s("* 2 FETCH (UID 2 BODY[] \"\")").s("A5 OK");
  d.c(std::string("A6 UID FETCH 4") + kItems).s("A6 NO Message is corrupt");
  const Fetched fetched = fetch_by(d, {{1, 3}, {2, 2}, {3, 3}, {4, 4}, {5, 4}});
  CHECK(fetched.bodies == "5='five' 1='one' ");
  CHECK(fetched.told ==
        "5()@1000000000 1()@1000000000 2 unreadable 'the server lists this message (2 bytes) but "
        "gives no bytes for it' 3 gone '' 4 unreadable 'Message is corrupt' ");
}

TEST_CASE("what comes when another one is asked for alone is no second word of any message") {
  Dialogue d;
  d.c(std::string("A1 UID FETCH 1:4") + kItems).s("A1 OK");
  d.c("A2 NOOP").s("A2 OK").c("A3 UID FETCH 1:4 (UID)");
  d.s("* 2 FETCH (UID 2)").s("* 3 FETCH (UID 3)").s("* 4 FETCH (UID 4)").s("A3 OK");
  d.c(std::string("A4 UID FETCH 2") + kItems);
  d.raw(whole(1, 1, "one")).raw(whole(3, 3, "three")).s("A4 NO gone bad");
  d.c(std::string("A5 UID FETCH 4") + kItems);
  d.raw(whole(2, 2, "two")).raw(whole(3, 3, "three")).raw(whole(4, 4, "four")).s("A5 OK");
  const Fetched fetched = fetch_by(d, {{1, 3}, {2, 3}, {3, 5}, {4, 4}});
  CHECK(fetched.told == "1 gone '' 3()@1000000000 2 unreadable 'gone bad' 4()@1000000000 ");
  CHECK(fetched.bodies == "3='three' 4='four' ");
}

TEST_CASE("Exchange's stub text is not the message") {
  const std::string stub =
      "Subject: Retrieval using the IMAP4 protocol failed for the following message: 12\r\n\r\n";
  Dialogue d;
  d.c(std::string("A1 UID FETCH 1") + kItems).raw(whole(1, 1, stub)).s("A1 OK");
  d.c("A2 NOOP").s("A2 OK").c("A3 UID FETCH 1 (UID)").s("* 1 FETCH (UID 1)").s("A3 OK");
  d.c(std::string("A4 UID FETCH 1") + kItems).raw(whole(1, 1, stub)).s("A4 OK");
  Quirks exchange;
  exchange.stub_bodies = true;
  CHECK(fetch_by(d, {{1, 5000}}, exchange).told.starts_with("1 unreadable"));
}

TEST_CASE("a body above the hold limit is streamed, with its length from the literal") {
  const std::string big(kHoldLimit + 1, 'x');
  Dialogue d;
  d.c(std::string("A1 UID FETCH 1:2") + kItems);
  d.raw(whole(1, 1, big, " FLAGS (\\Seen)")).raw(whole(2, 2, "small")).s("A1 OK");
  const Fetched fetched = fetch_by(d, {{1, 7}, {2, 5}});
  CHECK(fetched.bodies == "2='small' ");
  CHECK(fetched.told.find("1(\\Seen)@1000000000 ") != std::string::npos);
  CHECK(fetched.told.find(fmt::format("1:{} bytes ", big.size())) != std::string::npos);
}

TEST_CASE("a streamed body that crawls is told") {
  const std::string piece(5000, 'x');
  for (const bool crawls : {false, true}) {
    Dialogue d;
    d.c(std::string("A1 UID FETCH 1") + kItems).raw("* 1 FETCH (UID 1 BODY[] {1500000}\r\n");
    for (int i = 0; i < 300; ++i) d.raw(piece).pause(std::chrono::seconds(crawls ? 6 : 4));
    d.raw(")\r\n").s("A1 OK");
    const Fetched fetched = fetch_by(d, {{1, 1'500'000}});
    CHECK(fetched.told.find("1:1500000 bytes ") != std::string::npos);
    CHECK(fetched.crawls == crawls);
  }
}

TEST_CASE("a long body whose UID comes behind it is asked for alone") {
  const std::string big(kHoldLimit + 1, 'x');
  const std::string unnamed =
      fmt::format("* 1 FETCH (BODY[] {{{}}}\r\n{} UID 1 FLAGS ())\r\n", big.size(), big);
  Dialogue d;
  d.c(std::string("A1 UID FETCH 1:2") + kItems).raw(unnamed).raw(whole(2, 2, "two")).s("A1 OK");
  d.c("A2 NOOP").s("A2 OK").c("A3 UID FETCH 1 (UID)").s("* 1 FETCH (UID 1)").s("A3 OK");
  d.c(std::string("A4 UID FETCH 1") + kItems).raw(unnamed).s("A4 OK");
  const Fetched fetched = fetch_by(d, {{1, 7}, {2, 3}});
  CHECK(fetched.told.find(fmt::format("1:{} bytes ", big.size())) != std::string::npos);
}

TEST_CASE("a message without a plausible date gets the one its header tells") {
  Dialogue d;
  d.c(std::string("A1 UID FETCH 1") + kItems);
  d.raw(whole(1, 1, "Received: by x; Sun, 09 Sep 2001 01:46:45 +0000\r\n\r\n",
              " INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\""));
  d.s("A1 OK");
  CHECK(fetch_by(d, {{1, 51}}).told == "1()@1000000005 ");
}

TEST_CASE("a throttled fetch stops, and a closed line in the middle of a body is an error") {
  Dialogue throttled;
  throttled.c(std::string("A1 UID FETCH 1") + kItems).s("A1 NO [THROTTLED] slow down");
  Fetched fetched = fetch_by(throttled, {{1, 1}});
  REQUIRE(fetched.error);
  CHECK(fetched.error->kind() == ErrorKind::throttled);

  const std::size_t announced = GENERATE(std::size_t{100}, std::size_t{100'000}, kHoldLimit + 5);
  Dialogue cut;
  cut.c(std::string("A1 UID FETCH 1") + kItems);
  cut.raw(fmt::format("* 1 FETCH (UID 1 BODY[] {{{}}}\r\nabc", announced)).hangs_up();
  if (announced > kHoldLimit) return;  // its reader fails too: see the target's tests
  fetched = fetch_by(cut, {{1, 1}});
  REQUIRE(fetched.error);
  CHECK(fetched.error->kind() == ErrorKind::transient);
}
