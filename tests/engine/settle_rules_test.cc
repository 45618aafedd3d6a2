// The rules of DESIGN section 4 that a crossing shows only when something went wrong before it.
#include "tests/engine/gathering.h"

using namespace postferry;

TEST_CASE("two accounts are gathered into one folder, one after the other or at once") {
  MemoryOptions slow;
  slow.round_trip = std::chrono::milliseconds(10);
  slow.traits.uidplus = GENERATE(true, false);
  Gathering gathering(slow);
  SECTION("one after the other") {
    block_on(gathering.executor, gathering.carry(gathering.ann, "ann"));
    block_on(gathering.executor, gathering.carry(gathering.bob, "bob"));
  }
  SECTION("at once") { gathering.both_at_once(); }
  SECTION("at once, with lines that are lost") {
    for (const unsigned after : {7u, 9u, 11u, 13u}) {
      MemoryStop stop;
      stop.after = after;
      stop.fate = MemoryStop::Fate::whole;
      gathering.target.faults.append_stops.push_back(stop);
    }
    gathering.both_at_once();
  }
  CHECK(gathering.there() == 100);
  gathering.both_at_once();
  CHECK(gathering.there() == 100);
}

TEST_CASE("a lost journal of two accounts in one folder is found again for both") {
  Gathering gathering;
  gathering.both_at_once();
  gathering.journal = open_journal_in_memory();
  gathering.both_at_once();
  CHECK(gathering.there() == 100);
  gathering.target.renumber(FolderName::parse("INBOX"), 77);
  gathering.both_at_once();
  CHECK(gathering.there() == 100);
}

TEST_CASE("what is there once stands for a message of one account, and not of each") {
  MemoryOptions slow;
  slow.round_trip = std::chrono::milliseconds(10);
  Gathering gathering(slow);
  Gathering::add(gathering.target, "both0", 0);
  gathering.both_at_once();
  CHECK(gathering.there() == 100);
}

TEST_CASE("what options leave out and the target has is found all the same, and never copied") {
  Pair pair;
  pair.fill("INBOX", 6);
  for (const MemoryMessage& message : pair.source.folder("INBOX").messages)
    pair.target.folder("INBOX").add(message.bytes, message.flags, message.date);
  pair.options.since = 1'000'003;
  CHECK(pair.run().messages().present == 6);
  pair.options.since.reset();
  CHECK(pair.run().messages().present == 6);
  CHECK(pair.equal());
}

TEST_CASE("two source folders into one target folder: nothing is lost or doubled") {
  Pair pair;
  pair.options.sessions = 4;
  pair.options.map = {{FolderName::parse("A"), FolderName::parse("All")},
                      {FolderName::parse("B"), FolderName::parse("All")}};
  pair.fill("A", 30, "a");
  pair.fill("B", 30, "b");
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.on_target("All") == 60);
  pair.journal = open_journal_in_memory();
  pair.run();
  CHECK(pair.on_target("All") == 60);
}

TEST_CASE("what is found again after a new UIDVALIDITY at the source is still ours to mirror") {
  Pair pair;
  pair.fill("INBOX", 6);
  pair.run();
  pair.source.renumber(FolderName::parse("INBOX"), 77);
  pair.run();
  pair.options.mirror_deletions = true;
  pair.source.folder("INBOX").remove(Uid{2});
  CHECK(pair.run().deleted() == 1);
  CHECK(pair.equal());
}

TEST_CASE("equal messages with other dates keep their dates when one of them is lost") {
  Pair pair;
  pair.add("INBOX", letter("same"));
  pair.add("INBOX", letter("same"));
  pair.run();
  pair.target.folder("INBOX").remove(Uid{1});
  pair.journal = open_journal_in_memory();
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("flags that change while a batch is lost follow as gains and losses") {
  Pair pair;
  pair.add("INBOX", letter("a"), "\\Seen");
  pair.options.retries = 0;
  MemoryStop stop;
  stop.fate = MemoryStop::Fate::whole;
  pair.target.faults.append_stops.push_back(stop);
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 1);
  pair.source.folder("INBOX").messages[0].flags = Flags::parse("work");
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("a copy of a batch that was given up has the flags of that one, not of the next") {
  Pair pair;
  pair.add("INBOX", letter("a"), "\\Flagged");
  pair.options.retries = 0;
  MemoryStop late, lost;
  late.fate = MemoryStop::Fate::late;
  late.late_by = std::chrono::hours(1);
  pair.target.faults.append_stops = {late, lost};
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.set_flags(inbox.messages.at(0), Flags::parse("\\Seen"));
  pair.run();  // sends it anew
  pair.target.arrive_all();
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("flags that change together with a UIDVALIDITY follow all the same") {
  MemoryOptions tracked;
  tracked.condstore = true;
  Pair pair(tracked, tracked);
  pair.add("INBOX", letter("a"), "\\Seen");
  pair.run();
  pair.source.folder("INBOX").messages[0].flags = Flags::parse("work");
  ++pair.source.folder("INBOX").highest_modseq;
  const std::string at = GENERATE("source", "target", "both");
  if (at != "target") pair.source.renumber(FolderName::parse("INBOX"), 77);
  if (at != "source") pair.target.renumber(FolderName::parse("INBOX"), 78);
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("a run that is lost after a new UIDVALIDITY leaves the histories to the next") {
  Pair pair;
  pair.add("INBOX", letter("a"), "\\Seen");
  pair.run();
  pair.source.renumber(FolderName::parse("INBOX"), 77);
  pair.options.retries = 0;
  pair.target.faults.on_call = [](MemoryServer&, std::string_view call) {
    if (call == "look") throw Error(ErrorKind::transient, "the line is cut");
  };
  CHECK(pair.run().outcome == Outcome::interrupted);
  pair.target.faults.on_call = nullptr;
  pair.source.folder("INBOX").messages[0].flags = Flags::parse("work");
  pair.run();
  CHECK(pair.equal());  // ours, so its flags are followed
}

TEST_CASE("of equal messages the one that is known to be there keeps its copy, and its date") {
  Pair pair;
  pair.add("INBOX", letter("same"));
  pair.run();
  pair.add("INBOX", letter("same"));  // another date; all trace of its batch is lost
  pair.options.retries = 0;
  MemoryStop lost;
  lost.fate = MemoryStop::Fate::none;
  pair.target.faults.append_stops.push_back(lost);
  pair.run();
  pair.target.renumber(FolderName::parse("INBOX"), 77);
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("after a new UIDVALIDITY a copy is ours, though the source has its message no longer") {
  Pair pair;
  pair.fill("INBOX", 4);
  pair.run();
  pair.target.renumber(FolderName::parse("INBOX"), 77);
  pair.source.folder("INBOX").remove(Uid{2});
  pair.run();
  pair.options.mirror_deletions = true;
  CHECK(pair.run().deleted() == 1);
  CHECK(pair.equal());
}

TEST_CASE("a flag that a cut line left unset is set, and what a user took away is not") {
  Pair pair;
  pair.add("INBOX", letter("a"), "\\Flagged");
  pair.add("INBOX", letter("b"), "\\Flagged");
  pair.options.retries = 0;
  MemoryStop stop;
  stop.after = 1;
  stop.fate = MemoryStop::Fate::whole;
  pair.target.faults.append_stops.push_back(stop);
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 2);
  pair.target.folder("INBOX").messages[0].flags = {};
  pair.run();
  CHECK(pair.equal());
  pair.target.folder("INBOX").messages[1].flags = {};  // by the user, later
  pair.run();
  CHECK(pair.target.folder("INBOX").messages[1].flags == Flags{});
}

TEST_CASE("a copy of what was removed from the source stands for no other message") {
  const bool at_source = GENERATE(true, false), at_target = GENERATE(true, false);
  const bool adopted = GENERATE(true, false), munged = GENERATE(true, false);
  MemoryOptions target;
  target.traits.munges_8bit = munged;
  Pair pair({}, target);
  pair.options.remove_after = std::chrono::days(0);
  const std::string same = letter("same \xe4");
  pair.add("INBOX", same);
  if (adopted) pair.target.folder("INBOX").add(same, {}, InternalDate{5, 0});
  pair.run();
  REQUIRE(pair.source.folder("INBOX").messages.empty());
  if (munged) std::ranges::replace(pair.target.folder("INBOX").messages[0].bytes, '\xe4', 'X');
  if (at_source) pair.source.renumber(FolderName::parse("INBOX"), 77);
  if (at_target) pair.target.renumber(FolderName::parse("INBOX"), 78);
  pair.add("INBOX", same);  // another delivery, with another date
  pair.run();
  CHECK(pair.source.folder("INBOX").messages.empty());
  CHECK(pair.on_target("INBOX") == 2);
}

TEST_CASE("what has header and date of what was removed is known by its size, or its bytes") {
  const bool back = GENERATE(true, false);
  Pair pair;
  pair.options.remove_after = std::chrono::days(0);
  const std::string first = letter("a");
  const Uid uid = pair.add("INBOX", first);
  const auto date = pair.source.folder("INBOX").find(uid)->date;
  pair.run();
  pair.target.folder("INBOX").messages[0].listed_bytes = first.size() + 7;  // as it tells it
  pair.source.renumber(FolderName::parse("INBOX"), 77);
  pair.source.folder("INBOX").add(back ? first : letter("a", "text!"), {}, date);
  pair.run();
  CHECK(pair.on_target("INBOX") == (back ? 1 : 2));
  CHECK(pair.source.folder("INBOX").messages.empty());
}

TEST_CASE("a copy of what was removed stands for no other after several new UIDVALIDITYs") {
  const bool adopted = GENERATE(true, false);
  Pair pair;
  pair.options.remove_after = std::chrono::days(0);
  pair.add("INBOX", letter("same"));
  if (adopted) pair.target.folder("INBOX").add(letter("same"), {}, InternalDate{5, 0});
  pair.run();
  for (std::uint32_t validity = 77; validity < 80; ++validity) {
    if (validity != 78) pair.source.renumber(FolderName::parse("INBOX"), validity);
    if (validity != 77) pair.target.renumber(FolderName::parse("INBOX"), validity);
    pair.run();
  }
  pair.add("INBOX", letter("same"));
  pair.run();
  CHECK(pair.source.folder("INBOX").messages.empty());
  CHECK(pair.on_target("INBOX") == 2);
}

TEST_CASE("what was removed from the source and comes back under another UIDVALIDITY is known") {
  Pair pair;
  pair.options.remove_after = std::chrono::days(0);
  const Uid uid = pair.add("INBOX", letter("a"));
  const MemoryMessage message = *pair.source.folder("INBOX").find(uid);
  pair.run();
  pair.source.renumber(FolderName::parse("INBOX"), 77);
  pair.source.folder("INBOX").add(message.bytes, message.flags, message.date);
  pair.run();
  CHECK(pair.on_target("INBOX") == 1);
  CHECK(pair.source.folder("INBOX").messages.empty());
}

TEST_CASE("a UID that is given before its message can be seen hides nothing") {
  Pair pair;
  pair.fill("INBOX", 5);
  pair.run();
  MemoryFolder& there = pair.target.folder("INBOX");
  const Uid given = there.uid_next;
  there.uid_next = Uid{given.value + 1};
  pair.run();
  const InternalDate date{1'600'000'000, 0};
  there.messages.push_back({given, letter("delivered to both"), {}, date});
  pair.source.folder("INBOX").add(letter("delivered to both"), {}, date);
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.equal());
}

TEST_CASE("what this run has appended without a gap is not listed again") {
  Pair pair;
  pair.fill("INBOX", 300);
  pair.run();
  CHECK(pair.equal());
  CHECK(pair.target.looked_at <= 10);
}

TEST_CASE("a message that somebody else puts between ours is seen, and stays") {
  Pair pair;
  pair.fill("INBOX", 60);
  bool done = false;
  pair.target.faults.on_call = [&done](MemoryServer& server, std::string_view call) {
    if (call != "batch" || server.appended < 20 || std::exchange(done, true)) return;
    server.folder("INBOX").add(letter("foreign"));
  };
  pair.run();
  CHECK(pair.on_target("INBOX") == 61);
  // It is accounted for as somebody else's: an equal of it at the source is another message.
  pair.add("INBOX", letter("foreign"));
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.on_target("INBOX") == 62);
}

TEST_CASE(
    "true duplicates outlive a new UIDVALIDITY of the target when the source has them no more") {
  MemoryOptions source;
  source.uidl_keys = GENERATE(true, false);
  Pair pair(source);
  std::optional<InternalDate> date;
  if (GENERATE(true, false)) date = InternalDate{5, 0};
  for (const char* id : {"same", "same", "other"})
    pair.source.folder("INBOX").add(letter(id), {}, date);
  pair.options.remove_after = std::chrono::days(0);
  MemoryStop stop;  // the first is found again, and nobody has noted its bytes
  stop.after = 1;
  stop.fate = MemoryStop::Fate::prefix;
  pair.target.faults.append_stops.push_back(stop);
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 3);
  REQUIRE(pair.source.folder("INBOX").messages.empty());
  pair.target.renumber(FolderName::parse("INBOX"), 77);
  pair.run();
  CHECK(pair.on_target("INBOX") == 3);
  pair.source.folder("INBOX").add(letter("new"), {}, InternalDate{6, 0});
  pair.run();
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("a copy that somebody marked for deletion is another's only at need, and then it stays") {
  const bool pop3 = GENERATE(false, true);
  MemoryOptions from;
  from.uidl_keys = pop3;
  Pair pair(from);
  pair.add("INBOX", letter("one"), "");
  pair.add("INBOX", letter("two"), "");
  MemoryFolder& there = pair.target.folder("INBOX");
  for (const char* id : {"one", "two"})
    there.add(letter(id), Flags::parse("\\Deleted"), InternalDate{5, 0});
  there.add(letter("one"), {}, InternalDate{5, 0});
  CHECK(pair.run().messages().present == 2);
  CHECK(there.find(Uid{1})->flags.to_string() == "\\Deleted");  // the second "one" is there
  CHECK(there.find(Uid{2})->flags.to_string().empty());
  // What people mark when its row is known is theirs to mark.
  there.find(Uid{2})->flags.add("\\Deleted");
  pair.run();
  CHECK(there.find(Uid{2})->flags.to_string() == "\\Deleted");
}

TEST_CASE("a copy marked for deletion stands for what the source has marked, too") {
  Pair pair;
  pair.add("INBOX", letter("m"), "\\Deleted");
  pair.target.folder("INBOX").add(letter("m"), Flags::parse("\\Deleted"), InternalDate{5, 0});
  CHECK(pair.run().messages().present == 1);
  CHECK(pair.target.folder("INBOX").find(Uid{1})->flags.to_string() == "\\Deleted");
}

TEST_CASE("what the source's mail looks like is read once, however often a stranger comes") {
  MemoryOptions target;
  target.traits.uidplus = false;  // a settle for every thousand
  Pair pair({}, target);
  pair.fill("INBOX", 2500);
  int foreign = 0;
  pair.target.faults.on_call = [&foreign](MemoryServer& server, std::string_view call) {
    if (call == "append") server.folder("INBOX").add(letter("foreign" + std::to_string(foreign++)));
  };
  CHECK(pair.run().messages().copied == 2500);
  REQUIRE(foreign >= 3);
  CHECK(pair.source.calls["headers"] == 5);  // 500 at a time
}

TEST_CASE("mail that the target holds already is recorded as it is found") {
  Pair pair;
  pair.fill("INBOX", 5000);
  pair.run();
  pair.journal = open_journal_in_memory();
  MemoryFolder& there = pair.target.folder("INBOX");
  for (MemoryMessage& one : there.messages) one.flags.add("\\Deleted");
  // The line is lost over the one that only its bytes tell.
  for (int i = 0; i < 2; ++i) pair.source.folder("INBOX").add("\r\nno header\r\n", {}, {});
  pair.target.folder("INBOX").add("\r\nno header\r\n", {}, {});
  pair.options.retries = 0;
  pair.source.faults.on_call = [](MemoryServer& server, std::string_view call) {
    if (call == "fetch") server.drop_sessions();
  };
  pair.run();
  pair.source.faults.on_call = nullptr;
  pair.source.calls["headers"] = 0;
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().present == 5001);
  CHECK(ledger.messages().copied == 1);
  CHECK(pair.source.calls["headers"] < 5);
  // What is recorded is to stay, whatever was cut short.
  CHECK(std::ranges::none_of(there.messages, [](const MemoryMessage& one) {
    return one.flags.to_string().contains("\\Deleted");
  }));
}

TEST_CASE("folders that share a target folder keep their copies' dates when its UIDs are void") {
  Pair pair;
  pair.options.map = {{FolderName::parse("A"), FolderName::parse("All")},
                      {FolderName::parse("B"), FolderName::parse("All")}};
  const InternalDate of_a{1'000'000, 0}, of_b{2'000'000, 0};
  pair.source.folder("A").add(letter("same"), {}, of_a);
  pair.source.folder("B").add(letter("same"), {}, of_b);
  pair.run();
  MemoryFolder& all = pair.target.folder("All");
  REQUIRE(all.messages.size() == 2);
  const bool lost = GENERATE(true, false);
  if (lost) std::erase_if(all.messages, [&](const MemoryMessage& one) { return one.date == of_a; });
  pair.target.renumber(FolderName::parse("All"), 77);
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().copied == (lost ? 1 : 0));
  CHECK(ledger.messages().twins == 0);
  std::vector<std::int64_t> dates;
  for (const MemoryMessage& one : pair.target.folder("All").messages)
    dates.push_back(one.date->seconds);
  std::ranges::sort(dates);
  CHECK(dates == std::vector<std::int64_t>{of_a.seconds, of_b.seconds});
}

TEST_CASE("two POP3 accounts in one folder find their equal mail again when its UIDs are void") {
  MemoryOptions pop3;
  pop3.uidl_keys = true;
  Gathering gathering({}, pop3);
  gathering.both_at_once();
  REQUIRE(gathering.there() == 100);
  gathering.target.renumber(FolderName::parse("INBOX"), 77);
  gathering.both_at_once();
  CHECK(gathering.there() == 100);
}
