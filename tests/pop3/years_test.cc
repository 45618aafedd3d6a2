// A POP3 account collected every night, for years: whole runs against the model server, whose cost
// is counted on the wire.
#include <catch2/catch.hpp>

#include "connectors/memory/target.h"
#include "connectors/net/counting.h"
#include "connectors/pop3/source.h"
#include "engine/async/block_on.h"
#include "engine/crossing/crossing.h"
#include "state/sqlite_journal.h"
#include "tests/pop3/dialogue.h"
#include "tests/pop3/model_server.h"

using namespace postferry;

namespace {

std::string letter(int number, std::size_t bytes) {
  const std::string id = std::to_string(number);
  return "Received: from a by b; " + id + "\r\nMessage-ID: <" + id +
         "@x>\r\nDate: Mon, 7 Nov 2016 10:00:00 +0100\r\nFrom: a@x\r\nSubject: " + id + "\r\n\r\n" +
         std::string(bytes, 'x') + "\r\n";
}

/// A maildrop, a target in memory, and a journal.
class Account {
 public:
  explicit Account(const std::string& capabilities)
      : server(executor_, {}, capabilities),
        accepting_([this](net::ConnectOptions to) -> Task<std::unique_ptr<net::Stream>> {
          co_return server.connect(to.tls.has_value());
        }),
        network(accepting_),
        spool_(make_disk_spool(blocking_, "/tmp")) {
    ConnectorContext context;
    context.network = &network;
    context.spool = spool_.get();
    EndSetup setup;
    setup.endpoint = parse_endpoint("pop3s://ann@old.example");
    setup.credentials = &secrets_;
    source_ = pop3::make_source(context, std::move(setup));
  }
  ~Account() { executor_.clear(); }

  Ledger run() {
    network.reset();
    const auto to = make_memory_target(target);
    return block_on(executor_, cross_account({*source_, *to, *journal_, observer_},
                                             {"ann", "source", "target"}, options, stop_));
  }

 private:
  ManualExecutor executor_;

 public:
  pop3::test::ModelServer server;
  MemoryServer target;
  CrossingOptions options;

 private:
  net::ScriptedNetwork accepting_;

 public:
  net::CountingNetwork network;

 private:
  InlineBlocking blocking_;
  std::unique_ptr<SpoolFactory> spool_;
  pop3::test::Secrets secrets_{{"pa$$word"}};
  std::unique_ptr<Source> source_;
  std::unique_ptr<Journal> journal_ = open_journal_in_memory();
  Observer observer_;
  StopRequest stop_;
};

}  // namespace

TEST_CASE("the last message of a nightly run costs one session, and of the rest only the listing") {
  constexpr int kYears = 5000;
  Account account("TOP\r\nUIDL\r\nPIPELINING\r\n");
  for (int i = 0; i < kYears; ++i) account.server.add(letter(i, 2000));
  CHECK(account.run().messages().copied == kYears);
  CHECK(account.network.counts().connections == 2);  // and a look for windows, this once

  account.run();
  const net::NetworkCounts idle = account.network.counts();
  CHECK(idle.connections == 1);
  // UIDL and LIST: a number, and a name or a size.
  CHECK(idle.bytes_read < kYears * 2 * 17);

  account.server.add(letter(kYears, 3000));
  const Ledger night = account.run();
  const net::NetworkCounts counts = account.network.counts();
  CHECK(night.messages().copied == 1);
  CHECK(night.messages().present == kYears);
  CHECK(counts.connections == 1);
  CHECK(counts.round_trips <= idle.round_trips + 1);
  CHECK(counts.bytes_read < idle.bytes_read + 3000 + 300);
  CHECK(counts.bytes_written < idle.bytes_written + 20);
}

TEST_CASE("a nightly run that removes what it copied costs one session") {
  Account account("TOP\r\nUIDL\r\nPIPELINING\r\n");
  account.options.remove_after = std::chrono::days(0);
  for (int night = 0; night < 5; ++night) {
    account.server.add(letter(night, 100));
    const Ledger ledger = account.run();
    CHECK(ledger.messages().copied == 1);
    CHECK(ledger.removed() == 1);
    CHECK(account.network.counts().connections == 1);
  }
  CHECK(account.run().messages().seen == 0);
  CHECK(account.target.appended == 5);
}

TEST_CASE("no UIDL at all: what the target has is recognised, then the journal suffices") {
  Account account("TOP\r\n");
  account.server.without_uidl = true;
  for (int i = 0; i < 20; ++i) {
    account.server.add(letter(i, 5000));
    if (i < 10) account.target.folder("INBOX").add(letter(i, 5000), {}, InternalDate{1, 0});
  }
  const Ledger first = account.run();
  CHECK(first.messages().present == 10);
  CHECK(first.messages().copied == 10);
  const Ledger again = account.run();
  CHECK(again.messages().present == 20);
  CHECK(account.network.counts().bytes_read < 20 * 500);  // headers, no mail
  CHECK(account.target.appended == 10);
}
