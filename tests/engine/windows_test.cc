// Servers that show a part of the maildrop to each session (reference: Gmail, about 250
// conversations), and what that costs all others.
#include "engine/crossing/windows.h"

#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

MemoryOptions pop3(std::size_t window, bool says) {
  MemoryOptions options;
  options.uidl_keys = true;
  options.max_sessions = 1;
  options.window = window;
  options.says_windowed = says;
  return options;
}

}  // namespace

TEST_CASE("a server that shows windows is asked until one shows nothing, in one run") {
  Pair pair(pop3(10, true));
  pair.fill("INBOX", 35);
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.messages().seen == 35);
  CHECK(ledger.messages().copied == 35);
  CHECK(ledger.bytes_copied() == pair.target.stored_bytes());
  CHECK(pair.target.appended == 35);
  CHECK(pair.source.calls["connect"] == 5);
  pair.source.calls.clear();
  CHECK(pair.run().messages().seen == 0);
  CHECK(pair.source.calls["connect"] == 1);
}

TEST_CASE("a server that is not known for windows is found out by a second look") {
  Pair pair(pop3(100, false));
  pair.fill("INBOX", 250);
  CHECK(pair.run().messages().copied == 250);
  CHECK(pair.target.appended == 250);
}

TEST_CASE("any other server gets one look more after a large first copy, and none later") {
  Pair pair(pop3(0, false));
  pair.fill("INBOX", GENERATE(99, 100));
  const std::size_t count = pair.source.folder("INBOX").messages.size();
  const Ledger first = pair.run();
  CHECK(first.messages().seen == count);
  CHECK(first.messages().copied == count);
  CHECK(first.bytes_copied() == pair.target.stored_bytes());
  CHECK(pair.source.calls["connect"] == (count < 100 ? 1 : 2));
  pair.fill("INBOX", 150, "more");
  pair.source.calls.clear();
  CHECK(pair.run().messages().copied == 150);
  CHECK(pair.source.calls["connect"] == 1);
}

TEST_CASE("a look that the server does not grant spoils nothing") {
  Pair pair(pop3(0, false));
  pair.fill("INBOX", 120);
  pair.source.faults.on_call = [](MemoryServer& server, std::string_view call) {
    if (call == "fetch")
      server.faults.connect_errors = {Error(ErrorKind::auth, "-ERR too many logins")};
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.messages().copied == 120);
}

TEST_CASE("a window that was copied in a session that was lost is fetched again, and moves on") {
  Pair pair(pop3(10, true));
  pair.fill("INBOX", 15);
  pair.options.retries = GENERATE(0, 3);
  // The line is lost when the window has been copied, before it was left.
  int looks = 0;
  pair.target.faults.on_call = [&looks](MemoryServer& server, std::string_view call) {
    if (call == "look" && ++looks == 1) server.drop_sessions();
  };
  pair.run();
  pair.run();
  CHECK(pair.target.appended == 15);
  CHECK(pair.on_target("INBOX") == 15);
}

TEST_CASE("a window that does not move is left") {
  Pair pair(pop3(10, true));
  pair.fill("INBOX", 5);
  pair.run();
  // It shows for ever what has crossed.
  pair.source.faults.on_call = [](MemoryServer& server, std::string_view) {
    for (MemoryMessage& message : server.folder("INBOX").messages) message.popped = false;
  };
  pair.source.calls.clear();
  CHECK(pair.run().messages().present == 5);
  CHECK(pair.source.calls["connect"] == 2);
}

TEST_CASE("windows and removal after the copy go together") {
  Pair pair(pop3(10, GENERATE(true, false)));
  pair.options.remove_after = std::chrono::days(0);
  pair.fill("INBOX", 35);
  const Ledger ledger = pair.run();
  if (pair.source.options().says_windowed) {
    CHECK(ledger.removed() == 35);
    CHECK(ledger.messages().copied == 35);
  }
  CHECK(pair.on_target("INBOX") + pair.source.folder("INBOX").messages.size() == 35);
}

TEST_CASE("a run that is stopped between two windows is interrupted") {
  Pair pair(pop3(10, true));
  pair.fill("INBOX", 15);
  // While the first window's last messages go out, or when all of it was seen on the target.
  const std::string moment = GENERATE("batch", "look");
  pair.target.faults.on_call = [&pair, moment](MemoryServer&, std::string_view call) {
    if (call == moment) pair.stop.request();
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().copied == 10);
  CHECK(ledger.messages().pending == 0);
  CHECK(ledger.outcome == Outcome::interrupted);
}

TEST_CASE("a server that is known to show everything gets no second look") {
  Catalogue catalogue;
  for (int i = 0; i < 100; ++i)
    catalogue.add(MessageKey("u" + std::to_string(i)), 10, std::nullopt, Flags{});
  for (const bool shows_all : {true, false}) {
    Windows windows;
    CHECK(windows.take(catalogue, {100, 0, 100, false, shows_all}, {}, 0) == !shows_all);
  }
}

TEST_CASE("that a folder's messages come slowly is told once") {
  NotingObserver observer;
  Windows windows;
  for (int i = 0; i < 2; ++i) windows.tell_crawl(observer, FolderName::parse("Sent"));
  CHECK(observer.notes.size() == 1);
  CHECK(observer.said("folder Sent: its messages come at less than 1 KiB a second"));
}
