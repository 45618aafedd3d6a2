// Rules that need a server of a special kind, each in a few lines.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

TEST_CASE(
    "duplicates that the server folds are told as folded, within one batch and between runs") {
  MemoryOptions folding;
  folding.traits.folds_duplicates = true;
  Pair pair({}, folding);
  pair.fill("INBOX", 3);
  pair.add("INBOX", letter("m1"));  // again, in the same batch
  const Ledger first = pair.run();
  CHECK(first.messages().copied == 3);
  CHECK(first.messages().present == 1);
  pair.add("INBOX", letter("m2"));
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.on_target("INBOX") == 3);

  const AccountId account =
      block_on(pair.executor, pair.journal->account("ann", "source", "target"));
  const FolderRecord folder = block_on(pair.executor, pair.journal->folders(account)).at(0);
  int folded = 0;
  for (const MessageRow& row : block_on(pair.executor, pair.journal->rows(folder.id, {}, 100)))
    folded += row.origin == Origin::folded;
  CHECK(folded == 2);
  // What is gone at the source is not removed by its folded name: the copy is another's, too.
  pair.options.mirror_deletions = true;
  pair.source.folder("INBOX").remove(Uid{4});
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.on_target("INBOX") == 3);
}

TEST_CASE("a copy that stands for several messages is removed only when the last of them is gone") {
  MemoryOptions folding;
  folding.traits.folds_duplicates = true;
  Pair pair({}, folding);
  pair.options.mirror_deletions = true;
  pair.fill("INBOX", 2);
  pair.add("INBOX", letter("m1"));
  pair.run();
  REQUIRE(pair.on_target("INBOX") == 2);
  pair.source.folder("INBOX").remove(Uid{2});  // whose copy it is
  const bool both = GENERATE(true, false);
  if (both) pair.source.folder("INBOX").remove(Uid{3});
  CHECK(pair.run().deleted() == (both ? 1 : 0));
  CHECK(pair.on_target("INBOX") == (both ? 1 : 2));
}

TEST_CASE("providers 5: what a server folds into a copy that its folder does not show is told") {
  MemoryOptions folding;
  folding.traits.folds_duplicates = true;
  Pair pair({}, folding);
  pair.fill("INBOX", 4);
  // It answers OK with a UID, and the first copy stays where it is.
  pair.target.faults.on_call = [](MemoryServer& server, std::string_view) {
    MemoryFolder& inbox = server.folder("INBOX");
    std::erase_if(inbox.messages, [](const MemoryMessage& message) {
      return message.bytes.find("<m2@") != std::string::npos;
    });
  };
  const Ledger first = pair.run();
  CHECK(first.messages().copied == 3);
  CHECK(first.messages().rejected == 1);
  CHECK(pair.observer.said("perhaps in the trash"));
  pair.target.faults.on_call = nullptr;  // the trash is empty now
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.equal());
}

TEST_CASE("a folder whose name is refused says how to give it another, and crosses under that") {
  Pair pair;
  pair.target.folder("INBOX");
  pair.fill("INBOX", 1);
  pair.fill("Odd", 2);
  pair.target.faults.on_call = [](MemoryServer&, std::string_view call) {
    if (call == "create") throw Error(ErrorKind::rejected, "CREATE was refused: NO bad name");
  };
  const Ledger refused = pair.run();
  REQUIRE(refused.folders_failed() == 1);
  for (const FolderTally& folder : refused.folders)
    if (folder.error)
      CHECK(std::string(folder.error->what()).find("--map \"Odd=ANOTHER\"") != std::string::npos);
  pair.target.faults.on_call = nullptr;
  pair.options.map = {{FolderName({"Odd"}), FolderName({"Even"})}};
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.on_target("Even") == 2);
  CHECK(pair.target.find(FolderName({"Odd"})) == nullptr);
  // Once it has been there the mapping stays.
  pair.options.map = {{FolderName({"Odd"}), FolderName({"Third"})}};
  pair.run();
  CHECK(pair.on_target("Even") == 2);
  CHECK(pair.target.find(FolderName({"Third"})) == nullptr);
}

TEST_CASE("a first run on a folder that is not empty says what may come back") {
  Pair pair;
  pair.fill("INBOX", 2);
  pair.target.folder("INBOX").add(letter("other"), {}, std::nullopt);
  pair.run();
  CHECK(pair.observer.said("what users deleted there since another run comes back"));
  pair.observer.notes.clear();
  pair.fill("INBOX", 1, "new");
  pair.run();
  CHECK_FALSE(pair.observer.said("comes back"));
}

TEST_CASE("a listing that came short once deletes nothing") {
  Pair pair;
  pair.fill("INBOX", 5);
  pair.run();
  pair.options.mirror_deletions = true;
  const MemoryMessage hidden = pair.source.folder("INBOX").messages.at(1);
  int listings = 0;
  pair.source.faults.on_call = [&](MemoryServer& server, std::string_view call) {
    if (call != "catalogue") return;
    std::vector<MemoryMessage>& messages = server.folder("INBOX").messages;
    if (++listings == 1) {
      server.folder("INBOX").remove(hidden.uid);
    } else if (listings == 2) {
      messages.insert(messages.begin() + 1, hidden);
    }
  };
  pair.run();
  CHECK(listings == 2);
  CHECK(pair.on_target("INBOX") == 5);
}

TEST_CASE("a folder whose only failures are settled is passed over, and they are still counted") {
  MemoryOptions numbered;
  numbered.condstore = true;
  Pair pair(numbered, {});
  pair.fill("INBOX", 4);
  pair.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.bytes.find("<m1@") == std::string::npos) return std::nullopt;
    return "NO not this one";
  };
  pair.run();
  const AccountId account =
      block_on(pair.executor, pair.journal->account("ann", "source", "target"));
  const FolderRecord folder = block_on(pair.executor, pair.journal->folders(account)).at(0);
  block_on(pair.executor, pair.journal->accept_failures(folder.id));
  pair.run();
  pair.source.calls.clear();
  const Ledger ledger = pair.run();
  CHECK(pair.source.calls["select"] == 0);
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.messages().present == 3);
  CHECK(ledger.messages().rejected == 1);
  CHECK(ledger.messages().accepted == 1);
  CHECK(ledger.messages().filtered == 0);
}
