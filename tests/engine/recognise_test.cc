// UIDLs over the years: reused, renumbered, with sizes that lie. No message crosses twice for that,
// and no new one is taken for an old.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

/// A POP3 account of `count` messages that have crossed, and nothing counted since.
struct Crossed : Pair {
  explicit Crossed(int count, MemoryOptions from = pop3()) : Pair(std::move(from)) {
    for (int i = 0; i < count; ++i)
      add("INBOX", letter("m" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'x')));
    CHECK(run().messages().copied == static_cast<std::uint64_t>(count));
    forget_counts();
  }
  MemoryFolder& inbox() { return source.folder("INBOX"); }
  void forget_counts() { source.calls.clear(); }
};

}  // namespace

TEST_CASE("of an unchanged POP3 account one header is read, however often it is looked at") {
  Crossed pair(20);
  CHECK(pair.run().messages().present == 20);
  CHECK(pair.source.calls["headers"] == 1);
  CHECK(pair.source.calls["fetch"] == 0);
  pair.add("INBOX", letter("new"));
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.source.calls["headers"] == 2);
  CHECK(pair.source.calls["fetch"] == 1);
}

TEST_CASE("a UIDL given to another message is a new message") {
  Crossed pair(5);
  MemoryMessage& reused = pair.inbox().messages.at(2);
  SECTION("of another size") { reused.bytes = letter("other", "more words"); }
  SECTION("that one had been removed by us, and its size is the same") {
    pair.options.remove_after = std::chrono::days(0);
    pair.run();
    MemoryMessage next;
    next.uid = pair.inbox().uid_next;
    ++pair.inbox().uid_next.value;
    next.bytes = letter("x2", "xx");  // as long as the former
    next.uidl = "uidl-3";
    pair.inbox().messages.push_back(next);
    pair.options.remove_after.reset();
  }
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().copied == 1);
  CHECK(pair.target.appended == 6);
  CHECK(pair.run().messages().copied == 0);
}

TEST_CASE("a UIDL that was away and comes back is looked at, whatever its size") {
  Crossed pair(5);
  MemoryMessage back = pair.inbox().messages.at(2);
  pair.inbox().remove(back.uid);
  CHECK(pair.run().messages().present == 4);
  SECTION("in its old place, as another message of its size: it is new") {
    back.bytes = letter("x2", "xx");
    back.uidl = "uidl-3";
    auto& messages = pair.inbox().messages;
    messages.insert(messages.begin() + 2, back);
    CHECK(pair.run().messages().copied == 1);
    return;
  }
  back.uid = pair.inbox().uid_next;
  ++pair.inbox().uid_next.value;
  pair.forget_counts();
  SECTION("as another message: it is new") {
    back.bytes = letter("x2", "xx");
    back.uidl = "uidl-3";
    pair.inbox().messages.push_back(back);
    CHECK(pair.run().messages().copied == 1);
    CHECK(pair.target.appended == 6);
  }
  SECTION("as the same: it has crossed") {
    back.uidl = "uidl-3";
    pair.inbox().messages.push_back(back);
    CHECK(pair.run().messages().copied == 0);
    CHECK(pair.source.calls["headers"] == 1);
    CHECK(pair.source.calls["fetch"] == 0);
    CHECK(pair.run().messages().present == 5);
    CHECK(pair.source.calls["headers"] == 2);
    CHECK(pair.source.calls["fetch"] == 0);
  }
}

TEST_CASE("a UIDL given again between two runs, with the same size, hides no mail") {
  Crossed pair(30);
  MemoryMessage next = pair.inbox().messages.at(2);
  pair.inbox().remove(next.uid);
  next.uid = pair.inbox().uid_next;
  ++pair.inbox().uid_next.value;
  next.bytes = letter("x2", "xx");  // as long as the former
  next.uidl = "uidl-3";
  pair.inbox().messages.push_back(next);
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.target.appended == 31);
}

namespace {

/// Puts another message, as long as the former, in the place and under the UIDL of one.
void replace(MemoryMessage& message, int number) {
  const std::size_t before = message.bytes.size();
  message.bytes =
      letter("n" + std::to_string(number), std::string(static_cast<std::size_t>(number), 'x'));
  REQUIRE(message.bytes.size() == before);
}

}  // namespace

TEST_CASE("the last UIDL given again, with the same size, hides no mail") {
  Crossed pair(30);
  const bool shuffled = GENERATE(false, true);
  if (shuffled) {  // the order of the copies says nothing then
    std::vector<MemoryMessage> copies = std::exchange(pair.target.folder("INBOX").messages, {});
    std::ranges::reverse(copies);
    for (MemoryMessage& copy : copies)
      pair.target.folder("INBOX").add(copy.bytes, copy.flags, copy.date);
    pair.target.renumber(FolderName::parse("INBOX"), 9);
    CHECK(pair.run().messages().present == 30);
  }
  SECTION("it alone") { replace(pair.inbox().messages.at(29), 29); }
  SECTION("with new mail behind it") {
    replace(pair.inbox().messages.at(29), 29);
    pair.add("INBOX", letter("behind"));
  }
  const std::uint64_t fresh = pair.inbox().messages.size() - 29;
  CHECK(pair.run().messages().copied == fresh);
  CHECK(pair.target.appended == 30 + fresh);
}

TEST_CASE("a message is looked at before it leaves the source, wherever it is listed") {
  Crossed pair(10);
  replace(pair.inbox().messages.at(4), 4);
  const std::string fresh = pair.inbox().messages.at(4).bytes;
  pair.options.remove_after = std::chrono::days(0);
  SECTION("another one under its UIDL crosses first") {
    const Ledger ledger = pair.run();
    CHECK(ledger.messages().copied == 1);
    CHECK(ledger.removed() == 10);
    CHECK(pair.target.folder("INBOX").messages.back().bytes == fresh);
  }
  SECTION("one whose header is not to be had stays") {
    pair.source.faults.unreadable[{FolderName::parse("INBOX"), Uid{5}}] = "-ERR not now";
    CHECK(pair.run().removed() == 9);
    CHECK(pair.inbox().messages.at(0).bytes == fresh);
    CHECK(pair.observer.said("1 message stays at the source: the source gives no header"));
    pair.source.faults.unreadable.clear();
    CHECK(pair.run().messages().copied == 1);
  }
  // It costs a volley of headers, and no message is read again.
  CHECK(pair.source.calls["fetch"] <= 2);
}

TEST_CASE("a POP3 listing in another order costs a look at few headers") {
  Crossed pair(30);
  const auto [few, looks] = GENERATE(std::pair(1, 1), std::pair(25, 1));
  std::vector<MemoryMessage>& messages = pair.inbox().messages;
  std::rotate(messages.begin(), messages.begin() + few, messages.end());
  for (MemoryMessage& message : messages)
    message.uidl = "uidl-" + std::to_string(message.uid.value);
  Uid uid{100};
  for (MemoryMessage& message : messages) message.uid = uid, ++uid.value;
  CHECK(pair.run().messages().present == 30);
  CHECK(pair.source.calls["headers"] == looks);
  CHECK(pair.source.calls["fetch"] == 0);
}

TEST_CASE("a server that reuses one UIDL is believed none") {
  Crossed pair(6);
  // Other messages under two old names, one of them as long as the former.
  pair.inbox().messages.at(1).bytes = letter("other", "of another size");
  pair.inbox().messages.at(3).bytes = letter("n3", std::string(3, 'x'));
  REQUIRE(pair.inbox().messages.at(3).bytes.size() == letter("m3", std::string(3, 'x')).size());
  CHECK(pair.run().messages().copied == 2);
  CHECK(pair.target.appended == 8);
}

TEST_CASE("UIDLs that are only numbers of messages follow the messages") {
  Pair pair(pop3());
  const auto number = [&] {
    int n = 0;
    for (MemoryMessage& message : pair.source.folder("INBOX").messages)
      message.uidl = std::to_string(++n);
  };
  for (int i = 0; i < 8; ++i)
    pair.add("INBOX",
             letter("m" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'x')));
  number();
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.remove(inbox.messages.at(2).uid);
  inbox.remove(inbox.messages.at(0).uid);
  pair.add("INBOX", letter("new"));
  number();
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.target.appended == 9);
  CHECK(pair.run().messages().copied == 0);
}

TEST_CASE("a listing that lies about sizes costs a look at the headers, and copies nothing") {
  Crossed pair(4);
  for (MemoryMessage& message : pair.inbox().messages) message.listed_bytes = 1;
  CHECK(pair.run().messages().present == 4);
  CHECK(pair.source.calls["headers"] == 1);
  CHECK(pair.source.calls["fetch"] == 0);
  // Lies that do not change are no news: the last header alone is read.
  CHECK(pair.run().messages().present == 4);
  CHECK(pair.source.calls["headers"] == 2);
}

TEST_CASE("a renumbered account is recognised by sizes and headers, and nothing is fetched") {
  Crossed pair(12);
  const auto [changed, looks] = GENERATE(std::pair(2, 3), std::pair(12, 2));
  for (int i = 0; i < changed; ++i)
    pair.inbox().messages.at(static_cast<std::size_t>(i)).uidl = "n" + std::to_string(50 - i);
  // Its copies have long been filed away: only the journal knows.
  while (!pair.target.folder("INBOX").messages.empty())
    pair.target.folder("INBOX").remove(pair.target.folder("INBOX").messages.front().uid);
  CHECK(pair.run().messages().present == 12);
  CHECK(pair.observer.said("have new names at the source"));
  CHECK(pair.source.calls["fetch"] == 0);
  CHECK(pair.target.appended == 12);
  CHECK(pair.run().messages().present == 12);
  CHECK(pair.source.calls["headers"] == looks);
}

TEST_CASE("a server that changed all names and all sizes is still recognised") {
  Crossed pair(6);
  for (MemoryMessage& message : pair.inbox().messages) {
    message.uidl = "new-" + std::to_string(message.uid.value);
    message.listed_bytes = message.bytes.size() + 100;
  }
  pair.add("INBOX", letter("one more"));
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.target.appended == 7);
}

TEST_CASE("true duplicates stay duplicates when names change") {
  Pair pair(pop3());
  for (int i = 0; i < 3; ++i) pair.add("INBOX", letter("same"));
  pair.run();
  for (MemoryMessage& message : pair.source.folder("INBOX").messages)
    message.uidl = "new-" + std::to_string(message.uid.value);
  pair.add("INBOX", letter("same"));
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("of two equal messages the one that had not left has the new name") {
  Pair pair(pop3());
  for (int i = 0; i < 2; ++i) pair.add("INBOX", letter("same"));
  pair.run();
  const auto leave = [](MemoryFolder& folder) { folder.remove(folder.messages.at(0).uid); };
  leave(pair.source.folder("INBOX"));
  CHECK(pair.run().messages().present == 1);
  leave(pair.target.folder("INBOX"));
  pair.source.folder("INBOX").messages.at(0).uidl = "new";
  CHECK(pair.run().messages().copied == 0);
  pair.target.renumber(FolderName::parse("INBOX"), 9);
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.on_target("INBOX") == 1);
}

TEST_CASE("a new delivery is not taken for an old message that is gone") {
  Crossed pair(3);
  MemoryFolder& inbox = pair.inbox();
  std::string again = inbox.messages.at(0).bytes;
  inbox.remove(inbox.messages.at(0).uid);
  again.replace(again.find("a by b"), 6, "c by d");
  pair.add("INBOX", again);
  CHECK(pair.run().messages().copied == 1);
}

TEST_CASE("without header fields only equal bytes are proof") {
  Pair pair(pop3());
  pair.add("INBOX", "X: 1\r\n\r\none\r\n");
  pair.add("INBOX", "X: 1\r\n\r\ntwo\r\n");
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.messages.at(0).uidl = "n1";
  inbox.remove(inbox.messages.at(1).uid);
  pair.add("INBOX", "X: 1\r\n\r\nsix\r\n");
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.target.appended == 3);
}

TEST_CASE("look-alike mail under another's name is told apart by its bytes") {
  // Without Message-ID and Received a header may be that of many messages.
  const auto alarm = [](const std::string& text) {
    return "Date: Mon, 7 Nov 2016 10:00:00 +0100\r\nFrom: cron@example\r\nSubject: alarm\r\n\r\n" +
           text + "\r\n";
  };
  const bool adopted = GENERATE(false, true);  // then nobody has noted its bytes
  Pair pair(pop3());
  pair.add("INBOX", alarm("disk"));
  if (adopted) pair.target.folder("INBOX").add(alarm("disk"));
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 1);
  MemoryMessage& message = pair.source.folder("INBOX").messages.at(0);
  SECTION("another message") {
    message.bytes = alarm("another");
    CHECK(pair.run().messages().copied == 1);
    CHECK(pair.on_target("INBOX") == 2);
  }
  SECTION("the same, and only the listing tells another size") {
    message.listed_bytes = message.bytes.size() + 7;
    CHECK(pair.run().messages().copied == 0);
    CHECK(pair.on_target("INBOX") == 1);
  }
}

TEST_CASE("alarms that one relay took in a second are told apart by their bytes") {
  const auto alarm = [](const std::string& text) {
    return "Received: from relay by mx\r\nDate: Mon, 7 Nov 2016 10:00:00 +0100\r\n"
           "From: cron@example\r\nSubject: alarm\r\n\r\n" +
           text + "\r\n";
  };
  Pair pair(pop3());
  pair.add("INBOX", alarm("disk"));
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  SECTION("another comes when the first has left") {
    inbox.remove(inbox.messages.at(0).uid);
    pair.add("INBOX", alarm("another disk"));
    CHECK(pair.run().messages().copied == 1);
    CHECK(pair.on_target("INBOX") == 2);
  }
  SECTION("the first has another name, and the listing another size for it") {
    inbox.messages.at(0).uidl = "n1";
    inbox.messages.at(0).listed_bytes = 7;
    CHECK(pair.run().messages().copied == 0);
    CHECK(pair.on_target("INBOX") == 1);
  }
}

TEST_CASE("a copy that is still missed goes before one that only looks like another's") {
  const std::string alarm =
      "Date: Mon, 7 Nov 2016 10:00:00 +0100\r\nFrom: cron@example\r\nSubject: "
      "alarm\r\n\r\ndisk\r\n";
  Pair pair(pop3());
  pair.add("INBOX", alarm);
  MemoryFolder& copies = pair.target.folder("INBOX");
  copies.add(alarm);
  pair.run();
  // Its copy, whose bytes nobody noted, is taken away; under a new name it is not known, and comes.
  copies.remove(copies.messages.at(0).uid);
  pair.source.folder("INBOX").messages.at(0).uidl = "n1";
  CHECK(pair.run().messages().copied == 1);
  pair.target.renumber(FolderName::parse("INBOX"), 77);
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.on_target("INBOX") == 1);
}

TEST_CASE("what was there before is known under a new name by the bytes of its copy") {
  const std::string alarm =
      "Date: Mon, 7 Nov 2016 10:00:00 +0100\r\nFrom: cron@example\r\nSubject: "
      "alarm\r\n\r\ndisk\r\n";
  Pair pair(pop3());
  pair.add("INBOX", alarm);
  pair.target.folder("INBOX").add(alarm);
  CHECK(pair.run().messages().copied == 0);
  pair.source.folder("INBOX").messages.at(0).uidl = "another-name";
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.on_target("INBOX") == 1);
}

TEST_CASE("what was there before is known under a made-up name, though its copy's UID is void") {
  const std::string head =
      "Date: Mon, 7 Nov 2016 10:00:00 +0100\r\nFrom: cron@example\r\nSubject: alarm\r\n\r\n";
  Pair pair(pop3());
  pair.source.folder("INBOX").add(head + "disk\r\n");
  pair.source.folder("INBOX").messages.at(0).uidl = " hash-of-header";
  pair.target.folder("INBOX").add(head + "disk\r\n", {}, InternalDate{5, 0});
  CHECK(pair.run().messages().copied == 0);
  // A look-alike comes: now all of it must be in the name.
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.messages.at(0).uidl = " hash-of-all-1";
  inbox.add(head + "tape\r\n");
  inbox.messages.at(1).uidl = " hash-of-all-2";
  pair.target.renumber(FolderName::parse("INBOX"), 9);
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.on_target("INBOX") == 2);
  // And goes again.
  inbox.remove(Uid{2});
  inbox.messages.at(0).uidl = " hash-of-header";
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.on_target("INBOX") == 2);
}

TEST_CASE("what we removed and the server shows again is the same message, and goes again") {
  Pair pair(pop3());
  pair.options.remove_after = std::chrono::days(0);
  for (int i = 0; i < 3; ++i) pair.add("INBOX", letter("m" + std::to_string(i)));
  const std::vector<MemoryMessage> before = pair.source.folder("INBOX").messages;
  CHECK(pair.run().removed() == 3);
  pair.source.folder("INBOX").messages = before;  // from a backup
  const Ledger again = pair.run();
  CHECK(again.messages().present == 3);
  CHECK(again.removed() == 3);
  CHECK(pair.target.appended == 3);
}

TEST_CASE("what came back stays, if its copy was taken from the target meanwhile") {
  Crossed pair(2);
  const MemoryMessage kept = pair.inbox().messages.at(0);
  pair.options.remove_after = std::chrono::days(0);
  pair.run();
  CHECK(pair.inbox().messages.empty());
  pair.inbox().messages.push_back(kept);
  pair.target.folder("INBOX").remove(Uid{1});
  pair.run();
  CHECK(pair.inbox().messages.size() == 1);
}

TEST_CASE("a message under a made-up name leaves the source only when its bytes are those copied") {
  Pair pair(pop3());
  pair.add("INBOX", letter("a"));
  pair.add("INBOX", letter("b"));
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.messages.at(0).uidl = " hash-a";
  inbox.messages.at(1).uidl = " hash-b";
  pair.run();
  std::string& other = inbox.messages.at(1).bytes;
  other.replace(other.find("\r\n\r\ntext"), 8, "\r\n\r\ntaxt");  // the same header, another body
  pair.options.remove_after = std::chrono::days(0);
  CHECK(pair.run().removed() == 1);
  CHECK(inbox.messages.size() == 1);
  CHECK(pair.observer.said("it cannot be proved that this is what was copied"));
}

TEST_CASE("a made-up name of which no copy is left to prove it is no new name of its own") {
  Pair pair(pop3());
  pair.add("INBOX", letter("a"));
  MemoryMessage& there = pair.source.folder("INBOX").messages.at(0);
  there.uidl = " hash-of-header";
  pair.target.folder("INBOX").add(letter("a"), {}, InternalDate{5, 0});
  CHECK(pair.run().messages().present == 1);
  pair.target.folder("INBOX").remove(Uid{1});
  there.listed_bytes = there.bytes.size() + 1;  // so that it is looked at
  CHECK(pair.run().messages().copied == 1);
  CHECK_FALSE(pair.observer.said("new name"));
  CHECK(pair.on_target("INBOX") == 1);
}

TEST_CASE("what --since leaves out is fetched once, and comes when it is wanted") {
  Pair pair(pop3());
  pair.fill("INBOX", 6);
  pair.options.since = 1'000'003;
  const auto fetched = [&pair] {
    int count = 0;
    pair.source.faults.on_fetch = [&count](const FolderName&, const MemoryMessage&) { ++count; };
    const Ledger ledger = pair.run();
    pair.source.faults.on_fetch = nullptr;
    return std::pair(count, ledger.messages());
  };
  const auto [first, night] = fetched();
  CHECK(first == 6);
  CHECK(night.copied == 3);
  CHECK(night.filtered == 3);
  for (int i = 0; i < 2; ++i) {
    const auto [again, tally] = fetched();
    CHECK(again == 0);
    CHECK(tally.filtered == 3);
    CHECK(tally.present == 3);
  }
  SECTION("an earlier day") {
    pair.options.since = 1'000'001;
    const auto [count, tally] = fetched();
    CHECK(count == 2);
    CHECK(tally.copied == 2);
    pair.options.since.reset();
    CHECK(pair.run().messages().copied == 1);
    CHECK(pair.on_target("INBOX") == 6);
  }
  SECTION("another message under a name that was left out") {
    MemoryMessage& message = pair.source.folder("INBOX").messages.at(1);
    message.bytes = letter("other", "of another size");
    message.date = InternalDate{2'000'000, 0};
    CHECK(pair.run().messages().copied == 1);
  }
  SECTION("all names are new") {
    for (MemoryMessage& message : pair.source.folder("INBOX").messages)
      message.uidl = "new-" + std::to_string(message.uid.value);
    const auto [count, tally] = fetched();
    CHECK(count == 0);
    CHECK(tally.filtered == 3);
    CHECK(tally.present == 3);
  }
}
