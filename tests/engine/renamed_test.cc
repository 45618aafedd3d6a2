// Orders of events that a user makes without thinking: a folder renamed, a copy moved away at once,
// much deleted and some new; and what of it must not be believed.
#include "engine/crossing/transfer.h"
#include "engine/mapping.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

FolderRecord record_of(Pair& pair) {
  const AccountId account =
      block_on(pair.executor, pair.journal->account("ann", "source", "target"));
  return block_on(pair.executor, pair.journal->folders(account)).at(0);
}

}  // namespace

TEST_CASE("a source folder that was renamed is the one whose target folder it fills") {
  Pair pair;
  pair.fill("Old", 12);
  pair.options.map = {{FolderName::parse("Old"), FolderName::parse("T")},
                      {FolderName::parse("New"), FolderName::parse("T")}};
  pair.options.mirror_deletions = GENERATE(false, true);
  pair.run();
  MemoryFolder& folder = pair.source.folder("Old");
  folder.name = FolderName::parse("New");
  const bool renumbered = GENERATE(false, true);
  if (renumbered) pair.source.renumber(folder.name, 7);
  pair.add("New", letter("new"));
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.messages().copied == 1);
  CHECK(pair.on_target("T") == 13);
  // Its history came along.
  pair.options.mirror_deletions = true;
  folder.remove(folder.messages.front().uid);
  CHECK(pair.run().deleted() == 1);
  CHECK(pair.on_target("T") == 12);
}

TEST_CASE("a folder that comes back under its old name is matched, and nothing crosses twice") {
  Pair pair;
  pair.fill("Old", 5);
  pair.options.map = {{FolderName::parse("Old"), FolderName::parse("T")},
                      {FolderName::parse("New"), FolderName::parse("T")}};
  pair.run();
  MemoryFolder& folder = pair.source.folder("Old");
  folder.name = FolderName::parse("New");
  pair.run();
  folder.name = FolderName::parse("Old");
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.on_target("T") == 5);
}

TEST_CASE(
    "a message that was taken and is not found again is told, and sent again only on request") {
  MemoryOptions target;
  target.traits.uidplus = false;
  Pair pair({}, target);
  constexpr int kMessages = 2200;  // more than are sent before they are looked for
  pair.fill("INBOX", kMessages);
  pair.target.faults.on_call = [](MemoryServer& server, std::string_view call) {
    MemoryFolder* inbox = server.find(FolderName::parse("INBOX"));
    if (call != "look" || !inbox) return;
    std::erase_if(inbox->messages, [](const MemoryMessage& message) {
      return message.bytes.find("<m3@") != std::string::npos;
    });
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::partial);
  CHECK(ledger.messages().rejected == 1);
  const auto failures = block_on(pair.executor, pair.journal->failures(record_of(pair).id));
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].text == kNotFoundAgain);
  CHECK(pair.target.appended == kMessages);
  CHECK(pair.run().outcome == Outcome::partial);
  CHECK(pair.run().messages().rejected == 1);
  CHECK(pair.target.appended == kMessages);
  pair.options.only_failed = true;
  CHECK(pair.run().outcome == Outcome::partial);
  CHECK(pair.target.appended == kMessages + 1);
  pair.options.only_failed = false;
  pair.run();
  CHECK(pair.target.appended == kMessages + 1);
}

TEST_CASE("a message that was taken and not found is known when it turns up, and then not held") {
  MemoryOptions target;
  target.traits.uidplus = false;
  Pair pair({}, target);
  pair.fill("INBOX", 5);
  bool hides = true;
  std::vector<MemoryMessage> hidden;
  pair.target.faults.on_call = [&](MemoryServer& server, std::string_view call) {
    MemoryFolder* inbox = server.find(FolderName::parse("INBOX"));
    if (call != "look" || !inbox || !hides) return;
    for (const MemoryMessage& message : inbox->messages)
      if (message.bytes.find("<m3@") != std::string::npos) hidden.push_back(message);
    std::erase_if(inbox->messages, [](const MemoryMessage& message) {
      return message.bytes.find("<m3@") != std::string::npos;
    });
  };
  REQUIRE(pair.run().messages().rejected == 1);
  hides = false;
  REQUIRE(hidden.size() == 1);
  pair.target.folder("INBOX").add(hidden[0].bytes, hidden[0].flags, hidden[0].date);
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.messages().present == 5);
  CHECK(pair.target.appended == 5);
}

TEST_CASE("what the target folds into the user's own message is not ours to delete") {
  MemoryOptions folding;
  folding.traits.folds_duplicates = true;
  Pair pair({}, folding);
  pair.fill("INBOX", 2);
  pair.options.mirror_deletions = true;
  pair.run();
  // The user's own, which settling passed by: the source did not have it then.
  pair.target.folder("INBOX").add(letter("own"), {}, InternalDate{7, 0});
  pair.add("INBOX", letter("other"));
  pair.run();
  pair.add("INBOX", letter("own"));
  CHECK(pair.run().messages().present == 4);
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.remove(inbox.messages.back().uid);
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.on_target("INBOX") == 4);
}

TEST_CASE("flags that the target does not keep are counted when they are followed, too") {
  MemoryOptions target;
  target.keywords = std::vector<std::string>{"Kept"};
  Pair pair({}, target);
  pair.fill("INBOX", 3);
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.set_flags(inbox.messages[1], Flags::parse("\\Seen Kept Lost"));
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.folders.at(0).flags_dropped == 1);
  CHECK(pair.target.folder("INBOX").messages[1].flags == Flags::parse("\\Seen Kept"));
  CHECK(pair.run().folders.at(0).flags_dropped == 0);
}

TEST_CASE("a name that the target refuses is given a plainer one, once and for good") {
  Pair pair;
  pair.fill("A: b/c", 3);
  int refusals = 1;
  pair.target.faults.on_call = [&refusals](MemoryServer&, std::string_view call) {
    if (call == "create" && refusals-- > 0)
      throw Error(ErrorKind::rejected, "CREATE was refused: NO [CANNOT] no colons");
  };
  SECTION("which it takes") {
    const Ledger ledger = pair.run();
    CHECK(ledger.outcome == Outcome::complete);
    const FolderName plainer = *plainer_name(FolderName::parse("A: b/c"));
    CHECK(pair.content(pair.target, plainer).size() == 3);
    CHECK(pair.observer.said("goes to " + plainer.to_string()));
    CHECK(ledger.folders.front().target == plainer);
    pair.add("A: b/c", letter("new"));
    CHECK(pair.run().messages().copied == 1);
    CHECK(pair.content(pair.target, plainer).size() == 4);
  }
  SECTION("which it refuses, too") {
    refusals = 2;
    CHECK(pair.run().folders_failed() == 1);
    CHECK(pair.run().outcome == Outcome::complete);
    CHECK(pair.on_target("A: b/c") == 3);
  }
}

TEST_CASE("a subscription that the target refuses keeps no mail back") {
  Pair pair;
  for (const char* folder : {"INBOX", "Box"}) {
    pair.fill(folder, 2, folder);
    pair.source.folder(folder).subscribed = true;
  }
  pair.target.folder("INBOX");
  pair.target.faults.on_call = [](MemoryServer&, std::string_view call) {
    if (call == "subscribe") throw Error(ErrorKind::rejected, "NO you may not");
  };
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.equal());
  CHECK(pair.observer.said("not subscribed"));
}

TEST_CASE("flags that the target refuses keep no mail back, and are followed without keywords") {
  Pair pair;
  pair.fill("INBOX", 3);
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.set_flags(inbox.messages.at(0), Flags::parse("\\Seen \\Flagged $Work"));
  inbox.set_flags(inbox.messages.at(1), Flags::parse("\\Answered"));
  pair.add("INBOX", letter("new"));
  bool all = false;
  pair.target.faults.refuse_store = [&all](const Flags& flags) {
    return all || !flags.keywords.empty() ? std::optional<std::string>("NO too many user flags")
                                          : std::nullopt;
  };
  SECTION("keywords alone") {
    const Ledger ledger = pair.run();
    CHECK(ledger.outcome == Outcome::complete);
    CHECK(ledger.messages().copied == 1);
    CHECK(ledger.folders.front().flags_dropped == 1);
    const MemoryFolder& copies = pair.target.folder("INBOX");
    CHECK(copies.messages.at(0).flags == Flags::parse("\\Seen \\Flagged"));
    CHECK(copies.messages.at(1).flags == Flags::parse("\\Answered"));
    CHECK(pair.run().flags_updated() == 0);  // not tried again
  }
  SECTION("all of them: told, and tried again in the next run") {
    all = true;
    const Ledger ledger = pair.run();
    CHECK(ledger.outcome == Outcome::partial);
    CHECK(ledger.messages().copied == 1);
    CHECK(ledger.messages().pending == 0);
    all = false;
    CHECK(pair.run().outcome == Outcome::complete);
    CHECK(pair.target.folder("INBOX").messages.at(1).flags == Flags::parse("\\Answered"));
  }
}

TEST_CASE("a large message that is refused for its keywords is fetched again and sent without") {
  MemoryOptions source;
  source.stream_above = 1000;
  Pair pair(source);
  pair.add("INBOX", letter("big", std::string(5000, 'x')), "\\Seen $Work");
  pair.add("INBOX", letter("small"));
  bool never = false;
  pair.target.faults.refuse = [&never](const MemoryMessage& message) {
    return never || !message.flags.keywords.empty() ? std::optional<std::string>("NO keywords")
                                                    : std::nullopt;
  };
  SECTION("and taken") {
    const Ledger ledger = pair.run();
    CHECK(ledger.outcome == Outcome::complete);
    CHECK(ledger.messages().copied == 2);
    CHECK(ledger.folders.front().flags_dropped == 1);
  }
  SECTION("or refused for good") {
    never = true;
    CHECK(pair.run().messages().rejected == 2);
  }
}

TEST_CASE("where something was refused, the source's changes alone are not believed") {
  Pair pair(telling());
  pair.fill("Box", 11);
  pair.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    return message.bytes.find("<m1@") != std::string::npos ? std::optional("NO not this one")
                                                           : std::nullopt;
  };
  pair.run();
  block_on(pair.executor, pair.journal->accept_failures(record_of(pair).id));
  REQUIRE(pair.run().outcome == Outcome::complete);
  pair.source.folder("Box").remove(Uid{5});
  pair.options.mirror_deletions = true;
  pair.options.force_deletions = true;
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.messages().present == 9);
  CHECK(ledger.messages().accepted == 1);
  CHECK(ledger.deleted() == 1);
  CHECK(block_on(pair.executor, pair.journal->failures(record_of(pair).id)).size() == 1);
}

TEST_CASE("new mail crosses though too many deletions at once are not mirrored") {
  Pair pair;
  pair.options.mirror_deletions = true;
  pair.fill("INBOX", 50);
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  while (inbox.messages.size() > 25) inbox.remove(inbox.messages.front().uid);
  pair.add("INBOX", letter("new"));
  const Ledger held = pair.run();
  CHECK(held.outcome == Outcome::partial);
  CHECK(held.deleted() == 0);
  CHECK(held.messages().copied == 1);
  CHECK(pair.on_target("INBOX") == 51);
}

TEST_CASE("what was appended before a stop is not taken for seen by a target put back to before") {
  MemoryOptions options;
  options.condstore = true;
  Pair pair(options);
  pair.fill("INBOX", 3);
  StopRequest stop;
  pair.target.faults.on_call = [&stop](MemoryServer&, std::string_view call) {
    if (call == "batch") stop.request();
  };
  const auto from = make_memory_source(pair.source);
  const auto to = make_memory_target(pair.target);
  block_on(pair.executor, cross_account({*from, *to, *pair.journal, pair.observer},
                                        {"ann", "source", "target"}, pair.options, stop));
  pair.target.faults.on_call = nullptr;
  REQUIRE(pair.on_target("INBOX") == 3);
  MemoryFolder& inbox = pair.target.folder("INBOX");
  inbox.messages.clear();
  inbox.uid_next = Uid{1};
  pair.run();
  CHECK(pair.on_target("INBOX") == 3);
}
