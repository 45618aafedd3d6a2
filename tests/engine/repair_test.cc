// Each repair changes just what it names, and crossings with repairs alter nothing unasked and
// double nothing.

#include "engine/repair.h"

#include <algorithm>

#include "engine/async/timeout.h"
#include "engine/crossing/repairer.h"
#include "tests/engine/verify_fixture.h"

using namespace postferry;

namespace {

std::string only(RepairStep step, const std::string& message) {
  return repaired(message, Repairs{}.with(step));
}

std::string bytes(const char* text, std::size_t size) { return std::string(text, size); }

}  // namespace

TEST_CASE("bare LFs become CRLFs, and nothing else changes") {
  CHECK(only(RepairStep::line_ends, "A: b\n\none\r\ntwo\r\n\r") == "A: b\r\n\r\none\r\ntwo\r\n\r");
  CHECK(only(RepairStep::line_ends, "\n") == "\r\n");
}

TEST_CASE("NULs are left out, wherever they are") {
  CHECK(only(RepairStep::nuls, bytes("\0A:\0 b\r\n\r\n\0\0", 12)) == "A: b\r\n\r\n");
}

TEST_CASE("a last line is ended once") {
  CHECK(only(RepairStep::final_line_end, "A: b\r\n\r\nend") == "A: b\r\n\r\nend\r\n");
  CHECK(only(RepairStep::final_line_end, "A: b\r\n\r\nend\r\n") == "A: b\r\n\r\nend\r\n");
}

TEST_CASE("mbox From lines go from the header alone, and a field named From stays") {
  CHECK(only(RepairStep::from_lines,
             "From ann Mon Jan 1\r\nFrom : ann\r\n>From bob Tue\r\nTo: b\r\n\r\nFrom here\r\n") ==
        "From : ann\r\nTo: b\r\n\r\nFrom here\r\n");
}

TEST_CASE("a header ends before the first line that is no field, and every byte stays") {
  CHECK(only(RepairStep::header_end, "A: b\r\n folded\r\nno field\r\nC: d\r\n\r\ntext\r\n") ==
        "A: b\r\n folded\r\n\r\nno field\r\nC: d\r\n\r\ntext\r\n");
  CHECK(only(RepairStep::header_end, "no header\r\n") == "\r\nno header\r\n");
  CHECK(only(RepairStep::header_end, " folded\r\nA: b\r\n") == "\r\n folded\r\nA: b\r\n");
  const std::string sound = "A: b\r\nX-Y :c\r\n\r\nno field\r\n";
  CHECK(only(RepairStep::header_end, sound) == sound);
}

TEST_CASE("bare CRs become CRLFs") {
  CHECK(only(RepairStep::bare_returns, "A: b\r\n\r\none\rtwo\r\nthree\r") ==
        "A: b\r\n\r\none\r\ntwo\r\nthree\r\n");
}

TEST_CASE("only lines above 998 bytes are parted, at blanks, and a header's go on with one") {
  const std::string fits(998, 'x');
  CHECK(only(RepairStep::long_lines, "A: b\r\n\r\n" + fits + "\r\n") ==
        "A: b\r\n\r\n" + fits + "\r\n");
  const std::string words = "A: " + std::string(900, 'y') + " " + std::string(900, 'z');
  CHECK(only(RepairStep::long_lines, words + "\r\n\r\n") ==
        "A: " + std::string(900, 'y') + "\r\n " + std::string(900, 'z') + "\r\n\r\n");
  const std::string accents = "\r\n" + std::string(996, 'x') + "\xC3\xA9\xC3\xA9" + "\r\n";
  CHECK(only(RepairStep::long_lines, accents) ==
        "\r\n" + std::string(996, 'x') + "\r\n\xC3\xA9\xC3\xA9\r\n");
  const std::string blanks = std::string(1500, ' ');
  for (const std::string& hostile :
       {"\r\n" + blanks, blanks, "A: " + std::string(5000, 'x'), "A:" + blanks + "b",
        std::string(4000, '\x80'), "\r\n" + std::string(4000, '\x80'),
        "A: " + std::string(994 + 998, 'x')}) {
    const std::string parted = only(RepairStep::long_lines, hostile);
    for (std::size_t at = 0, end = 0; at < parted.size(); at = end + 2) {
      end = std::min(parted.find("\r\n", at), parted.size());
      CHECK(end - at <= 998);
    }
    CHECK(only(RepairStep::long_lines, parted) == parted);
  }
}

TEST_CASE("repairs come one at a time, in their order, and only those that change anything") {
  const std::string message = bytes("A: b\n\nx\0y\r\n", 11);
  std::vector<RepairStep> steps;
  Repairs done;
  while (const auto step = next_repair(message, {}, {}, done)) {
    steps.push_back(*step);
    done = done.with(*step);
  }
  CHECK(steps == std::vector{RepairStep::line_ends, RepairStep::nuls});
  CHECK(repaired(message, done) == "A: b\r\n\r\nxy\r\n");
  CHECK_FALSE(next_repair("A: b\r\n\r\ntext\r\n", {}, {}, {}));
  CHECK_FALSE(next_repair("", {}, {}, Repairs{}.with(RepairStep::final_line_end)));
}

namespace {

/// Keeps originals in memory.
class Shelf final : public Originals {
 public:
  Task<void> keep(FolderName folder, MessageKey key, Body body) override {
    if (full) throw Error(ErrorKind::local, "no space left", "originals");
    most_inside = std::max(most_inside, ++inside);
    co_await sleep_for(std::chrono::seconds(1));  // a slow disk
    --inside;
    kept[folder.to_string() + " " + key.to_string()] = body.bytes();
    co_return;
  }
  void crossed(const FolderName&, const MessageKey& key, Repairs repairs) override {
    told.push_back(key.to_string() + ": " + in_words(repairs));
  }
  std::map<std::string, std::string> kept;
  std::vector<std::string> told;
  bool full = false;
  int inside = 0, most_inside = 0;
};

/// A target that takes neither NULs nor bare LFs.
struct Picky : Proof {
  Picky() {
    target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
      if (message.bytes.find('\0') != std::string::npos) return "no NULs";
      for (std::size_t at = 0; (at = message.bytes.find('\n', at)) != std::string::npos; ++at)
        if (at == 0 || message.bytes[at - 1] != '\r') return "no bare newlines";
      return std::nullopt;
    };
  }
  Ledger retry(bool repair) {
    options.only_failed = true;
    const auto from = make_memory_source(source);
    const auto to = make_memory_target(target);
    const Ledger ledger = block_on(
        executor,
        cross_account({*from, *to, *journal, observer, nullptr, nullptr, repair ? &shelf : nullptr},
                      {"ann", "source", "target"}, options, stop));
    options.only_failed = false;
    CHECK(ledger.messages().balances());
    return ledger;
  }
  std::string stored(std::size_t place) { return there().messages.at(place).bytes; }
  Shelf shelf;
};

std::string with_nul(const std::string& id) { return letter(id, std::string("a\0b\nc", 5)); }

}  // namespace

TEST_CASE("retry alone alters nothing, and with repairs no more than it takes") {
  Picky picky;
  picky.fill("INBOX", 2);
  const std::string original = with_nul("odd"), lines = letter("lines", "a\nb");
  picky.add("INBOX", original, "\\Flagged");
  picky.add("INBOX", lines);
  CHECK(picky.run().messages().rejected == 2);
  CHECK(picky.retry(false).messages().rejected == 2);
  CHECK(picky.on_target("INBOX") == 2);

  const Ledger ledger = picky.retry(true);
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.messages().copied == 2);
  CHECK(picky.shelf.kept ==
        std::map<std::string, std::string>{{"INBOX UID 3", original}, {"INBOX UID 4", lines}});
  CHECK(picky.shelf.told ==
        Lines{"UID 4: bare LFs became CRLFs", "UID 3: bare LFs became CRLFs, NULs were left out"});
  CHECK(picky.stored(2) == letter("lines", "a\r\nb"));
  CHECK(picky.stored(3) == letter("odd", "ab\r\nc"));
  CHECK(picky.there().messages[3].flags.to_string() == "\\Flagged");
  CHECK(picky.observer.said("UID 3 is sent again, repaired: bare LFs became CRLFs"));

  CHECK(picky.run().outcome == Outcome::complete);
  CHECK(picky.on_target("INBOX") == 4);
}

TEST_CASE("verify tells what was repaired, at every level, and a flipped byte in it all the same") {
  const VerifyLevel level = GENERATE(VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes);
  Picky picky;
  picky.fill("INBOX", 2);
  picky.add("INBOX", with_nul("odd"));
  picky.run();
  CHECK(picky.retry(true).outcome == Outcome::complete);
  const VerifyReport report = picky.verify(level);
  CHECK(report.accounted_for());
  CHECK(report.messages().match == 3);
  CHECK(report.messages().repaired == 1);
  CHECK(found(report, FindingKind::repaired) == Lines{"UID 3@3 <odd@example>"});
  if (level == VerifyLevel::count) return;
  picky.there().find(Uid{3})->bytes.back() = '!';
  CHECK(found(picky.verify(level), FindingKind::differ) == Lines{"UID 3@3 <odd@example>"});
}

TEST_CASE("a repaired message that is another at the source now is no proof of it") {
  Picky picky;
  picky.add("INBOX", with_nul("odd"));
  picky.run();
  REQUIRE(picky.retry(true).outcome == Outcome::complete);
  MemoryMessage& message = *picky.source.folder("INBOX").find(Uid{1});
  message.bytes = letter("odd", "quite another text under the same header");
  const VerifyReport report = picky.verify(VerifyLevel::header);
  CHECK(found(report, FindingKind::differ) == Lines{"UID 1@1 <odd@example>"});
}

TEST_CASE("of all folders one at a time is repaired: a message in memory, and what it becomes") {
  Picky picky;
  picky.options.sessions = 4;
  picky.options.messages_a_session = 0;
  picky.options.memory_bytes = 4000;
  const auto sized = [](const std::string& id, std::size_t bytes) {
    return letter(id, "a\nb" + std::string(bytes, 'x'));
  };
  for (int i = 0; i < 6; ++i)
    for (int k = 0; k < 2; ++k)
      picky.add(("f" + std::to_string(i)).c_str(), sized("small" + std::to_string(k), 500));
  picky.add("f0", sized("large", 1000));
  picky.run();
  CHECK(picky.retry(true).messages().copied == 12);
  CHECK(picky.shelf.most_inside == 1);
  CHECK(picky.observer.said("UID 3 is too large to be repaired with this much --memory"));
}

TEST_CASE("what no repair helps stays refused, and is sent as it is the next time") {
  Picky picky;
  picky.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.bytes.find("odd") != std::string::npos) return "not this one";
    return std::nullopt;
  };
  picky.fill("INBOX", 1);
  picky.add("INBOX", with_nul("odd"));
  picky.run();
  CHECK(picky.retry(true).messages().rejected == 1);
  CHECK(picky.observer.said("UID 2 no repair helped"));
  CHECK(picky.shelf.told.empty());
  picky.target.faults.refuse = nullptr;
  CHECK(picky.run().outcome == Outcome::complete);
  CHECK(picky.stored(1) == with_nul("odd"));
}

TEST_CASE("what is refused for its date or its flags is sent without them, after all else") {
  Picky picky;
  picky.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.date && message.date->seconds < 1'000'002) return "no such date";
    if (message.flags.system & Flags::flagged) return "no such flag";
    return std::nullopt;
  };
  picky.fill("INBOX", 2);
  picky.add("INBOX", with_nul("odd"), "\\Flagged");
  picky.add("INBOX", letter("fine"), "\\Answered");
  CHECK(picky.run().messages().rejected == 3);
  CHECK(picky.retry(true).messages().copied == 3);
  CHECK(picky.shelf.told ==
        Lines{"UID 1: its date was left out", "UID 2: its date was left out",
              "UID 3: bare LFs became CRLFs, NULs were left out, its date was left out, its flags "
              "were left out"});
  CHECK_FALSE(same_instant(picky.there().messages.at(1).date, InternalDate{1'000'000, 60}));
  CHECK(picky.there().messages.at(1).flags.to_string() == "\\Seen");
  CHECK(picky.there().messages.at(3).flags.empty());
  SECTION("and these do not follow") {
    MemoryFolder& inbox = picky.source.folder("INBOX");
    inbox.set_flags(inbox.messages.back(), Flags::parse("\\Seen"));
    CHECK(picky.run().outcome == Outcome::complete);
    CHECK(picky.there().messages.at(3).flags.empty());
  }
  SECTION("nor when it is found again") {
    picky.target.renumber(FolderName::parse("INBOX"), 77);
    CHECK(picky.run().outcome == Outcome::complete);
    CHECK(picky.there().messages.at(3).flags.empty());
  }
  CHECK(picky.on_target("INBOX") == 4);
}

TEST_CASE("an original that cannot be kept is not repaired") {
  Picky picky;
  picky.shelf.full = true;
  picky.add("INBOX", with_nul("odd"));
  picky.run();
  const Ledger ledger = picky.retry(true);
  REQUIRE(ledger.error);
  CHECK(ledger.error->kind() == ErrorKind::local);
  CHECK(picky.on_target("INBOX") == 0);
  CHECK(picky.run().messages().rejected == 1);
}

TEST_CASE("a line lost while a repaired message goes out leaves neither a loss nor a double") {
  using Fate = MemoryStop::Fate;
  const Fate fate = GENERATE(Fate::none, Fate::whole, Fate::late);
  const bool strong = GENERATE(true, false);  // known by its header, or by its bytes alone
  Picky picky;
  const std::string odd =
      strong ? with_nul("odd") : std::string("Subject: odd\r\n\r\na\0b\nc\r\n", 23);
  picky.add("INBOX", odd);
  picky.run();
  MemoryStop stop;
  stop.fate = fate;
  stop.after = 3;  // as it is, with its line ends mended, without NULs
  stop.late_by = std::chrono::milliseconds(700);
  picky.target.faults.append_stops.push_back(stop);
  picky.retry(true);
  CHECK(picky.target.faults.append_stops.empty());
  picky.executor.advance(std::chrono::hours(1));
  picky.target.arrive_all();
  CHECK(picky.run().messages().copied + picky.on_target("INBOX") <= 1);
  picky.retry(true);
  CHECK(picky.on_target("INBOX") == 1);
  CHECK(picky.stored(0).find('\0') == std::string::npos);
  CHECK(picky.verify(VerifyLevel::bytes).accounted_for());
}

TEST_CASE("a server that breaks the line at each repaired message does not keep the run for ever") {
  Picky picky;
  picky.fill("INBOX", 1);
  picky.add("INBOX", with_nul("odd"));
  picky.run();
  picky.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.bytes.find('\0') != std::string::npos) return "no NULs";
    throw Error(ErrorKind::transient, "gone");
  };
  const Ledger ledger = picky.retry(true);
  CHECK(ledger.messages().copied == 0);
  CHECK(picky.target.calls["batch"] < 40);
}

TEST_CASE(
    "a repaired message stays at a source whose messages are removed once they have crossed") {
  Picky picky;
  picky.fill("INBOX", 2);
  picky.add("INBOX", with_nul("odd"));
  picky.run();
  picky.retry(true);
  picky.options.remove_after = std::chrono::days(0);
  picky.run();
  REQUIRE(picky.source.folder("INBOX").messages.size() == 1);
  CHECK(picky.source.folder("INBOX").messages[0].bytes == with_nul("odd"));
}

TEST_CASE("renumbered targets find their repaired messages again") {
  Picky picky;
  picky.fill("INBOX", 2);
  picky.add("INBOX", std::string("Subject: odd\r\n\r\na\0b\nc\r\n", 23));
  picky.run();
  picky.retry(true);
  picky.target.renumber(FolderName::parse("INBOX"), 77);
  CHECK(picky.run().messages().rejected == 0);
  CHECK(picky.on_target("INBOX") == 3);
  CHECK(picky.verify(VerifyLevel::bytes).accounted_for());
}
