// Commands and APPEND heads, byte for byte, and what a transcript may show of them.
#include <catch2/catch.hpp>
#include <stdexcept>

#include "connectors/imap/codec/append.h"
#include "connectors/imap/codec/command.h"

using namespace postferry::imap;
using namespace std::string_literals;

namespace {

using Strings = std::vector<std::string>;
constexpr auto kSync = LiteralMode::kSynchronising;
constexpr auto kMinus = LiteralMode::kLiteralMinus;
constexpr auto kPlus = LiteralMode::kLiteralPlus;

std::string only_piece(const Command& command) {
  REQUIRE(command.pieces.size() == 1);
  CHECK_FALSE(command.pieces[0].waits);
  return command.pieces[0].bytes;
}

}  // namespace

TEST_CASE("Tags differ") {
  TagGenerator tags;
  CHECK(tags.next() == "A1");
  CHECK(tags.next() == "A2");
  CHECK(TagGenerator('X').next() == "X1");
}

TEST_CASE("A command without arguments is its tag and name") {
  const Command command = CommandBuilder("A1", "NOOP", kSync).finish();
  CHECK(command.tag == "A1");
  CHECK(only_piece(command) == "A1 NOOP\r\n");
}

TEST_CASE("Arguments are parted by a space") {
  const SequenceSet uids = *SequenceSet::parse("1:5,7", 9);
  CHECK(only_piece(CommandBuilder("A2", "UID FETCH", kSync).set(uids).raw("(FLAGS)").finish()) ==
        "A2 UID FETCH 1:5,7 (FLAGS)\r\n");
  const Strings flags{"\\Seen", "$Forwarded"};
  CHECK(
      only_piece(
          CommandBuilder("A3", "UID STORE", kSync).raw("7 +FLAGS.SILENT").flags(flags).finish()) ==
      "A3 UID STORE 7 +FLAGS.SILENT (\\Seen $Forwarded)\r\n");
  CHECK(only_piece(CommandBuilder("A4", "X", kSync).flags({}).finish()) == "A4 X ()\r\n");
}

TEST_CASE("A plain string is quoted, with escapes") {
  CHECK(only_piece(CommandBuilder("A1", "SELECT", kSync).string("a \"b\" \\c").finish()) ==
        "A1 SELECT \"a \\\"b\\\" \\\\c\"\r\n");
  CHECK(only_piece(CommandBuilder("A1", "SELECT", kSync).string("").finish()) ==
        "A1 SELECT \"\"\r\n");
}

TEST_CASE("A string that cannot be quoted is a literal, waiting only where it must") {
  const std::string name = "Entw\xfcrfe";
  const Command waiting = CommandBuilder("A1", "STATUS", kSync).string(name).raw("(SIZE)").finish();
  REQUIRE(waiting.pieces.size() == 2);
  CHECK(waiting.pieces[0].bytes == "A1 STATUS {8}\r\n");
  CHECK(waiting.pieces[0].waits);
  CHECK(waiting.pieces[1].bytes == name + " (SIZE)\r\n");
  CHECK_FALSE(waiting.pieces[1].waits);
  for (const LiteralMode mode : {kPlus, kMinus}) {
    CHECK(only_piece(CommandBuilder("A1", "STATUS", mode).string(name).raw("(SIZE)").finish()) ==
          "A1 STATUS {8+}\r\n" + name + " (SIZE)\r\n");
  }
}

TEST_CASE("Long strings and line ends need a literal, and NUL cannot be sent") {
  CHECK(can_be_quoted(std::string(500, 'x')));
  CHECK_FALSE(can_be_quoted(std::string(501, 'x')));
  CHECK_FALSE(can_be_quoted("a\r"));
  CHECK_FALSE(can_be_quoted("a\n"));
  CHECK_THROWS_AS(CommandBuilder("A1", "X", kPlus).string("a\0b"s), std::invalid_argument);
}

TEST_CASE("Raw text cannot smuggle in a second command") {
  for (const std::string& text : {"a\r\nA2 LOGOUT"s, "a\n"s, "a\r"s, "a\0"s}) {
    CHECK_THROWS_AS(CommandBuilder("A1", "X", kPlus).raw(text), std::invalid_argument);
  }
}

TEST_CASE("LITERAL- waits above 4096 octets") {
  CHECK_FALSE(literal_waits(kMinus, 4096));
  CHECK(literal_waits(kMinus, 4097));
  CHECK_FALSE(literal_waits(kPlus, std::uint64_t{1} << 40));
  CHECK(literal_waits(kSync, 0));
}

TEST_CASE("Secrets are not shown, in whatever form they are sent") {
  const auto shown = [](const Command& command) {
    std::string text;
    for (const Piece& piece : command.pieces) text += redacted(piece);
    return text;
  };
  const Command login =
      CommandBuilder("A1", "LOGIN", kSync).string("ann").secret("pass\"word").finish();
  CHECK(login.pieces[0].bytes == "A1 LOGIN \"ann\" \"pass\\\"word\"\r\n");
  CHECK(shown(login) == "A1 LOGIN \"ann\" ***\r\n");
  for (const LiteralMode mode : {kSync, kPlus}) {
    const std::string text =
        shown(CommandBuilder("A1", "LOGIN", mode).secret("\xfc").secret("p\xe9").finish());
    CHECK(text.find('\xfc') == text.npos);
    CHECK(text.find('\xe9') == text.npos);
    CHECK(text.ends_with("***\r\n"));
  }
  CHECK(shown(CommandBuilder("A1", "AUTHENTICATE", kSync)
                  .raw("PLAIN")
                  .raw_secret("AGE=")
                  .raw("x")
                  .finish()) == "A1 AUTHENTICATE PLAIN *** x\r\n");
}

TEST_CASE("APPEND says flags, date and size before the message") {
  const AppendMessage message{
      {"\\Seen", "$Forwarded"}, DateTime{1478509872, 60}, 1610612736, false};
  const AppendHead head = append_head("A1", "Archive/2019", message, kPlus);
  REQUIRE(head.pieces.size() == 1);
  CHECK(head.pieces[0].bytes ==
        "A1 APPEND \"Archive/2019\" (\\Seen $Forwarded) \"07-Nov-2016 10:11:12 +0100\" "
        "{1610612736+}\r\n");
  CHECK_FALSE(head.pieces[0].waits);
  CHECK(head.refused_flags.empty());
  CHECK_FALSE(head.date_dropped);
}

TEST_CASE("APPEND may have neither flags nor date, and wait for the server") {
  const AppendHead head = append_head("A1", "INBOX", {{}, std::nullopt, 5, false}, kSync);
  CHECK(head.pieces.back().bytes == "A1 APPEND \"INBOX\" {5}\r\n");
  CHECK(head.pieces.back().waits);
  CHECK(append_head("A1", "INBOX", {{}, {}, 5, true}, kPlus).pieces.back().bytes ==
        "A1 APPEND \"INBOX\" ~{5+}\r\n");
}

TEST_CASE("A folder that needs a literal comes before the message's own") {
  const AppendHead head = append_head("A1", "\xfc", {{"\\Seen"}, {}, 5000, false}, kMinus);
  REQUIRE(head.pieces.size() == 1);
  CHECK(head.pieces[0].bytes == "A1 APPEND {1+}\r\n\xfc (\\Seen) {5000}\r\n");
  CHECK(head.pieces[0].waits);
  const AppendHead waiting = append_head("A1", "\xfc", {{}, {}, 5, false}, kSync);
  REQUIRE(waiting.pieces.size() == 2);
  CHECK(waiting.pieces[0].bytes == "A1 APPEND {1}\r\n");
  CHECK(waiting.pieces[1].bytes == "\xfc {5}\r\n");
  CHECK(waiting.pieces[1].waits);
}

TEST_CASE("A further message of a MULTIAPPEND begins with a space") {
  const AppendHead head = append_next_head({{"\\Draft"}, DateTime{0, 0}, 3, false}, kPlus);
  CHECK(head.pieces.back().bytes == " (\\Draft) \"01-Jan-1970 00:00:00 +0000\" {3+}\r\n");
}

TEST_CASE("A date without wire form is left out and reported") {
  const AppendHead head =
      append_next_head({{}, DateTime{std::int64_t{1} << 60, 0}, 3, false}, kPlus);
  CHECK(head.pieces.back().bytes == " {3+}\r\n");
  CHECK(head.date_dropped);
}

TEST_CASE("Flags that must not be sent are kept out and reported") {
  const CheckedFlags checked =
      check_flags({"\\Seen", "\\Recent", "\\recent", "\\XYZ", "ok$", "a b", "(", "caf\xc3\xa9", "",
                   "\\", "\\*", "a]", "[b", "x%", "tab\t", "\\SEEN", "OK$", "Junk", "a b"});
  CHECK(checked.sendable == Strings{"\\Seen", "ok$", "[b", "Junk"});
  CHECK(checked.refused ==
        Strings{"\\XYZ", "a b", "(", "caf\xc3\xa9", "", "\\", "\\*", "a]", "x%", "tab\t"});
  CHECK(append_next_head({{"a b"}, {}, 1, false}, kPlus).refused_flags == Strings{"a b"});
}
