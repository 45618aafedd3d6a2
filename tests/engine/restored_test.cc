// A server that was put back from a backup: UIDNEXT goes back, and UIDs are given once more.
#include "engine/crossing/skip.h"
#include "tests/engine/gathering.h"

using namespace postferry;

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

TEST_CASE("where a target changes bytes another date tells, if it keeps dates") {
  MemoryOptions changes;
  changes.traits.munges_8bit = true;
  Pair pair({}, changes);
  pair.fill("INBOX", 5);
  pair.run();
  MemoryFolder& there = pair.target.folder("INBOX");
  const std::uint64_t had = there.messages.back().bytes.size();
  SECTION("it does: the UID was given again, to a message of the same size") {
    restore(there, 4);
    there.add(letter("x4"), {}, InternalDate{5, 0});
    REQUIRE(there.messages.back().bytes.size() == had);
    pair.add("INBOX", letter("opens it"));
    pair.run();
    CHECK(pair.on_target("INBOX") == 7);
    CHECK(pair.run().messages().copied == 0);
  }
  SECTION("it does not: they are the copies") {
    for (MemoryMessage& message : there.messages) message.date->seconds += 3600;
    pair.target.folder("INBOX").add(letter("opens it"));
    CHECK(pair.run().messages().copied == 0);
    CHECK_FALSE(pair.observer.said("name other messages"));
  }
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

namespace {

/// Of a journal with a row for this UID, a batch begun at this UIDNEXT, and this watermark.
std::uint32_t least_uid_next_of(std::uint32_t uid, std::uint32_t batch_begun,
                                std::uint32_t watermark) {
  const auto ask = [=]() -> Task<Uid> {
    const std::unique_ptr<Journal> journal = open_journal_in_memory();
    const AccountId ann = co_await journal->account("ann", "source", "target");
    const FolderName inbox = FolderName::parse("INBOX");
    const FolderRecord folder = co_await journal->folder(ann, inbox, inbox);
    Record record;
    record.folder = folder.id;
    record.target_folder = folder.target_folder;
    record.watermark = Uid{watermark};
    MessageRow row;
    row.key = MessageKey(Uid{1});
    row.target_uid = Uid{uid};
    record.rows.push_back(std::move(row));
    co_await journal->record(std::move(record));
    OpenBatch batch;
    batch.folder = folder.id;
    batch.uid_next = Uid{batch_begun};
    co_await journal->open_batch(folder.target_folder, std::move(batch));
    TargetFolderRecord there = co_await journal->target_folder(folder.target_folder);
    co_return co_await least_uid_next(*journal, std::move(there));
  };
  ManualExecutor executor;
  return block_on(executor, ask()).value;
}

}  // namespace

TEST_CASE("the least that UIDNEXT can be is told by rows, by batches and by the watermark") {
  CHECK(least_uid_next_of(5, 2, 3) == 6);
  CHECK(least_uid_next_of(1, 8, 3) == 8);
  CHECK(least_uid_next_of(1, 2, 3) == 3);
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
  CHECK(gathering.twins == 0);  // bob's copies have no row at this moment
  carry(gathering.bob, "bob");
  CHECK(gathering.target.folder("Sent").messages.size() == 15);
  CHECK(gathering.there() == 100);
}

TEST_CASE("what left the source keeps its copy in a restored target that tells sizes of its own") {
  Pair pair;
  pair.options.remove_after = std::chrono::days(0);
  for (const char* id : {"same", "same", "other"})
    pair.source.folder("INBOX").add(letter(id), {}, InternalDate{1000, 0});
  int asked = 0;
  pair.target.faults.refuse = [&asked](const MemoryMessage&) {
    return ++asked == 2 ? std::optional<std::string>("not this one") : std::nullopt;
  };
  pair.run();
  REQUIRE(pair.source.folder("INBOX").messages.size() == 1);
  pair.target.faults.refuse = nullptr;
  restore(pair.target.folder("INBOX"), 1);
  MemoryMessage& first = pair.target.folder("INBOX").messages.front();
  first.listed_bytes = first.bytes.size() + 2;
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.source.folder("INBOX").messages.empty());
  CHECK(pair.on_target("INBOX") == 2);
}
