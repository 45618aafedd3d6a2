// What real servers do when they are read, line by line of the list of providers, each with its
// transcript: the large providers. The others are in providers_others_test.cc, servers as targets
// in providers_target_test.cc.
#include <catch2/catch.hpp>

#include "connectors/imap/errors.h"
#include "engine/mapping.h"
#include "tests/imap/provider_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

Error error_of_fetch(const std::string& answer) {
  Dialogue d = opens("A4", "EXAMINE", 1);
  d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 3)"}));
  d.c(std::string("A6 UID FETCH 1 ") + kItems).s(answer);
  return read_all({}, d).error.value();
}

std::optional<Error> login_error(const std::string& greeting_or_answer, bool greeted) {
  std::optional<Error> error;
  Dialogue d;
  if (greeted) d.s("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN SASL-IR] hi");
  if (greeted) d.c_starts("A1 AUTHENTICATE PLAIN ");
  d.s(greeting_or_answer);
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    OneLine line(std::move(stream));
    const std::unique_ptr<Source> source = imap::make_source(line.context(), line.setup());
    error.reset();
    try {
      co_await source->connect();
    } catch (const Error& thrown) {
      error = thrown;
    }
  });
  return error;
}

}  // namespace

TEST_CASE("providers 2: Gmail's daily limits ask us to wait, and its expired sessions to return") {
  CHECK(error_of_fetch("A6 NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)")
            .kind() == ErrorKind::throttled);
  CHECK(error_of_fetch("A6 NO [THROTTLED] slow").kind() == ErrorKind::throttled);
  const Error bye = error_of_fetch("* BYE Session expired, please login again.");
  CHECK(bye.kind() == ErrorKind::transient);
  CHECK(bye.message() == "the server said goodbye: Session expired, please login again.");
}

TEST_CASE("providers 2: a line that crawls is told, and one that is slow, or thinks, is not") {
  using std::chrono::seconds;
  struct Given {
    int messages, bytes_at_once, bytes;
    seconds first_of_all, each;
    bool crawls;
  };
  const Given given = GENERATE(Given{1, 5000, 70'000, seconds(0), seconds(6), true},
                               Given{20, 500, 4000, seconds(0), seconds(1), true},
                               Given{1, 5000, 70'000, seconds(0), seconds(4), false},
                               Given{20, 4000, 4000, seconds(0), seconds(6), false},
                               Given{1, 5000, 20'000, seconds(200), seconds(0), false},
                               Given{1, 35'000, 70'000, seconds(0), seconds(200), false});
  Dialogue d = opens("A4", "EXAMINE", given.messages);
  std::vector<std::string> listed;
  std::string told;
  for (int i = 1; i <= given.messages; ++i) {
    listed.push_back(fmt::format("* {} FETCH (UID {} RFC822.SIZE {})", i, i, given.bytes));
    told += fmt::format("{}()='{}' ", i, std::string(static_cast<std::size_t>(given.bytes), 'x'));
  }
  d.then(lists("A5", listed));
  const std::string uids = given.messages == 1 ? "1" : fmt::format("1:{}", given.messages);
  d.c(fmt::format("A6 UID FETCH {} {}", uids, kItems)).pause(given.first_of_all);
  const std::string piece(static_cast<std::size_t>(given.bytes_at_once), 'x');
  for (int i = 1; i <= given.messages; ++i) {
    d.raw(fmt::format("* {} FETCH (UID {} BODY[] {{{}}}\r\n", i, i, given.bytes));
    for (int sent = 0; sent < given.bytes; sent += given.bytes_at_once)
      d.raw(piece).pause(given.each);
    d.raw(")\r\n");
  }
  d.s("A6 OK");
  const Read read = read_all({}, d);
  CHECK(read.told == told);
  CHECK((read.crawls > 0) == given.crawls);
}

TEST_CASE("providers 3: too many connections is no refused password, at any moment of a login") {
  for (const bool greeted : {false, true}) {
    const std::optional<Error> error = login_error(
        greeted ? "A1 NO [ALERT] Too many simultaneous connections. (Failure)"
                : "* BYE [UNAVAILABLE] Maximum number of connections from user+IP exceeded",
        greeted);
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::throttled);
  }
}

TEST_CASE("providers 4: All Mail lists only what no other carried folder shows") {
  Provider gmail;
  gmail.greeting = "Gimap ready for requests";
  gmail.capabilities = "X-GM-EXT-1";
  gmail.listing = {"* LIST (\\HasNoChildren) \"/\" \"INBOX\"",
                   "* LIST (\\HasChildren \\Noselect) \"/\" \"[Gmail]\"",
                   "* LIST (\\All) \"/\" \"[Gmail]/All Mail\"",
                   "* LIST (\\Flagged) \"/\" \"[Gmail]/Starred\"",
                   "* LIST (\\Sent) \"/\" \"[Gmail]/Sent Mail\"",
                   "* LIST () \"/\" \"Gr&APwA3w-e\"",
                   "* LIST () \"/\" \"left out\""};
  Dialogue d;
  d.c("A4 EXAMINE \"[Gmail]/All Mail\"").s("* 6 EXISTS").s("* OK [UIDVALIDITY 7] ok");
  d.s("* OK [UIDNEXT 9] ok").s("A4 OK");
  d.c("A5 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE X-GM-LABELS)");
  d.s("* 1 FETCH (UID 1 RFC822.SIZE 1 X-GM-LABELS (\"\\\\Inbox\" \"\\\\Important\"))");
  d.s("* 2 FETCH (UID 2 RFC822.SIZE 1 X-GM-LABELS ())");
  d.s("* 3 FETCH (UID 3 RFC822.SIZE 1 X-GM-LABELS (\"\\\\Sent\"))");
  d.s("* 4 FETCH (UID 4 RFC822.SIZE 1 X-GM-LABELS (\"Gr&APwA3w-e\"))");
  d.s("* 5 FETCH (UID 5 RFC822.SIZE 1 X-GM-LABELS (\"\\\\Starred\" \"\\\\Important\"))");
  d.s("* 6 FETCH (UID 6 RFC822.SIZE 1 X-GM-LABELS (\"hidden from IMAP\"))").s("A5 OK");
  std::vector<std::string> carried;
  std::vector<std::uint32_t> rest;
  const auto error = with_source(
      gmail, d,
      [&](Source& source, SourceSession& session, std::vector<FolderInfo> folders) -> Task<void> {
        std::erase_if(folders,
                      [](const FolderInfo& f) { return f.name.to_string() == "left out"; });
        MappingRequest request;
        request.source = std::move(folders);
        const Mapping mapping = map_folders(request);
        carried.clear();
        for (const MappedFolder& folder : mapping.folders)
          carried.push_back(folder.source.name.to_string());
        source.carried(sources_of(mapping.folders));
        co_await session.select(FolderName({"[Gmail]", "All Mail"}));
        const Catalogue catalogue = co_await session.catalogue();
        rest.clear();
        for (std::size_t i = 0; i < catalogue.size(); ++i) rest.push_back(catalogue.uid(i).value);
      });
  CHECK(!error);
  CHECK(carried == std::vector<std::string>{"Gr\u00fc\u00dfe", "INBOX", "[Gmail]/All Mail",
                                            "[Gmail]/Sent Mail"});
  CHECK(rest == std::vector<std::uint32_t>{2, 5, 6});
}

TEST_CASE("providers 9: Exchange's named delay is told, also when the drop follows at once") {
  const Error error =
      error_of_fetch("A6 BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds");
  CHECK(error.kind() == ErrorKind::throttled);
  CHECK(error.retry_after() == std::chrono::milliseconds(299'961));
}

TEST_CASE("providers 10: authenticated but not connected shows in the volley after the login") {
  std::optional<Error> error;
  Dialogue d;
  d.s("* PREAUTH [CAPABILITY IMAP4rev1 NAMESPACE LIST-EXTENDED] hi");
  d.c("A1 NAMESPACE").c("A2 LIST \"\" \"*\" RETURN (SUBSCRIBED)");
  d.s("A1 BAD User is authenticated but not connected.");
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    OneLine line(std::move(stream));
    const std::unique_ptr<Source> source = imap::make_source(line.context(), line.setup());
    error.reset();
    try {
      co_await source->connect();
    } catch (const Error& thrown) {
      error = thrown;
    }
  });
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::transient);
  CHECK(error->message() ==
        "the first command was refused: BAD User is authenticated but not connected.");
}

TEST_CASE("providers 12: a size that is the store's own decides nothing") {
  Dialogue d = opens("A4", "EXAMINE", 2);
  d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 9999)", "* 2 FETCH (UID 2 RFC822.SIZE 1)"}));
  d.c(std::string("A6 UID FETCH 1:2 ") + kItems);
  d.raw(body_line(1, "short")).raw(body_line(2, "longer than told")).s("A6 OK");
  CHECK(read_all({}, d).told == "1()='short' 2()='longer than told' ");
}

TEST_CASE("providers 13: neither no FETCH nor Exchange's stub is the message; its words are told") {
  Provider exchange;
  exchange.greeting = "The Microsoft Exchange IMAP4 service is ready.";
  const std::string stub =
      "Subject: Retrieval using the IMAP4 protocol failed for the following message: 2\r\n\r\nx";
  Dialogue d = opens("A4", "EXAMINE", 3);
  d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 3)", "* 2 FETCH (UID 2 RFC822.SIZE 3)",
                      "* 3 FETCH (UID 3 RFC822.SIZE 3)"}));
  d.c(std::string("A6 UID FETCH 1:3 ") + kItems);
  d.raw(body_line(2, stub)).raw(body_line(3, "yes")).s("A6 OK");
  d.c("A7 NOOP").s("A7 OK").c("A8 UID FETCH 1:2 (UID)");
  d.s("* 1 FETCH (UID 1)").s("* 2 FETCH (UID 2)").s("A8 OK");
  d.c(std::string("A9 UID FETCH 1 ") + kItems).s("A9 OK FETCH completed.");
  d.c(std::string("A10 UID FETCH 2 ") + kItems).raw(body_line(2, stub)).s("A10 OK");
  CHECK(
      read_all(exchange, d).told ==
      "3()='yes' 1 unreadable 'the server lists this message (3 bytes) but gives no bytes for it' "
      "2 unreadable 'the server gives only this: Subject: Retrieval using the IMAP4 protocol "
      "failed for the following message: 2' ");
}

TEST_CASE("providers 14: a FETCH with a number above EXISTS counts by its UID") {
  Dialogue d = opens("A4", "EXAMINE", 1);
  d.then(lists("A5", {"* 77 FETCH (UID 5 RFC822.SIZE 3)"}));
  d.c(std::string("A6 UID FETCH 5 ") + kItems);
  d.raw("* 9999 FETCH (UID 5 BODY[] {3}\r\nabc)\r\n").s("A6 OK");
  CHECK(read_all({}, d).told == "5()='abc' ");
}

TEST_CASE("providers 15: Exchange's spelling of a slash is a slash, and INBOX may be Inbox") {
  Provider exchange;
  exchange.greeting = "The Microsoft Exchange IMAP4 service is ready.";
  exchange.listing = {"* LIST () \"/\" Inbox", "* LIST () \"/\" \"2019_xF8FF_2020\""};
  Dialogue d;
  d.c("A4 EXAMINE \"2019_xF8FF_2020\"").s("* 0 EXISTS").s("* OK [UIDVALIDITY 7] ok");
  d.s("* OK [UIDNEXT 1] ok").s("A4 OK");
  std::vector<std::string> names;
  with_source(exchange, d,
              [&](Source&, SourceSession& session, std::vector<FolderInfo> folders) -> Task<void> {
                names.clear();
                for (const FolderInfo& folder : folders) names.push_back(folder.name.to_string());
                co_await session.select(FolderName({"2019/2020"}));
              });
  CHECK(names == std::vector<std::string>{"INBOX", "2019%2F2020"});
}

TEST_CASE("providers 16: a switched-off password login is told in the server's words") {
  const std::optional<Error> error = login_error("A1 NO Basic authentication is disabled.", true);
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::auth);
  CHECK(error->message() == "the login was refused: NO Basic authentication is disabled.");
}

TEST_CASE("providers 17: where Yahoo may show only the newest, the folder says so") {
  Provider yahoo;
  yahoo.id = "(\"name\" \"Yahoo! IMAP\")";
  const int messages = GENERATE(9'999, 10'000);
  Dialogue d;
  d.c("A4 EXAMINE \"INBOX\"").s(fmt::format("* {} EXISTS", messages)).s("* OK [UIDVALIDITY 7] ok");
  d.s("* OK [UIDNEXT 10001] ok").s("A4 OK");
  std::string all;
  for (int i = 1; i <= messages; ++i)
    all += fmt::format("* {} FETCH (UID {} RFC822.SIZE 1)\r\n", i, i);
  d.c("A5 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)").raw(all).s("A5 OK");
  std::string remark;
  with_source(yahoo, d,
              [&](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
                co_await session.select(kInbox);
                const Catalogue catalogue = co_await session.catalogue();
                remark = catalogue.remark;
              });
  CHECK(remark == (messages < 10'000
                       ? ""
                       : "Yahoo shows only the newest 10000 messages of a folder here; "
                         "export.imap.mail.yahoo.com shows all"));
}

TEST_CASE("providers 18: [LIMIT] means wait, never that there is no such message") {
  for (const char* words : {"[LIMIT] UID FETCH Rate limit hit.", "[LIMIT] not now"}) {
    const Error error = error_of_fetch(std::string("A6 NO ") + words);
    CHECK(error.kind() == ErrorKind::throttled);
  }
}

TEST_CASE("providers 18: Yahoo's commands stay below 1000 octets") {
  Provider yahoo;
  yahoo.id = "(\"vendor\" \"Yahoo! Inc.\")";
  constexpr int kMessages = 400;
  Dialogue d = opens("A4", "EXAMINE", kMessages);
  std::vector<std::string> lines;
  for (int i = 1; i <= kMessages; ++i)  // no two in a row, so that sets are long
    lines.push_back(fmt::format("* {} FETCH (UID {} RFC822.SIZE 1)", i, 100'000 + 2 * i));
  d.then(lists("A5", lines));
  // The longest line that the client says from here on.
  std::size_t longest = 0, asked = 0;
  ManualExecutor executor;
  auto [ours, theirs] = net::make_pipe({.encrypted = true});
  const auto serve = [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    Dialogue start = login_of(yahoo);
    start.then(d);
    try {
      co_await start.play_on(*stream);
      for (;;) {
        const std::string line = co_await net::read_line(*stream);
        longest = std::max(longest, line.size());
        ++asked;
        const std::string tag = line.substr(0, line.find(' '));
        co_await net::write_text(*stream, tag + " OK\r\n");
      }
    } catch (const Error& gone) {
      (void)gone;
    }
  };
  const auto use = [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    OneLine line(std::move(stream));
    const std::unique_ptr<Source> source = imap::make_source(line.context(), line.setup());
    const std::unique_ptr<SourceSession> session = co_await source->connect();
    co_await session->list();
    co_await session->select(kInbox);
    const Catalogue catalogue = co_await session->catalogue();
    std::vector<MessageKey> keys;
    for (std::size_t i = 0; i < catalogue.size(); ++i) keys.push_back(catalogue.key(i));
    co_await session->headers(std::move(keys));
    Keeper keeper;
    co_await session->fetch(entries(catalogue), keeper);
  };
  block_on(executor, with_group([&, mine = std::move(ours), other = std::move(theirs)](
                                    TaskGroup& group) mutable -> Task<void> {
             group.spawn(serve(std::move(other)));
             group.spawn(use(std::move(mine)));
             co_await group.join();
           }));
  CHECK(asked > 4);
  CHECK(longest <= 1000);
}

TEST_CASE(
    "providers 19, 20: bodies are asked for with BODY.PEEK[], and an empty string is no body") {
  Dialogue d = opens("A4", "EXAMINE", 1);
  d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 3)"}));
  d.c(std::string("A6 UID FETCH 1 ") + kItems).s("* 1 FETCH (UID 1 BODY[] \"\")").s("A6 OK");
  d.c("A7 NOOP").s("A7 OK").c("A8 UID FETCH 1 (UID)").s("* 1 FETCH (UID 1)").s("A8 OK");
  d.c(std::string("A9 UID FETCH 1 ") + kItems).raw(body_line(1, "abc")).s("A9 OK");
  CHECK(read_all({}, d).told == "1()='abc' ");
}

TEST_CASE(
    "providers 21: NetEase gets its ID before the first SELECT; its refusal keeps its words") {
  Provider netease;
  netease.greeting = "Coremail System IMap Server Ready(163com)";
  Dialogue d;
  d.c("A4 EXAMINE \"INBOX\"").s("A4 NO EXAMINE Unsafe Login. Please contact kefu@188.com for help");
  const auto error = with_source(
      netease, d, [](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
        co_await session.select(kInbox);
      });
  REQUIRE(error);
  CHECK(error->message() ==
        "EXAMINE was refused: NO EXAMINE Unsafe Login. Please contact "
        "kefu@188.com for help");
}
