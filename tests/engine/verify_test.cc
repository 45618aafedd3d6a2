// Verify finds every planted defect, at the level that can see it, and accuses nobody else.

#include "engine/proof/undo.h"
#include "tests/engine/verify_fixture.h"

using namespace postferry;

TEST_CASE("a true copy is accounted for at every level, with the journal and without") {
  const VerifyLevel level = GENERATE(VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes);
  const bool with_journal = GENERATE(true, false);
  Proof proof;
  proof.carried(25);
  const VerifyReport report = proof.verify(level, with_journal);
  CHECK(report.accounted_for());
  CHECK(report.messages().match == 25);
  CHECK(report.messages().extra == 0);
  CHECK(report.journal_known == with_journal);
}

TEST_CASE("a message removed from the target is missing at every level, by UID and Message-ID") {
  const VerifyLevel level = GENERATE(VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes);
  Proof proof;
  proof.carried(5);
  proof.there().remove(Uid{3});
  const VerifyReport report = proof.verify(level);
  CHECK_FALSE(report.accounted_for());
  CHECK(report.messages().match == 4);
  CHECK(found(report, FindingKind::missing) == Lines{"UID 3@3 <m2@example>"});
}

TEST_CASE("without a journal a missing message is found by headers") {
  Proof proof;
  proof.carried(5);
  proof.there().remove(Uid{3});
  const VerifyReport report = proof.verify(VerifyLevel::header, false);
  CHECK(found(report, FindingKind::missing) == Lines{"UID 3@0 <m2@example>"});
}

TEST_CASE("a flipped byte is found at level bytes, and only there") {
  const bool with_journal = GENERATE(true, false);
  Proof proof;
  proof.carried(5);
  proof.there().find(Uid{2})->bytes.back() = '!';
  proof.there().find(Uid{4})->bytes[proof.there().find(Uid{4})->bytes.size() - 4] ^= 1;
  CHECK(proof.verify(VerifyLevel::header, with_journal).accounted_for());
  const VerifyReport report = proof.verify(VerifyLevel::bytes, with_journal);
  CHECK_FALSE(report.accounted_for());
  CHECK(found(report, FindingKind::differ) ==
        Lines{"UID 2@2 <m1@example>", "UID 4@4 <m3@example>"});
}

TEST_CASE("a message whose header changed differs at level header") {
  Proof proof;
  proof.carried(5);
  std::string& bytes = proof.there().find(Uid{2})->bytes;
  bytes.replace(bytes.find("letter"), 6, "LETTER");
  CHECK(proof.verify(VerifyLevel::count).accounted_for());
  const VerifyReport report = proof.verify(VerifyLevel::header);
  CHECK(found(report, FindingKind::differ) == Lines{"UID 2@2 <m1@example>"});
  CHECK(report.folders[0].findings[0].text == "another header: Subject");
}

TEST_CASE("two rows that were mixed up differ, though every digest is right") {
  Proof proof;
  proof.carried(2);
  std::vector<MemoryMessage>& messages = proof.there().messages;
  std::swap(messages[0].bytes, messages[1].bytes);
  const VerifyReport report = proof.verify(VerifyLevel::header);
  CHECK(report.messages().differ == 2);
}

TEST_CASE("a size that differs is told at level count, and left to the bytes above") {
  Proof proof;
  proof.carried(3);
  proof.there().find(Uid{2})->bytes += "more";
  CHECK(found(proof.verify(VerifyLevel::count), FindingKind::differ) ==
        Lines{"UID 2@2 <m1@example>"});
  CHECK(found(proof.verify(VerifyLevel::header), FindingKind::differ) ==
        Lines{"UID 2@2 <m1@example>"});
}

TEST_CASE("a message that was moved is missing in one folder and extra in the other") {
  Proof proof;
  proof.fill("Work", 1, "w");
  proof.carried(3);
  MemoryMessage moved = *proof.there().find(Uid{2});
  proof.there().remove(Uid{2});
  proof.there("Work").add(moved.bytes, moved.flags, moved.date);
  const VerifyReport report = proof.verify(VerifyLevel::header);
  CHECK(found(report, FindingKind::missing) == Lines{"UID 2@2 <m1@example>"});
  CHECK(found(report, FindingKind::extra) == Lines{"-@2 <m1@example>"});
}

TEST_CASE("a message that went and came back under another UID is no difference") {
  Proof proof;
  proof.carried(3);
  MemoryMessage moved = *proof.there().find(Uid{2});
  proof.there().remove(Uid{2});
  proof.there().add(moved.bytes, moved.flags, moved.date);
  CHECK(proof.verify(VerifyLevel::bytes).accounted_for());
}

TEST_CASE("a second copy is doubled, foreign mail is extra and no error") {
  const bool with_journal = GENERATE(true, false);
  Proof proof;
  proof.carried(3);
  proof.there().add(letter("foreign"));
  VerifyReport report = proof.verify(VerifyLevel::header, with_journal);
  CHECK(report.accounted_for());
  CHECK(found(report, FindingKind::extra) == Lines{"-@4 <foreign@example>"});
  const MemoryMessage twice = *proof.there().find(Uid{1});
  proof.there().add(twice.bytes, twice.flags, twice.date);
  report = proof.verify(VerifyLevel::header, with_journal);
  CHECK_FALSE(report.accounted_for());
  CHECK(found(report, FindingKind::doubled).size() == 1);
  CHECK(report.messages().extra == 1);
}

TEST_CASE("other flags and another date are told, and no error") {
  Proof proof;
  proof.carried(3);
  proof.there().find(Uid{1})->flags = Flags::parse("\\Answered");
  proof.there().find(Uid{2})->date->seconds += 60;
  const VerifyReport report = proof.verify(VerifyLevel::count);
  CHECK(report.accounted_for());
  CHECK(found(report, FindingKind::flags) == Lines{"UID 1@1 <m0@example>"});
  CHECK(found(report, FindingKind::date) == Lines{"UID 2@2 <m1@example>"});
}

TEST_CASE("adopted mail is compared with the source, byte for byte") {
  Proof proof;
  proof.fill("INBOX", 3);
  proof.there().add(letter("m1"), Flags::parse("\\Seen"), InternalDate{1'000'001, 60});
  CHECK(proof.run().messages().present == 1);
  CHECK(proof.verify(VerifyLevel::bytes).accounted_for());
  proof.there().find(Uid{1})->bytes[proof.there().find(Uid{1})->bytes.size() - 4] ^= 1;
  CHECK(found(proof.verify(VerifyLevel::bytes), FindingKind::differ) ==
        Lines{"UID 2@1 <m1@example>"});
}

TEST_CASE("what the target refused is told in its words, until it is there") {
  Proof proof;
  proof.fill("INBOX", 3);
  proof.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    return message.bytes.find("<m1@") == std::string::npos ? std::nullopt
                                                           : std::optional("NO no m1 here");
  };
  CHECK(proof.run().messages().rejected == 1);
  const VerifyReport report = proof.verify(VerifyLevel::bytes);
  CHECK_FALSE(report.accounted_for());
  CHECK(found(report, FindingKind::refused) == Lines{"UID 2@0 <m1@example>"});
  CHECK(report.folders[0].findings[0].text == "NO no m1 here");
  proof.there().add(letter("m1"), Flags::parse("\\Seen"));
  CHECK(proof.verify(VerifyLevel::bytes).accounted_for());
}

TEST_CASE("folded duplicates are excused, and said") {
  MemoryOptions gmail;
  gmail.traits.folds_duplicates = true;
  Proof proof({}, gmail);
  for (int i = 0; i < 3; ++i) proof.add("INBOX", letter("same"));
  CHECK(proof.run().outcome == Outcome::complete);
  const VerifyReport report = proof.verify(VerifyLevel::bytes);
  CHECK(report.accounted_for());
  CHECK(report.messages().match == 3);
  CHECK(report.messages().folded == 2);
}

TEST_CASE("two rows of one target message leave one message missing where nothing is folded") {
  Proof proof;
  proof.fill("INBOX", 1);
  proof.carried(0);
  const AccountId account =
      block_on(proof.executor, proof.journal->account("ann", "source", "target"));
  const FolderRecord folder = block_on(proof.executor, proof.journal->folders(account)).at(0);
  Record record;
  record.folder = folder.id;
  record.target_folder = folder.target_folder;
  record.rows = block_on(proof.executor, proof.journal->rows(folder.id, MessageKey(), 1));
  record.rows[0].key = MessageKey(proof.add("INBOX", letter("m0")));
  block_on(proof.executor, proof.journal->record(std::move(record)));
  const VerifyReport report = proof.verify(VerifyLevel::bytes);
  CHECK(report.messages().match == 1);
  CHECK(report.messages().missing == 1);
}

TEST_CASE("where the source is gone the journal stands for it, and that is said") {
  Proof proof;
  proof.fill("Work", 2, "w");
  proof.carried(3);
  proof.there().find(Uid{2})->bytes.back() = '!';
  proof.there("Work").remove(Uid{1});
  proof.source.faults.connect_errors.assign(9, Error(ErrorKind::unreachable, "no route to host"));
  proof.against = VerifyAgainst::journal;
  const VerifyReport report = proof.verify(VerifyLevel::bytes);
  CHECK(report.against_journal);
  CHECK(found(report, FindingKind::differ) == Lines{"UID 2@2 <m1@example>"});
  CHECK(found(report, FindingKind::missing) == Lines{"UID 1@1 "});
  CHECK(report.messages().match == 3);
}

TEST_CASE("without source and journal there is no proof") {
  Proof proof;
  proof.source.faults.connect_errors.assign(9, Error(ErrorKind::unreachable, "no route to host"));
  const VerifyReport report = proof.verify(VerifyLevel::count);
  REQUIRE(report.error);
  CHECK(report.error->kind() == ErrorKind::unreachable);
  CHECK_FALSE(report.accounted_for());
}

TEST_CASE("renumbered folders are matched by their headers") {
  const bool at_source = GENERATE(true, false);
  Proof proof;
  proof.carried(5);
  (at_source ? proof.source : proof.target).renumber(FolderName::parse("INBOX"), 99);
  CHECK(proof.verify(VerifyLevel::bytes).accounted_for());
  proof.there().remove(proof.there().messages[1].uid);
  CHECK(proof.verify(VerifyLevel::bytes).messages().missing == 1);
}

TEST_CASE("a lost line is taken up again, and its folder counted once") {
  Proof proof;
  proof.fill("Work", 5, "w");
  proof.carried(5);
  MemoryStop stop;
  stop.after = 3;
  proof.target.faults.fetch_stops.push_back(stop);
  const VerifyReport report = proof.verify(VerifyLevel::bytes);
  CHECK(report.accounted_for());
  CHECK(report.messages().match == 10);
}

TEST_CASE("what the options left out is filtered, a folder the target lacks is missing") {
  Proof proof;
  proof.fill("Work", 3);
  proof.options.max_size_bytes = 1;
  const VerifyReport small = proof.verify(VerifyLevel::header);
  CHECK(small.messages().filtered == 3);
  CHECK_FALSE(small.accounted_for());  // the target has no such folder yet
  proof.options.max_size_bytes.reset();
  const VerifyReport report = proof.verify(VerifyLevel::header);
  CHECK(report.messages().missing == 3);
  CHECK(report.folders.back().folder_missing);
}

TEST_CASE("POP3 keys are compared, too") {
  MemoryOptions pop3;
  pop3.uidl_keys = true;
  Proof proof(pop3);
  proof.carried(5);
  CHECK(proof.verify(VerifyLevel::bytes).accounted_for());
  proof.there().remove(Uid{1});
  CHECK(proof.verify(VerifyLevel::bytes).messages().missing == 1);
}

// --- Each of these made verify say that all is accounted for, or would.

namespace {

/// A row of `proof` with a message of its own at the source, and the UID of the first one's copy.
void fold_onto_first(Proof& proof, const std::string& bytes) {
  const AccountId account =
      block_on(proof.executor, proof.journal->account("ann", "source", "target"));
  const FolderRecord folder = block_on(proof.executor, proof.journal->folders(account)).at(0);
  Record record;
  record.folder = folder.id;
  record.target_folder = folder.target_folder;
  record.rows = block_on(proof.executor, proof.journal->rows(folder.id, MessageKey(), 1));
  record.rows[0].key = MessageKey(proof.add("INBOX", bytes));
  record.rows[0].origin = Origin::folded;
  record.rows[0].size_bytes = bytes.size();
  record.rows[0].listed_bytes = bytes.size();
  record.rows[0].sha256 = sha256(bytes);
  block_on(proof.executor, proof.journal->record(std::move(record)));
}

}  // namespace

TEST_CASE("a message that the server folded into one with other bytes is not there") {
  MemoryOptions gmail;
  gmail.traits.folds_duplicates = true;
  Proof proof({}, gmail);
  proof.carried(1);
  fold_onto_first(proof, letter("m0", "TEXT"));
  CHECK(proof.verify(VerifyLevel::bytes).messages().differ == 1);
  CHECK(proof.verify(VerifyLevel::bytes).messages().folded == 0);
  fold_onto_first(proof, letter("m0", "and more"));
  CHECK(proof.verify(VerifyLevel::count).messages().differ == 1);
  CHECK(proof.verify(VerifyLevel::header).messages().differ == 1);
}

TEST_CASE("without a journal as many other messages do not pass for those of the source") {
  Proof proof;
  proof.carried(3);
  proof.there().find(Uid{2})->bytes = "Subject: something else\r\n\r\nand of another size\r\n";
  for (const VerifyLevel level : {VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes})
    CHECK_FALSE(proof.verify(level, false).accounted_for());
  CHECK(proof.verify(VerifyLevel::count, false).messages().match == 2);
}

TEST_CASE("a UID at the source that names another message than was copied is no proof of it") {
  Proof proof;
  proof.carried(3);
  MemoryMessage& other = *proof.source.folder("INBOX").find(Uid{2});
  other.bytes = letter("m1", "another body under the same header");
  for (const VerifyLevel level : {VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes})
    CHECK(found(proof.verify(level), FindingKind::differ) == Lines{"UID 2@2 <m1@example>"});
}

TEST_CASE(
    "what was removed from the source by us must be on the target, whatever became of the source") {
  const int fate = GENERATE(0, 1, 2);
  Proof proof;
  proof.fill("Work", 3);
  proof.options.remove_after = std::chrono::days(0);
  REQUIRE(proof.run().messages().copied == 3);
  REQUIRE(proof.source.folder("Work").messages.empty());
  proof.options.remove_after.reset();
  const FolderName work = FolderName::parse("Work");
  if (fate == 1) proof.source.renumber(work, 99);
  if (fate == 2) proof.source.remove_folder(work);
  CHECK(proof.verify(VerifyLevel::bytes).accounted_for());
  CHECK(proof.verify(VerifyLevel::bytes).messages().kept == 3);
  proof.there("Work").find(Uid{3})->bytes.back() = '!';
  CHECK(proof.verify(VerifyLevel::bytes).messages().differ == 1);
  proof.there("Work").remove(Uid{2});
  for (const VerifyLevel level : {VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes})
    CHECK(proof.verify(level).messages().missing == 1);
}

TEST_CASE("a folder that people removed from both ends is nobody's loss") {
  Proof proof;
  proof.fill("Work", 3);
  proof.carried(2);
  proof.source.remove_folder(FolderName::parse("Work"));
  CHECK(proof.verify(VerifyLevel::header).accounted_for());
  proof.target.remove_folder(FolderName::parse("Work"));
  const VerifyReport report = proof.verify(VerifyLevel::header);
  CHECK(report.accounted_for());
  CHECK(report.messages().gone == 3);
}

TEST_CASE("a proof that looked at no folder is none") {
  Proof proof;
  proof.carried(1);
  proof.options.folders = {"Inbxo"};
  const VerifyReport report = proof.verify(VerifyLevel::header);
  CHECK_FALSE(report.accounted_for());
  REQUIRE(report.error);
  CHECK(report.error->kind() == ErrorKind::usage);
}

TEST_CASE("where the source is gone after a run that was cut short the journal is no proof") {
  Proof proof;
  proof.fill("INBOX", 30);
  proof.options.retries = 0;
  MemoryStop stop;
  stop.after = 12;
  proof.target.faults.append_stops.push_back(stop);
  REQUIRE(proof.run().outcome == Outcome::interrupted);
  proof.against = VerifyAgainst::journal;
  const auto gone = [&] {
    proof.source.faults.connect_errors.assign(9, Error(ErrorKind::unreachable, "no route"));
  };
  gone();
  const VerifyReport cut_short = proof.verify(VerifyLevel::count);
  CHECK(cut_short.against_journal);
  CHECK(cut_short.journal_incomplete);
  CHECK_FALSE(cut_short.accounted_for());
  proof.source.faults.connect_errors.clear();
  REQUIRE(proof.run().outcome == Outcome::complete);
  gone();
  CHECK(proof.verify(VerifyLevel::count).accounted_for());
}

TEST_CASE("a source that shows a part of its mail does not excuse what is missing") {
  MemoryOptions pop3;
  pop3.uidl_keys = true;
  pop3.window = 2;
  Proof proof(pop3);
  proof.fill("INBOX", 6);
  REQUIRE(proof.run().messages().copied == 6);
  proof.there().remove(Uid{1});
  CHECK_FALSE(proof.verify(VerifyLevel::bytes).accounted_for());
}

TEST_CASE("after the target was renumbered two folders' equal messages need two copies") {
  Proof proof;
  proof.options.map = {{FolderName::parse("Work"), FolderName::parse("INBOX")}};
  proof.add("Work", letter("same"));
  proof.run();
  proof.add("INBOX", letter("same"));
  REQUIRE(proof.run().messages().copied == 1);
  proof.there().remove(Uid{2});
  proof.target.renumber(FolderName::parse("INBOX"), 99);
  CHECK(proof.verify(VerifyLevel::bytes).messages().missing == 1);
}

TEST_CASE("where the source is gone after an undo the journal is no proof") {
  Proof proof;
  proof.carried(3);
  proof.fill("INBOX", 2, "later");
  const std::int64_t second = proof.run().run;
  proof.against = VerifyAgainst::journal;
  const auto gone = [&] {
    proof.source.faults.connect_errors.assign(9, Error(ErrorKind::unreachable, "no route"));
  };
  const auto from = make_memory_source(proof.source);
  const auto to = make_memory_target(proof.target);
  const UndoReport undone = block_on(
      proof.executor, undo_run({*from, *to, *proof.journal, proof.observer},
                               {"ann", "source", "target"}, RunId{second}, {}, proof.stop));
  REQUIRE(undone.removed() == 2);
  gone();
  CHECK(proof.verify(VerifyLevel::count).journal_incomplete);
  proof.source.faults.connect_errors.clear();
  REQUIRE(proof.run().messages().copied == 2);
  gone();
  CHECK(proof.verify(VerifyLevel::count).accounted_for());
}

TEST_CASE("a whole copy of one folder is no proof of the others, which none had reached") {
  Proof proof;
  proof.fill("INBOX", 3);
  proof.fill("Work", 30);
  proof.options.retries = 0;
  MemoryStop stop;
  stop.after = 12;
  proof.target.faults.append_stops.push_back(stop);
  stop.after = 0;
  for (int i = 0; i < 5; ++i) proof.target.faults.append_stops.push_back(stop);
  REQUIRE(proof.run().messages().pending > 0);
  proof.target.faults.append_stops.clear();
  proof.options.folders = {"INBOX"};
  REQUIRE(proof.run().outcome == Outcome::complete);
  proof.source.faults.connect_errors.assign(9, Error(ErrorKind::unreachable, "no route"));
  proof.against = VerifyAgainst::journal;
  CHECK(proof.verify(VerifyLevel::count).accounted_for());
  proof.options.folders.clear();
  CHECK(proof.verify(VerifyLevel::count).journal_incomplete);
}

TEST_CASE("POP3 mail that people read, and that is gone from the source, has no other flags") {
  MemoryOptions pop3;
  pop3.uidl_keys = true;
  Proof proof(pop3);
  proof.carried(3);
  proof.source.folder("INBOX").messages.clear();
  for (MemoryMessage& message : proof.there().messages) message.flags.add("\\Seen");
  const VerifyReport report = proof.verify(VerifyLevel::bytes);
  CHECK(report.messages().kept == 3);
  CHECK(report.messages().flags_differ == 0);
}

TEST_CASE("a source that refuses the login or is away is an error, whatever the journal knows") {
  const ErrorKind kind = GENERATE(ErrorKind::auth, ErrorKind::unreachable);
  Proof proof;
  proof.carried(3);
  proof.source.faults.connect_errors.assign(9, Error(kind, "no"));
  const VerifyReport report = proof.verify(VerifyLevel::header);
  REQUIRE(report.error);
  CHECK(report.error->kind() == kind);
  CHECK_FALSE(report.accounted_for());
  CHECK(proof.observer.said("--against journal"));
}

TEST_CASE("against the journal what the source has lost must be on the target all the same") {
  Proof proof;
  proof.carried(5);
  proof.source.folder("INBOX").messages.clear();
  proof.there().remove(Uid{2});
  proof.against = VerifyAgainst::journal;
  const VerifyReport report = proof.verify(VerifyLevel::bytes);
  CHECK(report.messages().missing == 1);
  CHECK_FALSE(report.accounted_for());
}

TEST_CASE("a journal that knows nothing is nothing to compare with") {
  Proof proof;
  proof.carried(1);
  proof.against = VerifyAgainst::journal;
  CHECK_FALSE(proof.verify(VerifyLevel::header, false).accounted_for());
}

TEST_CASE("a copy that is marked for deletion on the target alone is a difference") {
  const VerifyLevel level = GENERATE(VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes);
  const bool with_journal = GENERATE(true, false);
  Proof proof;
  proof.add("INBOX", letter("leaving"), "\\Deleted");
  proof.carried(3);
  proof.there().find(Uid{2})->flags.add("\\Deleted");
  const VerifyReport report = proof.verify(level, with_journal);
  CHECK_FALSE(report.accounted_for());
  CHECK(found(report, FindingKind::marked) == Lines{"UID 2@2 <m0@example>"});
  CHECK(report.messages().match == 3);
  CHECK(report.messages().flags_differ == 0);
}
