#include "tests/engine/crossing_fixture.h"

using namespace postferry;

TEST_CASE("everything crosses once, with flags and dates, and a second run copies nothing") {
  Pair pair;
  pair.fill("INBOX", 25);
  pair.fill("Archive/2019", 3, "old");
  pair.add("Archive/2019", letter("odd"), "\\Flagged $Label1");
  pair.source.folder("Empty");
  const Ledger first = pair.run();
  CHECK(first.outcome == Outcome::complete);
  CHECK(first.messages().copied == 29);
  CHECK(pair.equal());
  CHECK(pair.target.find(FolderName::parse("Empty")));
  const Ledger second = pair.run();
  CHECK(second.messages().present == 29);
  CHECK(second.messages().copied == 0);
  CHECK(pair.target.appended == 29);
}

TEST_CASE("where both ends tell their numbers, a folder with nothing to do is not opened") {
  MemoryOptions modern;
  modern.condstore = true;
  Pair pair(modern, modern);
  pair.fill("INBOX", 5);
  pair.run();
  pair.source.calls.clear();
  pair.target.calls.clear();
  const Ledger again = pair.run();
  CHECK(again.messages().present == 5);
  CHECK(pair.source.calls["select"] == 0);
  CHECK(pair.target.calls["select"] == 0);
}

TEST_CASE("without mod-sequences only an empty folder is passed over") {
  Pair pair;
  pair.fill("INBOX", 5);
  pair.source.folder("Empty");
  pair.run();
  pair.source.calls.clear();
  pair.run();
  CHECK(pair.source.calls["select"] == 1);
  pair.add("Empty", letter("first"));
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.equal());
}

TEST_CASE("changed options open a folder again") {
  MemoryOptions modern;
  modern.condstore = true;
  Pair pair(modern, modern);
  pair.add("INBOX", letter("big", std::string(5000, 'x')));
  pair.fill("INBOX", 2);
  pair.options.max_size_bytes = 1000;
  CHECK(pair.run().messages().filtered == 1);
  CHECK(pair.run().messages().filtered == 1);
  pair.options.max_size_bytes.reset();
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.equal());
}

TEST_CASE("true duplicates stay duplicates, found again without a journal too") {
  Pair pair;
  for (int i = 0; i < 3; ++i)
    pair.source.folder("INBOX").add(letter("same"), {}, InternalDate{5, 0});
  pair.run();
  CHECK(pair.on_target("INBOX") == 3);
  pair.journal = open_journal_in_memory();
  const Ledger again = pair.run();
  CHECK(again.messages().present == 3);
  CHECK(pair.on_target("INBOX") == 3);
}

TEST_CASE("a target that holds a part of the mail gets the rest, and strangers are left alone") {
  Pair pair;
  pair.fill("INBOX", 10);
  MemoryFolder& there = pair.target.folder("INBOX");
  for (int i = 0; i < 4; ++i) there.add(letter("m" + std::to_string(i)), {}, InternalDate{7, 0});
  there.add(letter("stranger"), {}, InternalDate{8, 0});
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().present == 4);
  CHECK(ledger.messages().copied == 6);
  CHECK(pair.on_target("INBOX") == 11);
  CHECK(pair.observer.said("the journal has no earlier run"));
  pair.observer.notes.clear();
  pair.fill("INBOX", 1, "later");
  pair.run();
  CHECK_FALSE(pair.observer.said("the journal has no earlier run"));
}

TEST_CASE("a lost line: whatever the server did with the batch, each message is there once") {
  using Fate = MemoryStop::Fate;
  for (const Fate fate : {Fate::none, Fate::prefix, Fate::whole}) {
    for (const bool uidplus : {true, false}) {
      MemoryOptions target;
      target.traits.uidplus = uidplus;
      Pair pair({}, target);
      pair.fill("INBOX", 35);
      MemoryStop stop;
      stop.after = 13;
      stop.fate = fate;
      pair.target.faults.append_stops.push_back(stop);
      const Ledger ledger = pair.run();
      CHECK(ledger.outcome == Outcome::complete);
      CHECK(ledger.messages().copied == 35);
      CHECK(pair.equal());
    }
  }
}

TEST_CASE("a server that stores after the line is lost is waited for") {
  Pair pair;
  pair.fill("INBOX", 30);
  MemoryStop stop;
  stop.after = 12;
  stop.fate = MemoryStop::Fate::late;
  stop.late_by = std::chrono::seconds(3);
  stop.late_step = std::chrono::milliseconds(300);
  pair.target.faults.append_stops.push_back(stop);
  CHECK(pair.run().outcome == Outcome::complete);
  pair.target.arrive_all();
  CHECK(pair.equal());
}

TEST_CASE("a slow server is waited for as long as four of its batches take") {
  MemoryOptions slow;
  slow.round_trip = std::chrono::seconds(60);
  Pair pair({}, slow);
  pair.fill("INBOX", 30);
  MemoryStop stop;
  stop.after = 12;
  stop.fate = MemoryStop::Fate::late;
  // Behind a login, a SELECT and a look at the folder, more than four batches into the wait.
  stop.late_by = std::chrono::seconds(4 * 60 + 262);
  pair.target.faults.append_stops.push_back(stop);
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.target.appended == 30);
}

TEST_CASE("what arrives after it was given up is removed by the next run, and nothing else") {
  Pair pair;
  pair.fill("INBOX", 20);
  MemoryStop stop;
  stop.after = 5;
  stop.fate = MemoryStop::Fate::late;
  stop.late_by = std::chrono::minutes(10);
  pair.target.faults.append_stops.push_back(stop);
  pair.run();
  pair.target.folder("INBOX").add(letter("foreign"), {}, InternalDate{1, 0});
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > 21);
  const Ledger again = pair.run();
  CHECK(again.messages().twins > 0);
  CHECK(pair.on_target("INBOX") == 21);
  CHECK(pair.run().messages().twins == 0);
}

TEST_CASE("runs in quick succession do not miss what arrives late") {
  Pair pair;
  pair.fill("INBOX", 20);
  MemoryStop stop;
  stop.after = 5;
  stop.fate = MemoryStop::Fate::late;
  stop.late_by = std::chrono::seconds(60);
  pair.target.faults.append_stops.push_back(stop);
  for (int i = 0; i < 3; ++i) pair.run();
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > 20);
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("a lost source line is taken up again") {
  Pair pair;
  pair.fill("INBOX", 40);
  for (int i = 0; i < 2; ++i) {
    MemoryStop stop;
    stop.after = 11;
    pair.source.faults.fetch_stops.push_back(stop);
  }
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.equal());
  CHECK(pair.target.appended == 40);
}

TEST_CASE(
    "a folder whose lost batch may still arrive is opened again, though nothing has changed") {
  MemoryOptions source;
  source.condstore = true;
  Pair pair(source);
  pair.fill("INBOX", 20);
  MemoryStop stop;
  stop.after = 5;
  stop.fate = MemoryStop::Fate::late;
  stop.late_by = std::chrono::minutes(1);
  pair.target.faults.append_stops.push_back(stop);
  pair.run();
  const Uid next = pair.target.folder("INBOX").uid_next;
  pair.target.arrive_all();
  REQUIRE(pair.on_target("INBOX") > 20);
  pair.target.folder("INBOX").uid_next = next;  // as a server that tells it late
  pair.run();
  CHECK(pair.on_target("INBOX") == 20);
}

TEST_CASE("the target's UIDVALIDITY changed: messages are found again, not copied again") {
  Pair pair;
  pair.fill("INBOX", 12);
  pair.run();
  pair.target.renumber(FolderName::parse("INBOX"), 77);
  pair.fill("INBOX", 1, "new");
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().copied == 1);
  CHECK(ledger.messages().present == 12);
  CHECK(pair.equal());
}

TEST_CASE("the source's UIDVALIDITY changed: messages are found again, not copied again") {
  Pair pair;
  pair.fill("INBOX", 12);
  pair.run();
  pair.source.renumber(FolderName::parse("INBOX"), 78);
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().copied == 0);
  CHECK(ledger.messages().present == 12);
  CHECK(pair.equal());
}

TEST_CASE("flags are followed as gains and losses, and what the target's user did stands") {
  Pair pair;
  const Uid uid = pair.add("INBOX", letter("a"), "\\Seen work");
  pair.run();
  MemoryMessage& copy = pair.target.folder("INBOX").messages.at(0);
  copy.flags = Flags::parse("\\Seen \\Flagged work");
  pair.source.folder("INBOX").find(uid)->flags = Flags::parse("\\Answered WORK");
  const Ledger ledger = pair.run();
  CHECK(ledger.flags_updated() == 1);
  CHECK(copy.flags.to_string() == "\\Answered \\Flagged work");
  CHECK(pair.run().flags_updated() == 0);
}

TEST_CASE("deletions are kept unless mirror is asked for, and then only our own copies go") {
  Pair pair;
  pair.target.folder("INBOX").add(letter("m1"), {}, InternalDate{3, 0});  // will be adopted
  pair.fill("INBOX", 5);
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  const Uid ours = inbox.messages.at(0).uid, adopted = inbox.messages.at(1).uid;
  inbox.remove(ours);
  inbox.remove(adopted);
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.on_target("INBOX") == 5);
  pair.options.mirror_deletions = true;
  CHECK(pair.run().deleted() == 1);
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("a copy that the user changed is not removed") {
  Pair pair;
  pair.options.mirror_deletions = true;
  pair.fill("INBOX", 3);
  pair.run();
  pair.target.folder("INBOX").messages.at(1).bytes += "changed";
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.remove(inbox.messages.at(1).uid);
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.on_target("INBOX") == 3);
}

TEST_CASE("many deletions at once need to be forced") {
  Pair pair;
  pair.options.mirror_deletions = true;
  pair.fill("INBOX", 50);
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  while (inbox.messages.size() > 25) inbox.remove(inbox.messages.front().uid);
  const Ledger held = pair.run();
  CHECK(held.outcome == Outcome::partial);
  CHECK(pair.on_target("INBOX") == 50);
  pair.options.force_deletions = true;
  CHECK(pair.run().deleted() == 25);
  CHECK(pair.on_target("INBOX") == 25);
}

TEST_CASE("a dry run changes nothing on either server") {
  Pair pair;
  pair.options.dry_run = true;
  pair.fill("INBOX", 4);
  pair.source.folder("New/Folder");
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().pending == 4);
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(pair.target.appended == 0);
  CHECK_FALSE(pair.target.find(FolderName::parse("New/Folder")));
}

TEST_CASE("fewer sessions than asked for are not a failure") {
  MemoryOptions narrow;
  narrow.max_sessions = 1;
  Pair pair({}, narrow);
  pair.options.sessions = 4;
  for (const char* folder : {"a", "b", "c", "d", "e"}) pair.fill(folder, 5, folder);
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(pair.equal());
}

TEST_CASE("where a round trip takes long, more sessions are used, if nobody said how many") {
  const auto connections = [](Duration round_trip, std::optional<int> afar) {
    MemoryOptions far;
    far.round_trip = round_trip;
    far.max_sessions = 8;
    Pair pair(far, far);
    pair.options.sessions = 2;
    pair.options.sessions_afar = afar;
    for (const char* folder : {"a", "b", "c", "d", "e", "f"}) pair.fill(folder, 70, folder);
    CHECK(pair.run().outcome == Outcome::complete);
    CHECK(pair.equal());
    return pair.source.calls["connect"];
  };
  CHECK(connections(std::chrono::milliseconds(10), 5) == 2);
  CHECK(connections(std::chrono::milliseconds(200), 5) == 5);
  CHECK(connections(std::chrono::milliseconds(200), std::nullopt) == 2);
}

TEST_CASE("mail without any header field that tells it apart is matched by its bytes") {
  Pair pair;
  pair.add("INBOX", "Subject: x\r\n\r\none\r\n");
  pair.add("INBOX", "Subject: x\r\n\r\ntwo\r\n");
  pair.add("INBOX", "\r\n");
  pair.run();
  pair.journal = open_journal_in_memory();
  const Ledger again = pair.run();
  CHECK(again.messages().present == 3);
  CHECK(pair.on_target("INBOX") == 3);
}

TEST_CASE("a body too large to hold is streamed, and survives a lost line") {
  MemoryOptions streaming;
  streaming.stream_above = 1000;
  Pair pair(streaming, {});
  pair.fill("INBOX", 3);
  pair.add("INBOX", letter("large", std::string(300'000, 'y')));
  pair.fill("INBOX", 3, "more");
  MemoryStop stop;
  stop.after = 4;
  stop.body_bytes = 150'000;
  pair.source.faults.fetch_stops.push_back(stop);
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.equal());
}

TEST_CASE("small folders cross side by side over one connection") {
  MemoryOptions far;
  far.round_trip = std::chrono::milliseconds(40);
  Pair pair(far, far);
  for (int i = 0; i < 60; ++i)
    pair.fill(("f" + std::to_string(i)).c_str(), 2, "f" + std::to_string(i) + "-");
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().copied == 120);
  CHECK(pair.equal());
  CHECK(pair.source.calls["connect"] == 1);
  CHECK(pair.target.calls["connect"] == 1);
  // Twelve at a time, and each folder some six round trips.
  CHECK(ledger.seconds < 60 / 12 * 8 * 0.040);
}

TEST_CASE("a connection that is lost under many small folders costs them nothing but time") {
  Pair pair;
  for (int i = 0; i < 30; ++i)
    pair.fill(("f" + std::to_string(i)).c_str(), 3, "f" + std::to_string(i) + "-");
  int batches = 0;
  pair.target.faults.on_call = [&](MemoryServer& server, std::string_view call) {
    if (call == "batch" && ++batches % 9 == 0) server.drop_sessions();
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(pair.equal());
}

TEST_CASE("a small folder that cannot be opened does not hold up those beside it") {
  Pair pair;
  for (int i = 0; i < 20; ++i)
    pair.fill(("f" + std::to_string(i)).c_str(), 2, "f" + std::to_string(i) + "-");
  pair.source.faults.on_call = [&](MemoryServer& server, std::string_view call) {
    const FolderName gone = FolderName::parse("f7");
    if (call == "select" && server.find(gone)) server.remove_folder(gone);
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.folders_failed() == 1);
  CHECK(ledger.messages().copied == 38);
  CHECK(ledger.messages().pending == 2);
  CHECK(pair.source.calls["connect"] == 1);
}
