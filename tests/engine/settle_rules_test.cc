// The rules of DESIGN section 4 that a crossing shows only when something went wrong before it.
#include "engine/async/task_group.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

MemoryStop late_stop(std::uint64_t after, std::chrono::seconds by) {
  MemoryStop stop;
  stop.after = after;
  stop.fate = MemoryStop::Fate::late;
  stop.late_by = by;
  return stop;
}

}  // namespace

TEST_CASE("a late copy does not pass for another message with the same bytes") {
  Pair pair;
  pair.add("INBOX", letter("same"));
  pair.add("INBOX", letter("other"));
  pair.add("INBOX", letter("same"));  // another date
  pair.target.faults.append_stops.push_back(late_stop(0, std::chrono::seconds(3600)));
  pair.run();
  CHECK(pair.equal());
  // Its late copies come just when the next batch is lost without a trace.
  pair.add("INBOX", letter("same"));
  MemoryStop lost;
  lost.fate = MemoryStop::Fate::none;
  pair.target.faults.append_stops.push_back(lost);
  pair.target.faults.on_call = [&pair](MemoryServer&, std::string_view call) {
    if (call == "batch") pair.target.arrive_all();
  };
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("late copies of mail without a date are removed too") {
  MemoryOptions pop;
  pop.uidl_keys = true;
  Pair pair(pop);
  for (int i = 0; i < 4; ++i) pair.source.folder("INBOX").add(letter(std::to_string(i)));
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.run();
  CHECK(pair.on_target("INBOX") == 4);
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > 4);
  CHECK(pair.run().messages().twins > 0);
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("late copies are known as ours though the source gives other names meanwhile") {
  MemoryOptions pop;
  pop.uidl_keys = true;
  Pair pair(pop);
  for (int i = 0; i < 4; ++i) pair.source.folder("INBOX").add(letter(std::to_string(i)));
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.run();
  for (MemoryMessage& message : pair.source.folder("INBOX").messages)
    message.uidl = "n" + std::to_string(50 - message.uid.value);
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > 4);
  CHECK(pair.run().messages().twins > 0);
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("of two equal messages the copy of the one that has another name now is no late one") {
  MemoryOptions pop, bare;
  pop.uidl_keys = true;
  bare.traits.uidplus = false;
  Pair pair(pop, bare);
  for (int i = 0; i < 2; ++i) pair.source.folder("INBOX").add(letter("same"));
  pair.options.retries = 0;
  pair.source.faults.on_call = [&pair](MemoryServer&, std::string_view call) {
    if (call == "headers" && pair.target.appended == 2)
      throw Error(ErrorKind::transient, "the connection was lost");
  };
  pair.run();
  REQUIRE(pair.target.appended == 2);
  pair.source.faults.on_call = nullptr;
  pair.source.folder("INBOX").messages.at(1).uidl = " made of the header";
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().twins == 0);
  CHECK(ledger.messages().copied == 0);
  CHECK(pair.on_target("INBOX") == 2);
}

TEST_CASE("late copies whose removal was cut short behind the mark are removed all the same") {
  Pair pair;
  pair.fill("INBOX", 4);
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.run();
  pair.target.arrive_all();
  MemoryFolder& inbox = pair.target.folder("INBOX");
  REQUIRE(inbox.messages.size() > 4);
  for (std::size_t i = 4; i < inbox.messages.size(); ++i)
    inbox.messages[i].flags.system |= Flags::deleted;
  CHECK(pair.run().messages().twins > 0);
  CHECK(pair.equal());
}

TEST_CASE("late copies are told though the source was put back to before its mail came") {
  Pair pair;
  pair.fill("INBOX", 4);
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.run();
  pair.source.folder("INBOX").messages.clear();
  pair.source.renumber(FolderName::parse("INBOX"), 77);
  pair.run();
  pair.target.arrive_all();
  const std::size_t there = pair.on_target("INBOX");
  REQUIRE(there > 4);
  CHECK(pair.run().messages().twins == there - 4);
  CHECK(pair.on_target("INBOX") == there);  // whose they are cannot be proved
}

TEST_CASE("late copies are known on a server that rewrites the Message-ID's domain, too") {
  MemoryOptions domino;
  domino.traits.rewrites_message_id = true;
  Pair pair({}, domino);
  pair.fill("INBOX", 4);
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.run();
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > 4);
  pair.run();
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("late copies are known on a server that loses \\Flagged at APPEND, too") {
  MemoryOptions exchange;
  exchange.traits.loses_flagged = true;
  Pair pair({}, exchange);
  for (const char* id : {"a", "b", "c"}) pair.add("INBOX", letter(id), "\\Flagged");
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.run();
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > 3);
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("late copies are known as ours also when the source has the message no longer") {
  Pair pair;
  pair.fill("INBOX", 4);
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.run();
  for (std::uint32_t uid : {1u, 2u}) pair.source.folder("INBOX").remove(Uid{uid});
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > 4);
  pair.run();
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE(
    "a late arrival that differs in flags or in date from what was copied is not ours to remove") {
  Pair pair;
  pair.fill("INBOX", 4);
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.run();
  pair.target.arrive_all();
  std::vector<MemoryMessage>& there = pair.target.folder("INBOX").messages;
  REQUIRE(there.size() > 5);  // late copies, two of them at the least
  const bool flags = GENERATE(true, false);
  MemoryMessage& touched = there.back();
  if (flags) {
    touched.flags = Flags::parse("\\Seen \\Flagged");
  } else {
    touched.date = InternalDate{touched.date->seconds + 86'400, touched.date->zone_minutes};
  }
  const Uid uid = touched.uid;
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().twins > 0);
  CHECK(pair.on_target("INBOX") == 5);
  CHECK(pair.target.folder("INBOX").find(uid) != nullptr);
}

TEST_CASE("a second copy that is not known to be ours is told as a twin, and stays") {
  Pair pair;
  pair.fill("INBOX", 3);
  pair.run();
  pair.target.folder("INBOX").add(letter("m1"), {}, InternalDate{5, 0});  // another operator's
  pair.target.folder("INBOX").add(letter("stranger"), {}, InternalDate{5, 0});
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().twins == 1);
  CHECK(pair.observer.said("equal others that have crossed"));
  CHECK(pair.on_target("INBOX") == 5);
  CHECK(ledger.messages().copied == 0);
}

TEST_CASE("a second copy is told though the target's sizes are its own") {
  Pair pair;
  pair.add("INBOX", letter("m"));
  MemoryFolder& there = pair.target.folder("INBOX");
  for (const std::uint64_t size : {213u, 215u}) {
    there.add(letter("m"), {}, InternalDate{5, 0});
    there.messages.back().listed_bytes = size;
  }
  CHECK(pair.run().messages().twins == 1);
  CHECK(pair.on_target("INBOX") == 2);
}

namespace {

/// Ann and Bob are gathered into one mailbox, with one journal.
struct Gathering {
  explicit Gathering(MemoryOptions target_options = {}, MemoryOptions source_options = {})
      : ann(source_options), bob(source_options), target(std::move(target_options)) {
    options.sessions = 2;
    for (int i = 0; i < 25; ++i) {
      add(ann, "ann" + std::to_string(i), i);
      add(bob, "bob" + std::to_string(i), i);
    }
    for (MemoryServer* server : {&ann, &bob})
      for (int i = 0; i < 25; ++i) add(*server, "both" + std::to_string(i), i);
  }
  static void add(MemoryServer& server, const std::string& id, int date,
                  const char* folder = "INBOX") {
    server.folder(folder).add(letter(id), {}, InternalDate{1000 + date, 0});
  }
  Task<void> carry(MemoryServer& server, std::string name) {
    const auto from = make_memory_source(server);
    const auto to = make_memory_target(target);
    const Ledger ledger =
        co_await cross_account({*from, *to, *journal, observer, &turns},
                               {name, "source of " + name, "target"}, options, stop);
    CHECK(ledger.outcome == Outcome::complete);
    copied += ledger.messages().copied;
  }
  void both_at_once() {
    const auto run = [this]() -> Task<void> {
      co_await with_group([this](TaskGroup& group) -> Task<void> {
        group.spawn(carry(ann, "ann"));
        group.spawn(carry(bob, "bob"));
        co_await group.join();
      });
    };
    block_on(executor, run());
  }
  std::size_t there() { return target.folder("INBOX").messages.size(); }

  ManualExecutor executor;
  MemoryServer ann, bob, target;
  std::unique_ptr<Journal> journal = open_journal_in_memory();
  NotingObserver observer;
  FolderTurns turns;
  CrossingOptions options;
  StopRequest stop;
  std::uint64_t copied = 0;
};

}  // namespace

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

TEST_CASE("a late commit outlasts a new UIDVALIDITY at either end") {
  const bool at_source = GENERATE(true, false);
  Pair pair;
  pair.fill("INBOX", 12);
  pair.options.retries = 0;
  pair.target.faults.append_stops.push_back(late_stop(5, std::chrono::seconds(1)));
  pair.run();
  (at_source ? pair.source : pair.target).renumber(FolderName::parse("INBOX"), 77);
  pair.options.retries = 5;
  pair.run();
  pair.target.arrive_all();
  pair.run();
  CHECK(pair.equal());
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

namespace {

/// As a backup that is put back: messages above `last` are gone, and UIDs are given again.
void restore(MemoryFolder& folder, std::uint32_t last) {
  std::erase_if(folder.messages, [last](const MemoryMessage& m) { return m.uid.value > last; });
  folder.uid_next = Uid{last + 1};
  ++folder.highest_modseq;
}

}  // namespace

TEST_CASE("a source that was restored from a backup: UIDs given again hide no mail") {
  MemoryOptions tracked;
  tracked.condstore = GENERATE(true, false);
  Pair pair(tracked, tracked);
  pair.fill("INBOX", 20);
  pair.run();
  restore(pair.source.folder("INBOX"), 10);
  const int fresh = GENERATE(0, 3, 10, 15);
  for (int i = 0; i < fresh; ++i)
    pair.add("INBOX",
             letter("new" + std::to_string(i), std::string(static_cast<std::size_t>(i + 9), 'x')));
  pair.run();
  CHECK(pair.on_target("INBOX") == 20 + static_cast<std::size_t>(fresh));
  CHECK(pair.run().messages().copied == 0);
}

TEST_CASE("a UID that a restored source gave to a message of the same size is known by its bytes") {
  MemoryOptions tracked;
  tracked.condstore = GENERATE(true, false);
  tracked.tells_changes = tracked.condstore && GENERATE(true, false);
  Pair pair(tracked);
  pair.fill("INBOX", 5);
  pair.run();
  restore(pair.source.folder("INBOX"), 4);
  pair.target.folder("INBOX").remove(Uid{5});  // its copy tells nothing any more
  SECTION("another message") {
    pair.add("INBOX", letter("n4"));
    CHECK(pair.run().messages().copied == 1);
    CHECK(pair.on_target("INBOX") == 5);
    CHECK(pair.run().messages().copied == 0);
  }
  SECTION("the same, with another date") {
    pair.add("INBOX", letter("m4"));
    CHECK(pair.run().messages().copied == 0);
  }
}

TEST_CASE("a target that was restored from a backup gets back what it lost") {
  MemoryOptions tracked;
  tracked.condstore = GENERATE(true, false);
  Pair pair(tracked, tracked);
  pair.fill("INBOX", 20);
  pair.run();
  restore(pair.target.folder("INBOX"), 10);
  // With ten of them all numbers are as they were: only a folder that is opened is looked at.
  const int foreign = GENERATE(0, 3, 10, 15);
  if (foreign == 10) pair.add("INBOX", letter("opens it"));
  const std::size_t all =
      pair.source.folder("INBOX").messages.size() + static_cast<std::size_t>(foreign);
  for (int i = 0; i < foreign; ++i)
    pair.target.folder("INBOX").add(letter("foreign" + std::to_string(i), "others"), {},
                                    InternalDate{5, 0});
  pair.run();
  CHECK(pair.on_target("INBOX") == all);
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.on_target("INBOX") == all);
}

namespace {

void lose_and_get(MemoryFolder& folder, std::uint32_t lost, const std::string& text = "others") {
  restore(folder, folder.uid_next.value - 1 - lost);
  for (std::uint32_t i = 0; i < lost; ++i)
    folder.add(letter("foreign" + std::to_string(i), text), {}, InternalDate{5, 0});
}

}  // namespace

TEST_CASE("where no date is known the bytes tell that a restored target has other mail") {
  MemoryOptions pop3;
  pop3.uidl_keys = true;
  Pair pair(pop3);
  for (int i = 0; i < 6; ++i)
    pair.source.folder("INBOX").add(letter("m" + std::to_string(i)), {}, std::nullopt);
  pair.run();
  lose_and_get(pair.target.folder("INBOX"), 3);
  pair.run();
  CHECK(pair.on_target("INBOX") == 9);
  CHECK(pair.run().messages().copied == 0);
}

TEST_CASE("one folder whose UIDNEXT went back puts those in doubt whose numbers are as before") {
  MemoryOptions tracked;
  tracked.condstore = true;
  Pair pair(tracked, tracked);
  pair.fill("INBOX", 10);
  pair.fill("Sent", 10, "s");
  pair.run();
  REQUIRE(pair.run().messages().present == 20);
  lose_and_get(pair.target.folder("INBOX"), 5);
  restore(pair.target.folder("Sent"), 8);
  if (GENERATE(true, false)) {  // a run that sees it, and dies
    pair.options.retries = 0;
    pair.target.faults.on_call = [](MemoryServer& server, std::string_view call) {
      if (call == "append" && server.find(FolderName::parse("Sent"))->messages.size() == 8)
        server.drop_sessions();
    };
    pair.run();
    pair.target.faults.on_call = nullptr;
  }
  pair.run();
  CHECK(pair.on_target("INBOX") == 15);
  CHECK(pair.on_target("Sent") == 10);
}

TEST_CASE("a recorded UID with another date and the same size is known by its bytes") {
  Pair pair;
  pair.fill("INBOX", 5);
  pair.run();
  // As long as what was lost: "m4" and the text of a letter are nine bytes shorter.
  lose_and_get(pair.target.folder("INBOX"), 1, "");
  MemoryMessage& other = pair.target.folder("INBOX").messages.back();
  other.bytes = letter("x4");
  REQUIRE(other.bytes.size() == letter("m4").size());
  pair.add("INBOX", letter("opens it"));
  pair.run();
  CHECK(pair.on_target("INBOX") == 7);
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

TEST_CASE("a message of a lost batch that options leave out now keeps its copy from its equals") {
  Pair pair;
  pair.add("INBOX", letter("same"));
  pair.add("INBOX", letter("same"));
  pair.options.retries = 0;
  MemoryStop stop;
  stop.after = 1;
  stop.fate = MemoryStop::Fate::prefix;
  pair.target.faults.append_stops.push_back(stop);
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 1);
  pair.options.since = 1'000'001;  // without the first
  pair.run();
  pair.options.since.reset();
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("a message of a lost batch that options leave out now is waited for all the same") {
  Pair pair;
  pair.add("INBOX", letter("a"));
  pair.options.retries = 0;
  pair.target.faults.append_stops.push_back(late_stop(0, std::chrono::seconds(3600)));
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.set_flags(inbox.messages.at(0), Flags::parse("\\Seen \\Flagged"));
  pair.options.max_size_bytes = 1;
  CHECK(pair.run().messages().filtered == 1);
  pair.target.arrive_all();
  pair.options.max_size_bytes.reset();
  CHECK(pair.run().messages().present == 1);
  CHECK(pair.equal());  // with the flags that it has gained since it was sent
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

TEST_CASE("a restored target that gave a UID again is noticed by the size of what had no date") {
  MemoryOptions pop, target;
  pop.uidl_keys = true;
  target.traits.munges_8bit = GENERATE(true, false);  // then the header tells
  Pair pair(pop, target);
  pair.source.folder("INBOX").add(letter("a"));
  pair.run();
  restore(pair.target.folder("INBOX"), 0);
  pair.target.folder("INBOX").add(letter("another"), {}, InternalDate{5, 0});
  pair.run();
  CHECK(pair.on_target("INBOX") == 2);
}

TEST_CASE("what the target lost and gets again has all its flags set, though the line is cut") {
  Pair pair;
  pair.add("INBOX", letter("a"), "\\Flagged");
  pair.run();
  restore(pair.target.folder("INBOX"), 0);
  pair.options.retries = 0;
  MemoryStop stop;
  stop.fate = MemoryStop::Fate::whole;
  pair.target.faults.append_stops.push_back(stop);
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 1);
  pair.target.folder("INBOX").messages[0].flags = {};
  pair.run();
  CHECK(pair.equal());
}

TEST_CASE("what a killed run recorded tells that the target's UIDNEXT went back") {
  MemoryOptions small;
  small.traits.batch_messages = 2;
  Pair pair({}, small);
  pair.fill("INBOX", 10);
  pair.options.retries = 0;
  MemoryStop cut;  // the run ends before it has noted how far UIDNEXT was
  cut.after = 6;
  cut.fate = MemoryStop::Fate::none;
  pair.target.faults.append_stops.push_back(cut);
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 6);
  restore(pair.target.folder("INBOX"), 2);
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.equal());
}

TEST_CASE("a batch that a killed run began tells that the target's UIDNEXT went back") {
  MemoryOptions blind;
  blind.traits.uidplus = false;
  Pair pair({}, blind);
  for (int i = 0; i < 6; ++i) pair.target.folder("INBOX").add(letter("old" + std::to_string(i)));
  pair.fill("INBOX", 3);
  pair.options.retries = 0;
  MemoryStop cut;
  cut.fate = MemoryStop::Fate::none;
  pair.target.faults.append_stops.push_back(cut);
  pair.run();
  restore(pair.target.folder("INBOX"), 1);
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("what turns out to be missing while a folder is filled is copied in the same run") {
  Pair pair;
  pair.fill("INBOX", 10);
  pair.run();
  pair.add("INBOX", letter("new"));
  pair.target.faults.on_call = [done = false](MemoryServer& server, std::string_view call) mutable {
    if (call != "batch" || std::exchange(done, true)) return;
    MemoryFolder& folder = server.folder("INBOX");
    restore(folder, 2);
    for (int i = 0; i < 8; ++i)
      folder.add(letter("foreign" + std::to_string(i), "others"), {}, InternalDate{5, 0});
  };
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.on_target("INBOX") == 19);
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

TEST_CASE("a second copy is told once, however often it is met in a run") {
  MemoryOptions target;
  target.traits.uidplus = GENERATE(true, false);
  Pair pair({}, target);
  pair.fill("INBOX", 6);
  pair.target.faults.append_stops.push_back(late_stop(3, std::chrono::seconds(36'000)));
  pair.run();  // a batch stays open for late arrivals, and the watermark where it began
  REQUIRE(pair.equal());
  pair.target.folder("INBOX").add(letter("m1"), {}, InternalDate{5, 0});
  const std::uint64_t before = pair.run().messages().twins;
  pair.fill("INBOX", 3, "new");  // a settle before they are sent, and one after
  CHECK(pair.run().messages().twins == before);
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

TEST_CASE("accounts that fill one mailbox look at theirs again when another sees it restored") {
  MemoryOptions tracked;
  tracked.condstore = true;
  Gathering gathering(tracked, tracked);
  for (int i = 0; i < 10; ++i) Gathering::add(gathering.bob, "sent" + std::to_string(i), i, "Sent");
  const auto carry = [&](MemoryServer& server, const std::string& name) {
    block_on(gathering.executor, gathering.carry(server, name));
  };
  carry(gathering.ann, "ann");
  carry(gathering.bob, "bob");
  carry(gathering.ann, "ann");
  carry(gathering.bob, "bob");
  MemoryFolder& sent = gathering.target.folder("Sent");
  REQUIRE(sent.messages.size() == 10);
  lose_and_get(sent, 5);                          // with the numbers that it had
  restore(gathering.target.folder("INBOX"), 90);  // ann sees that
  carry(gathering.ann, "ann");
  carry(gathering.bob, "bob");
  CHECK(gathering.target.folder("Sent").messages.size() == 15);
  CHECK(gathering.there() == 100);
}
