// The target's other doings, through the port: create, numbers, flags, removal.
#include <catch2/catch.hpp>

#include "connectors/imap/target.h"
#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

class OneSecret final : public Credentials {
 public:
  Task<Secret> secret() override { co_return Secret("secret"); }
};

// Logged in at once under the capabilities given; namespaces and the listing take A1 and A2. `use`
// begins at A3.
void with_target(Dialogue script, const std::string& capabilities,
                 const std::function<Task<void>(TargetSession&)>& use) {
  Dialogue d;
  d.s("* PREAUTH [CAPABILITY IMAP4rev1 NAMESPACE LIST-EXTENDED " + capabilities + "] hi");
  d.c("A1 NAMESPACE").c("A2 LIST \"\" \"*\" RETURN (SUBSCRIBED)");
  d.s("* NAMESPACE ((\"\" \"/\")) NIL NIL").s("A1 OK").s("A2 OK");
  d.then(script);
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    OneSecret credentials;
    net::ScriptedNetwork network(
        [&stream](net::ConnectOptions) -> Task<std::unique_ptr<net::Stream>> {
          co_return std::move(stream);
        });
    ConnectorContext context;
    context.network = &network;
    EndSetup setup;
    setup.endpoint = parse_endpoint("imaps://ann@new.example");
    setup.credentials = &credentials;
    const std::unique_ptr<Target> target = imap::make_target(context, setup);
    const std::unique_ptr<TargetSession> session = co_await target->connect();
    co_await session->list();
    co_await use(*session);
  });
}

Dialogue select_box(Dialogue d, const char* more = "* OK [PERMANENTFLAGS (\\Seen \\*)] ok") {
  d.c("A3 SELECT \"Box\"").s("* 2 EXISTS").s("* OK [UIDVALIDITY 5] ok").s("* OK [UIDNEXT 8] ok");
  d.s(more).s("A3 OK [READ-WRITE]");
  return d;
}

}  // namespace

TEST_CASE("what a target can do is learned at login") {
  TargetTraits traits;
  with_target({}, "UIDPLUS MULTIAPPEND SAVELIMIT=30 APPENDLIMIT=1000",
              [&](TargetSession& session) -> Task<void> {
                traits = session.traits();
                co_return;
              });
  CHECK(traits.uidplus);
  CHECK(traits.batch_messages == 30);
  CHECK(traits.append_limit_bytes == 1000);
  CHECK(traits.delimiter == '/');
}

TEST_CASE("a folder is made with its role; one that exists, or whose role is taken, is a success") {
  const int way = GENERATE(0, 1, 2, 3);
  Dialogue d;
  d.c("A3 CREATE \"Sent\" (USE (\\Sent))");
  if (way == 0) d.s("A3 OK");
  if (way == 1) d.s("A3 NO [ALREADYEXISTS] Mailbox already exists");
  if (way == 2) d.s("A3 NO [USEATTR] role is taken").c("A4 CREATE \"Sent\"").s("A4 OK");
  if (way == 3) d.s("A3 BAD what").c("A4 CREATE \"Sent\"").s("A4 NO Mailbox exists.");
  with_target(d, "CREATE-SPECIAL-USE", [](TargetSession& session) -> Task<void> {
    co_await session.create(FolderName({"INBOX"}), Role::inbox);
    co_await session.create(FolderName({"Sent"}), Role::sent);
  });
}

TEST_CASE("a name that the server refuses is told in its words, and the session lives on") {
  Dialogue d;
  d.c("A3 CREATE \"a\\\"b\"").s("A3 NO Invalid mailbox name");
  d.c("A4 SUBSCRIBE \"ok\"").s("A4 OK");
  std::optional<Error> error;
  with_target(d, "", [&](TargetSession& session) -> Task<void> {
    error = co_await failure_of(session.create(FolderName({"a\"b"}), Role::sent));
    co_await session.subscribe(FolderName({"ok"}));
  });
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::rejected);
  CHECK(std::string(error->what()) ==
        "target imaps://ann@new.example, folder a\"b: CREATE was refused: NO Invalid mailbox name");
}

TEST_CASE("a folder that cannot be made leaves no subscription to nothing") {
  const bool taken = GENERATE(true, false);  // by a server that subscribes to anything
  Dialogue d;
  d.c("A3 CREATE \"Box\"").c("A4 SUBSCRIBE \"Box\"").c("A5 SELECT \"Box\"");
  d.s("A3 NO bad name").s(taken ? "A4 OK" : "A4 NO none such").s("A5 NO none such");
  d.c("A6 CREATE \"Box\"").s("A6 NO bad name");
  if (taken) d.c("A7 UNSUBSCRIBE \"Box\"").s("A7 OK");
  std::optional<Error> error;
  with_target(d, "", [&](TargetSession& session) -> Task<void> {
    const auto make = [&session]() -> Task<void> {
      co_await session.make_and_select(FolderName({"Box"}), Role::none, true);
    };
    error = co_await failure_of(make());
  });
  REQUIRE(error);
  CHECK(std::string(error->what()).find("CREATE was refused: NO bad name") != std::string::npos);
}

TEST_CASE("a folder that cannot be subscribed is made and opened all the same") {
  Dialogue d;
  d.c("A3 CREATE \"Box\"").c("A4 SUBSCRIBE \"Box\"").c("A5 SELECT \"Box\"");
  d.s("A3 OK").s("A4 NO [NOPERM] no subscriptions").s("* OK [UIDVALIDITY 7] ok");
  d.s("* OK [UIDNEXT 1] ok").s("* 0 EXISTS").s("A5 OK [READ-WRITE] ok");
  d.c("A6 CREATE \"Box\"").s("A6 NO [ALREADYEXISTS] it is there");
  d.c("A7 SUBSCRIBE \"Box\"").s("A7 NO [NOPERM] no subscriptions");
  d.c("A8 SELECT \"Box\"").s("* OK [UIDVALIDITY 7] ok").s("* OK [UIDNEXT 1] ok");
  d.s("* 0 EXISTS").s("A8 OK [READ-WRITE] ok");
  MadeFolder made;
  with_target(d, "", [&](TargetSession& session) -> Task<void> {
    made = co_await session.make_and_select(FolderName({"Box"}), Role::none, true);
  });
  CHECK(made.numbers.uid_validity == 7u);
  REQUIRE(made.not_subscribed);
  CHECK(made.not_subscribed->message().find("SUBSCRIBE was refused") != std::string::npos);
}

TEST_CASE("UIDNEXT is asked after a NOOP, and where STATUS hides it, after the last message") {
  Dialogue d = select_box({});
  d.c("A4 NOOP").c("A5 STATUS \"Box\" (UIDNEXT)").s("A4 OK").s("* STATUS Box (UIDNEXT 12)");
  d.s("A5 OK");
  d.c("A6 NOOP").c("A7 STATUS \"Box\" (UIDNEXT)").s("A6 OK").s("* STATUS Box ()").s("A7 OK");
  d.c("A8 UID FETCH * (UID)").s("* 2 FETCH (UID 20)").s("A8 OK");
  Uid first, second;
  with_target(d, "", [&](TargetSession& session) -> Task<void> {
    co_await session.select(FolderName({"Box"}));
    first = co_await session.uid_next();
    second = co_await session.uid_next();
  });
  CHECK(first == Uid{12});
  CHECK(second == Uid{21});
}

TEST_CASE("flags are added and taken away by UID, those only that the folder keeps") {
  Dialogue d = select_box({});
  d.c("A4 UID STORE 4:5,9 +FLAGS.SILENT (\\Seen work)").s("A4 OK");
  d.c("A5 UID STORE 4 -FLAGS.SILENT (\\Seen)").s("A5 OK");
  with_target(d, "", [](TargetSession& session) -> Task<void> {
    co_await session.select(FolderName({"Box"}));
    std::vector<Uid> three{Uid{9}, Uid{4}, Uid{5}};
    const Flags added = Flags::parse("\\Seen \\Draft work");
    co_await session.store(std::move(three), added, true);
    const Flags removed = Flags::parse("\\Seen");
    const Flags unknown = Flags::parse("\\Draft");
    std::vector<Uid> one(1, Uid{4});
    co_await session.store(one, removed, false);
    co_await session.store(one, unknown, false);
    if (session.flags_dropped() != 3) throw std::runtime_error("each that was left out counts");
  });
}

TEST_CASE("removal is UID EXPUNGE of just these, or only a mark without UIDPLUS") {
  const bool uidplus = GENERATE(true, false);
  const bool sticky = GENERATE(true, false);
  Dialogue d = select_box({}, sticky ? "* OK hello" : "* NO [UIDNOTSTICKY] uids change");
  d.c("A4 UID STORE 4 +FLAGS.SILENT (\\Deleted)");
  if (uidplus && sticky) d.c("A5 UID EXPUNGE 4").s("A4 OK").s("* 1 EXPUNGE").s("A5 OK");
  if (!uidplus || !sticky) d.s("A4 OK");
  bool told = false;
  with_target(d, uidplus ? "UIDPLUS" : "", [&](TargetSession& session) -> Task<void> {
    co_await session.select(FolderName({"Box"}));
    told = session.traits().uidplus;
    std::vector<Uid> one(1, Uid{4});
    co_await session.expunge(std::move(one));
  });
  CHECK(told == (uidplus && sticky));
}

TEST_CASE("what is left in the middle of a message hears no goodbye: it would be a part of it") {
  // The journal fails while the second message is on its way.
  class Failing final : public AppendFeed {
   public:
    explicit Failing(std::shared_ptr<BodyPipe> pipe) {
      for (Body body : {Body("a"), Body(std::move(pipe))}) {
        Batch batch;
        batch.id = static_cast<std::int64_t>(batches_.size()) + 1;
        batch.bytes = body.size_bytes();
        batch.messages.emplace_back().body = std::move(body);
        batches_.push_back(std::move(batch));
      }
    }
    Task<std::optional<Batch>> next() override {
      if (at_ == batches_.size()) co_return std::nullopt;
      co_return std::move(batches_[at_++]);
    }
    Task<void> done(Batch, std::vector<AppendResult>) override {
      throw Error(ErrorKind::journal, "disk full", "journal");
      co_return;
    }

   private:
    std::vector<Batch> batches_;
    std::size_t at_ = 0;
  };
  Dialogue d = select_box({});
  d.c("A4 APPEND \"Box\" {1+}").c("a").c("A5 APPEND \"Box\" {8+}").bytes("part");
  d.s("A4 OK [APPENDUID 5 8] done");
  std::optional<Error> error;
  with_target(d, "UIDPLUS LITERAL+", [&](TargetSession& session) -> Task<void> {
    co_await session.select(FolderName({"Box"}));
    const auto pipe = std::make_shared<BodyPipe>(8);
    co_await pipe->push("part");
    Failing feed(pipe);
    const std::unique_ptr<TargetSession> other = session.fork();
    error = co_await failure_of(session.append(feed));
    CHECK(other->lost());
    co_await session.logout();
  });
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::journal);
}
