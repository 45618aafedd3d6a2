// The misfortunes that tests can plan for a server in memory come as planned.

#include <catch2/catch.hpp>

#include "connectors/memory/source.h"
#include "connectors/memory/target.h"
#include "engine/async/manual_executor.h"
#include "tests/conformance/source_contract.h"
#include "tests/conformance/target_contract.h"

using namespace postferry;
using namespace postferry::conformance;
using namespace std::chrono_literals;

namespace {

const FolderName kInbox = FolderName::parse("INBOX");

/// A target session on a server with planned faults, and ten messages to append to it.
struct Appending {
  explicit Appending(MemoryOptions options = {}) : server(std::move(options)) {
    target = make_memory_target(server);
  }
  /// Appends all in batches of `largest`; what became of it.
  void append(std::size_t largest) {
    const std::unique_ptr<TargetSession> session = block_on(executor, target->connect());
    block_on(executor, session->select(kInbox));
    ReadyFeed feed(target_detail::batches_of(samples(), largest));
    try {
      block_on(executor, session->append(feed));
    } catch (const Error& thrown) {
      error = thrown;
    }
    answered = feed.all;
  }
  std::size_t stored() { return server.folder(kInbox).messages.size(); }

  ManualExecutor executor;
  MemoryServer server;
  std::unique_ptr<Target> target;
  std::optional<Error> error;
  std::vector<AppendResult> answered;
};

/// A source session with the samples in its INBOX.
struct Fetching {
  explicit Fetching(MemoryOptions options = {}) : server(std::move(options)) {
    source = make_memory_source(server);
    for (const Sample& sample : samples()) {
      server.folder(kInbox).add(sample.bytes, sample.flags, sample.date);
    }
    session = block_on(executor, source->connect());
    block_on(executor, session->select(kInbox));
    catalogue = block_on(executor, session->catalogue());
  }
  Fetched fetch() {
    Fetched fetched;
    try {
      block_on(executor, keep(fetched));
    } catch (const Error& thrown) {
      error = thrown;
    }
    return fetched;
  }
  Task<void> keep(Fetched& fetched) {
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      KeepingSink sink(group, fetched);
      co_await session->fetch(conformance::detail::entries_of(catalogue), sink);
      co_await group.join();
    });
  }

  ManualExecutor executor;
  MemoryServer server;
  std::unique_ptr<Source> source;
  std::unique_ptr<SourceSession> session;
  Catalogue catalogue;
  std::optional<Error> error;
};

MemoryStop stop_after(std::uint64_t messages, MemoryStop::Fate fate = MemoryStop::Fate::none) {
  MemoryStop stop;
  stop.after = messages;
  stop.fate = fate;
  return stop;
}

}  // namespace

TEST_CASE("A line that ends takes the batch under way with it, or leaves it stored") {
  using Fate = MemoryStop::Fate;
  const auto [fate, stored] = GENERATE(table<Fate, std::size_t>(
      {{Fate::none, 4}, {Fate::prefix, 6}, {Fate::whole, 8}, {Fate::late, 4}}));
  Appending run;
  run.server.faults.append_stops = {stop_after(6, fate)};
  run.append(4);
  REQUIRE(run.error);
  CHECK(run.error->kind() == ErrorKind::transient);
  CHECK(run.answered.size() == 4);
  CHECK(run.stored() == stored);
  run.server.arrive_all();
  CHECK(run.stored() == (fate == Fate::late ? 8 : stored));
  CHECK(run.server.sessions() == 0);
}

TEST_CASE("Late commits arrive one after the other, as time passes") {
  Appending run;
  MemoryStop stop = stop_after(0, MemoryStop::Fate::late);
  stop.late_by = 270ms;
  stop.late_step = 100ms;
  run.server.faults.append_stops = {stop};
  run.append(3);
  const std::unique_ptr<TargetSession> session = block_on(run.executor, run.target->connect());
  block_on(run.executor, session->select(kInbox));
  CHECK(block_on(run.executor, session->look(Uid{1})).empty());
  run.executor.advance(280ms);
  CHECK(block_on(run.executor, session->look(Uid{1})).size() == 1);
  CHECK(block_on(run.executor, session->uid_next()) == Uid{2});
  run.executor.advance(200ms);
  CHECK(block_on(run.executor, session->look(Uid{1})).size() == 3);
}

TEST_CASE("Stops come in their order, each counted from the one before") {
  Appending run;
  run.server.faults.append_stops = {stop_after(2), stop_after(3)};
  run.append(1);
  CHECK(run.stored() == 2);
  run.append(1);
  CHECK(run.stored() == 5);
  run.error.reset();
  run.append(1);
  CHECK_FALSE(run.error);
  CHECK(run.stored() == 15);
  CHECK(run.server.appended == 15);
}

TEST_CASE("A throttle says how long to stay away") {
  Appending run;
  MemoryStop stop = stop_after(2);
  stop.error = Error(ErrorKind::throttled, "NO [THROTTLED]").after(30s);
  run.server.faults.append_stops = {stop};
  run.append(1);
  REQUIRE(run.error);
  CHECK(run.error->kind() == ErrorKind::throttled);
  CHECK(run.error->retry_after() == 30s);
}

TEST_CASE("A full mailbox stops the append with a quota error") {
  MemoryOptions options;
  options.quota_bytes = samples()[0].bytes.size() + samples()[1].bytes.size();
  Appending run(options);
  run.append(1);
  REQUIRE(run.error);
  CHECK(run.error->kind() == ErrorKind::quota);
  CHECK(run.stored() == 2);
}

TEST_CASE("A server that folds duplicates answers with the older UID") {
  MemoryOptions options;
  options.traits.folds_duplicates = true;
  Appending run(options);
  run.append(10);
  REQUIRE(run.answered.size() == 10);  // Samples 7 and 8 are equal.
  CHECK(std::get<Stored>(run.answered[8]).uid == std::get<Stored>(run.answered[7]).uid);
  CHECK(run.stored() == 9);
}

TEST_CASE("A server that munges 8-bit headers leaves the body alone") {
  MemoryOptions options;
  options.traits.munges_8bit = true;
  MemoryServer server(options);
  MemoryMessage message;
  message.bytes = "Subject: \xc3\xa4\r\n\r\n\xc3\xa4\r\n";
  server.append(server.folder(kInbox), message);
  CHECK(server.folder(kInbox).messages[0].bytes == "Subject: XX\r\n\r\n\xc3\xa4\r\n");
}

TEST_CASE("Too many sessions, and planned refusals of a connection, are errors of connect") {
  MemoryOptions options;
  options.max_sessions = 2;
  Fetching run(options);
  const std::unique_ptr<SourceSession> second = block_on(run.executor, run.source->connect());
  CHECK_THROWS_AS(block_on(run.executor, run.source->connect()), Error);
  run.session.reset();
  run.server.faults.connect_errors = {Error(ErrorKind::unreachable, "refused")};
  CHECK_THROWS_AS(block_on(run.executor, run.source->connect()), Error);
  CHECK_NOTHROW(block_on(run.executor, run.source->connect()));
}

TEST_CASE("A source's line ends after so many messages") {
  Fetching run;
  run.server.faults.fetch_stops = {stop_after(3)};
  CHECK(run.fetch().messages.size() == 3);
  REQUIRE(run.error);
  CHECK(run.error->kind() == ErrorKind::transient);
}

TEST_CASE("A source's line ends in the middle of a streamed body") {
  MemoryOptions options;
  options.stream_above = 1000;
  Fetching run(options);
  MemoryStop stop = stop_after(5);  // The next is the long line, of more than 12,000 bytes.
  stop.body_bytes = 500;
  run.server.faults.fetch_stops = {stop};
  const Fetched fetched = run.fetch();
  REQUIRE(run.error);
  CHECK(run.error->kind() == ErrorKind::transient);
  REQUIRE(fetched.messages.size() == 6);
  CHECK(fetched.messages[5].announced_bytes > 12'000);
  CHECK(fetched.messages[5].bytes.size() < fetched.messages[5].announced_bytes);
}

TEST_CASE("An unreadable message is missing but not gone, and comes last") {
  Fetching run;
  run.server.faults.unreadable[{kInbox, Uid{1}}] = "NO cannot read";
  const Fetched fetched = run.fetch();
  CHECK(fetched.messages.size() == 9);
  REQUIRE(fetched.missing.size() == 1);
  CHECK(fetched.missing[0] == std::pair(MessageKey(Uid{1}), false));
}

TEST_CASE("A test can change the server in the middle of a call") {
  Fetching run;
  run.server.faults.on_call = [](MemoryServer& server, std::string_view call) {
    if (call == "fetch") server.folder(kInbox).remove(Uid{4});
    if (call == "select") server.renumber(kInbox, 7);
  };
  const Fetched fetched = run.fetch();
  REQUIRE(fetched.missing.size() == 1);
  CHECK(fetched.missing[0] == std::pair(MessageKey(Uid{4}), true));
  const FolderNumbers numbers = block_on(run.executor, run.session->select(kInbox));
  CHECK(numbers.uid_validity == 7u);
  CHECK(numbers.uid_next == 10u);
}

TEST_CASE("Every session fails once its line is cut, and a dead session may not be used") {
  Fetching run;
  run.server.drop_sessions();
  CHECK_THROWS_AS(block_on(run.executor, run.session->catalogue()), Error);
  CHECK_THROWS_AS(block_on(run.executor, run.session->catalogue()), std::logic_error);
  CHECK_NOTHROW(block_on(run.executor, run.session->logout()));
}
