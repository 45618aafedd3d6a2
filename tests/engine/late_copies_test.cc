// Copies that arrive after their line was lost, and second ones of other origin (DESIGN section 4).
#include "tests/engine/gathering.h"

using namespace postferry;

namespace {

MemoryStop late_stop(std::uint64_t after, std::chrono::seconds by) {
  MemoryStop stop;
  stop.after = after;
  stop.fate = MemoryStop::Fate::late;
  stop.late_by = by;
  return stop;
}

/// Four messages cross; the copies of a batch that was given up have yet to arrive.
void cross_with_a_late_batch(Pair& pair) {
  pair.fill("INBOX", 4);
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.run();
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

TEST_CASE("nor is that of one whose batch was given up before it had another name") {
  MemoryOptions target;
  target.traits.uidplus = GENERATE(true, false);
  Pair pair(pop3(), target);
  for (int i = 0; i < 2; ++i) pair.source.folder("INBOX").add(letter("same"));
  pair.options.retries = 0;
  MemoryStop lost;
  lost.after = 1;
  lost.fate = MemoryStop::Fate::prefix;
  pair.target.faults.append_stops.push_back(lost);
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 1);
  pair.source.faults.on_call = [&pair](MemoryServer&, std::string_view call) {
    if (call == "fetch" && pair.observer.said("waiting for"))
      throw Error(ErrorKind::transient, "the connection was lost");
  };
  pair.run();  // gives the batch up, and sends nothing
  pair.source.faults.on_call = nullptr;
  MemoryFolder& there = pair.target.folder("INBOX");
  REQUIRE(there.messages.size() == 1);
  there.add(letter("same"), there.messages[0].flags, there.messages[0].date);
  pair.source.folder("INBOX").messages.at(1).uidl = "another";
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().twins == 0);
  CHECK(ledger.messages().copied == 0);
  CHECK(pair.on_target("INBOX") == 2);
}

TEST_CASE("late copies whose removal was cut short behind the mark are removed all the same") {
  Pair pair;
  cross_with_a_late_batch(pair);
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
  cross_with_a_late_batch(pair);
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
  cross_with_a_late_batch(pair);
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
  cross_with_a_late_batch(pair);
  for (std::uint32_t uid : {1u, 2u}) pair.source.folder("INBOX").remove(Uid{uid});
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > 4);
  pair.run();
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE(
    "a late arrival that differs in flags or in date from what was copied is not ours to remove") {
  Pair pair;
  cross_with_a_late_batch(pair);
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

TEST_CASE("a late copy that has the flags it was sent with is ours, whatever its first has now") {
  Pair pair;
  cross_with_a_late_batch(pair);
  for (MemoryMessage& message : pair.target.folder("INBOX").messages)
    message.flags.add("\\Answered");
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > 4);
  pair.run();
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("a late copy of POP3 mail that has its date and the flags it was sent with is ours") {
  Pair pair(pop3());
  cross_with_a_late_batch(pair);
  for (MemoryMessage& message : pair.target.folder("INBOX").messages)
    message.flags.add("\\Answered");
  const std::size_t before = pair.on_target("INBOX");
  pair.target.arrive_all();
  CHECK(pair.on_target("INBOX") > before);
  pair.run();
  CHECK(pair.on_target("INBOX") == before);
}

TEST_CASE("a second copy that is not known to be ours is told as a twin, and stays") {
  Pair pair;
  pair.fill("INBOX", 3);
  pair.run();
  pair.target.folder("INBOX").add(letter("m1"), {}, InternalDate{5, 0});  // another operator's
  pair.target.folder("INBOX").add(letter("stranger"), {}, InternalDate{5, 0});
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().twins == 1);
  CHECK(pair.observer.said("1 message on the target equals another that has crossed"));
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

TEST_CASE("the copy of one that options leave out now is no late one of its equal") {
  MemoryOptions pop3, target;
  pop3.uidl_keys = true;
  target.traits.uidplus = GENERATE(true, false);
  Pair pair(pop3, target);
  for (int i = 0; i < 2; ++i) pair.source.folder("INBOX").add(letter("same"), {}, std::nullopt);
  MemoryStop lost, unanswered;  // both of one batch; then the second alone, for good
  unanswered.after = 1;
  unanswered.fate = MemoryStop::Fate::whole;
  unanswered.error = Error(ErrorKind::auth, "no longer");
  pair.target.faults.append_stops = {lost, unanswered};
  pair.options.retries = 1;
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 2);
  pair.options.max_size_bytes = 1;
  CHECK(pair.run().messages().twins == 0);
  pair.options.max_size_bytes.reset();
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.on_target("INBOX") == 2);
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

TEST_CASE("a copy that its user removed while it was looked for lays claim to no other") {
  MemoryOptions plain;
  plain.traits.batch_messages = 1;
  Pair pair({}, plain);
  const auto alarm = [](const char* text) {
    return std::string("From: a@example.org\r\nSubject: alarm\r\n\r\n") + text + "\r\n";
  };
  for (const char* text : {"one", "two"})
    pair.source.folder("INBOX").add(alarm(text), {}, InternalDate{1000, 0});
  pair.options.retries = 0;
  MemoryStop lost;
  lost.after = 1;
  lost.fate = MemoryStop::Fate::none;
  pair.target.faults.append_stops.push_back(lost);
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 1);
  ++pair.source.folder("INBOX").uid_validity;
  pair.target.faults.on_call = [&pair](MemoryServer& server, std::string_view call) {
    if (call != "uid_next") return;
    server.folder("INBOX").remove(Uid{1});
    pair.target.faults.on_call = nullptr;
  };
  pair.run();
  CHECK(pair.on_target("INBOX") == 2);
  ++pair.target.folder("INBOX").uid_validity;
  pair.run();
  CHECK(pair.on_target("INBOX") == 2);
}

TEST_CASE("a copy that was not found again on a replaced target is no late one of its equal") {
  MemoryOptions target;
  target.traits.rewrites_message_id = GENERATE(false, true);
  Pair pair(GENERATE(pop3(), modern()), target);
  MemoryFolder& source = pair.source.folder("INBOX");
  const InternalDate date{1'600'000'000, 0};
  for (const char* name : {"same", "other", "same"}) source.add(letter(name), {}, date);
  pair.target.faults.append_stops.push_back(late_stop(1, std::chrono::seconds(3600)));
  pair.options.remove_after = std::chrono::days(0);
  pair.run();
  REQUIRE(source.messages.empty());
  REQUIRE(pair.on_target("INBOX") == 3);
  // It tells a size of its own of one of the two.
  pair.target.renumber(FolderName::parse("INBOX"), 2);
  pair.target.folder("INBOX").messages.back().listed_bytes = 7;
  for (int i = 0; i < 2; ++i) {
    source.add(letter("new" + std::to_string(i)), {}, date);
    pair.run();
    CHECK(pair.on_target("INBOX") == static_cast<std::size_t>(4 + i));
  }
}

TEST_CASE("where names changed, what a batch that was given up stored later is what is due") {
  MemoryOptions bare;
  bare.traits.uidplus = false;
  Pair pair(pop3(), bare);
  MemoryFolder& source = pair.source.folder("INBOX");
  for (int i = 0; i < 3; ++i) source.add(letter("same"));
  pair.options.retries = 0;
  MemoryStop slow = late_stop(0, std::chrono::seconds(1));
  slow.late_step = std::chrono::hours(1);
  pair.target.faults.append_stops.push_back(slow);
  pair.run();
  pair.target.faults.append_stops.push_back(MemoryStop{});
  pair.run();  // gives that batch up, and loses another without a trace
  REQUIRE(pair.on_target("INBOX") == 1);
  pair.target.arrive_all();
  REQUIRE(pair.on_target("INBOX") == 3);
  for (MemoryMessage& message : source.messages)
    message.uidl = "n" + std::to_string(50 - message.uid.value);
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().copied == 0);
  CHECK(ledger.messages().twins == 0);
  CHECK(pair.on_target("INBOX") == 3);
}

TEST_CASE("another account's copy on a replaced target is no late one of its equal") {
  MemoryOptions pop;
  pop.uidl_keys = GENERATE(true, false);
  Gathering gathering({}, pop);
  gathering.options.remove_after = std::chrono::days(0);
  gathering.target.faults.append_stops.push_back(late_stop(31, std::chrono::seconds(3600)));
  block_on(gathering.executor, gathering.carry(gathering.ann, "ann"));
  block_on(gathering.executor, gathering.carry(gathering.bob, "bob"));
  REQUIRE(gathering.there() == 100);
  // It tells sizes of its own of what is bob's.
  const FolderName inbox = FolderName::parse("INBOX");
  gathering.target.renumber(inbox, 2);
  auto& messages = gathering.target.folder(inbox).messages;
  for (std::size_t i = 50; i < messages.size(); ++i) messages[i].listed_bytes = 7;
  Gathering::add(gathering.ann, "new", 99);
  block_on(gathering.executor, gathering.carry(gathering.ann, "ann"));
  CHECK(gathering.there() == 101);
  block_on(gathering.executor, gathering.carry(gathering.bob, "bob"));
  CHECK(gathering.there() == 101);
}

TEST_CASE("a copy that a made-up name cannot claim is no late one of its equal, later in the run") {
  Pair pair(pop3());
  MemoryFolder& source = pair.source.folder("INBOX");
  const auto add = [&](const char* name, const char* uidl) {
    const Uid uid = source.add(letter(name), {}, InternalDate{1'600'000'000, 0});
    source.find(uid)->uidl = uidl;
  };
  add("same", " made of its header");
  add("other", " of another");
  add("same", " made of its header 2");
  MemoryStop slow = late_stop(0, std::chrono::seconds(1));
  slow.late_step = std::chrono::hours(1);
  pair.target.faults.append_stops.push_back(slow);
  pair.options.remove_after = std::chrono::days(0);
  pair.run();
  REQUIRE(source.messages.empty());
  REQUIRE(pair.on_target("INBOX") == 3);
  pair.target.renumber(FolderName::parse("INBOX"), 2);
  add("new", " of a third");
  pair.run();
  CHECK(pair.on_target("INBOX") == 4);
}
