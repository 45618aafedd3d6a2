// The codec of mboxes: where messages begin, what is theirs and what the mbox's, and that both ways
// of it agree; whatever the pieces.
#include <catch2/catch.hpp>

#include "connectors/mbox/codec/decoder.h"
#include "connectors/mbox/codec/encoder.h"
#include "connectors/mbox/codec/head.h"
#include "connectors/mbox/codec/splitter.h"

using namespace postferry;
using namespace postferry::mbox;

namespace {

struct Cut {
  std::vector<std::string> messages;  // as stored
  std::vector<FromLine> lines;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  bool strayed = false;
};

Cut cut(const std::vector<std::string>& pieces) {
  Cut out;
  Splitter splitter({[&](const FromLine& from, std::uint64_t, std::uint64_t content) {
                       out.lines.push_back(from);
                       out.messages.emplace_back();
                       out.ranges.emplace_back(content, 0);
                     },
                     [&](std::string_view bytes) { out.messages.back() += bytes; },
                     [&](std::uint64_t end) { out.ranges.back().second = end; }});
  for (const std::string& piece : pieces) splitter.feed(piece);
  splitter.finish();
  out.strayed = splitter.strayed();
  return out;
}

/// The same result however the text is split in two.
Cut cut(const std::string& text) {
  const Cut whole = cut(std::vector<std::string>{text});
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const Cut halves = cut(std::vector<std::string>{text.substr(0, at), text.substr(at)});
    INFO("split at " << at);
    REQUIRE(halves.messages == whole.messages);
    REQUIRE(halves.ranges == whole.ranges);
    REQUIRE(halves.strayed == whole.strayed);
  }
  for (std::size_t i = 0; i < whole.messages.size(); ++i) {
    const auto [begin, end] = whole.ranges[i];
    CHECK(text.substr(begin, end - begin) == whole.messages[i]);
  }
  return whole;
}

std::string decode(const std::string& stored, Form form = Form::foreign, std::uint64_t size = 0,
                   Envelope* envelope = nullptr, bool* intact = nullptr) {
  std::string whole;
  for (std::size_t at = 0; at <= stored.size(); ++at) {
    Decoder decoder(form, size);
    std::string out;
    decoder.feed(std::string_view(stored).substr(0, at), out);
    decoder.feed(std::string_view(stored).substr(at), out);
    decoder.finish(out);
    INFO("split at " << at);
    if (at == 0) whole = out;
    REQUIRE(out == whole);
    if (decoder.intact()) REQUIRE(decoder.size_bytes() == out.size());
    if (envelope != nullptr) *envelope = decoder.envelope();
    if (intact != nullptr) *intact = decoder.intact();
  }
  return whole;
}

std::string encode(const std::string& message, Form form) {
  std::string whole;
  for (std::size_t at = 0; at <= message.size(); ++at) {
    Encoder encoder(form);
    std::string out;
    encoder.feed(std::string_view(message).substr(0, at), out);
    encoder.feed(std::string_view(message).substr(at), out);
    encoder.finish(out);
    INFO("split at " << at);
    if (at == 0) whole = out;
    REQUIRE(out == whole);
  }
  CHECK((whole == "\n" || whole.ends_with("\n\n")));
  return whole;
}

std::string both_ways(const std::string& text) {
  Quoting add(Quoting::Way::add), take(Quoting::Way::take);
  std::string quoted, back;
  add.convert(text, quoted);
  add.finish(quoted);
  CHECK(("\n" + quoted).find("\nFrom ") == std::string::npos);
  take.convert(quoted, back);
  take.finish(back);
  return back;
}

}  // namespace

TEST_CASE("a From_ line is told by its date, wherever programs put the zone") {
  const auto at = [](const std::string& line) {
    const auto from = parse_from_line(line, false);
    REQUIRE(from);
    REQUIRE(from->date);
    return from->date->unix_seconds;
  };
  CHECK(at("From ann@example.org Tue Nov 14 22:13:20 2023") == 1'700'000'000);
  CHECK(at("From ann@example.org  Tue Nov 14 22:13:20 2023 +0000") == 1'700'000'000);
  CHECK(at("From 1782471@xxx Tue Nov 14 23:13:20 +0100 2023") == 1'700'000'000);
  CHECK(at("From - Tue Nov 14 22:13:20 2023") == 1'700'000'000);
  CHECK(at("From \"a b\"@c Tue Nov  4 22:13:20 1997") == 878'681'600);
  CHECK_FALSE(parse_from_line("From ann@example.org Tue Nov 14 22:13:20 2023", false)->zoned);
  CHECK(parse_from_line("From a Tue Nov 14 22:13:20 2023 +0000", false)->zoned);
}

TEST_CASE("a sentence that begins with From is no From_ line") {
  CHECK_FALSE(parse_from_line("From here on we walk.", true));
  CHECK_FALSE(parse_from_line("From Tue to Nov 14", true));
  CHECK_FALSE(parse_from_line("From:Tue Nov 14 22:13:20 2023", true));
  CHECK_FALSE(parse_from_line(">From a Tue Nov 14 22:13:20 2023", true));
  CHECK_FALSE(parse_from_line("From -", false));
  CHECK(parse_from_line("From -", true));
  CHECK(parse_from_line("From ", true));
}

TEST_CASE("our From_ line says again what it was given") {
  const auto zone = GENERATE(std::int16_t{0}, std::int16_t{330}, std::int16_t{-210});
  const auto form = GENERATE(Form::lines, Form::raw);
  const auto seconds = GENERATE(0, 1'700'000'000, 86'400);
  std::string line = format_from_line(form, 1260, {seconds, zone});
  line.pop_back();
  const auto from = parse_from_line(line, false);
  REQUIRE(from);
  CHECK(from->form == form);
  CHECK(from->size_bytes == 1260);
  CHECK(from->zoned);
  CHECK(from->date == mail::ZonedTime{seconds, zone});
}

TEST_CASE("an mbox is cut at its From_ lines, with or without an empty line before them") {
  const std::string a = "From a Tue Nov 14 22:13:20 2023\n",
                    b = "From b Tue Nov 14 22:13:21 2023\n";
  const Cut two = cut(a + "Subject: 1\n\nFrom here\n>From there\n\n" + b + "Subject: 2\n\nx");
  CHECK_FALSE(two.strayed);
  REQUIRE(two.messages.size() == 2);
  CHECK(two.messages[0] == "Subject: 1\n\nFrom here\n>From there\n\n");
  CHECK(two.messages[1] == "Subject: 2\n\nx");
  CHECK(cut(a + "Subject: 1\n\nx\n" + b).messages.size() == 2);
  CHECK(cut("From \r\nSubject: 1\r\n\r\nx\r\n\r\nFrom \r\nSubject: 2\r\n\r\n").messages.size() ==
        2);
  CHECK(cut("").messages.empty());
  CHECK(cut("Subject: 1\n\nx\n").strayed);
  CHECK(cut("\n" + a).messages.size() == 1);
}

TEST_CASE("quoting is taken back, any number of times") {
  for (const std::string text :
       {"From a\n", ">From a\n>>From b\nFrom\nFro", "x\n>>>", "> From\n>Fr\n>From", "F\n\nFrom \n",
        "", ">", "FFrom \n>>F>From \n"}) {
    INFO(text);
    CHECK(both_ways(text) == text);
  }
}

TEST_CASE("foreign mail is given without the mbox's fields, its lines ended by CRLF") {
  Envelope envelope;
  CHECK(decode("Status: RO\nSubject: x\nX-Keywords: a\n b\nX-Status: AF\nTo: y\n\n>From a\nb\n\n",
               Form::foreign, 0, &envelope) == "Subject: x\r\nTo: y\r\n\r\nFrom a\r\nb\r\n");
  CHECK(envelope.flags() == mail::StatusFlags{true, true, true, false, false});
  CHECK(envelope.keywords() == std::vector<std::string>{"a", "b"});
  CHECK(decode("Subject: x\r\n\r\na\r\n\r\n") == "Subject: x\r\n\r\na\r\n");
  CHECK(decode("Subject: x\n\n") == "Subject: x\r\n\r\n");
  CHECK(decode("Subject: x\n\n\n") == "Subject: x\r\n\r\n");
  CHECK(decode("Content-Length: 99\nSubject: x\n\nStatus: R\n") ==
        "Subject: x\r\n\r\nStatus: R\r\n");
  CHECK(decode(">From a\nSubject: x\n\na") == ">From a\r\nSubject: x\r\n\r\na");
}

TEST_CASE("a field's name is told from as many bytes, wherever a piece ends") {
  for (const std::size_t spaces : {1u, 26u, 27u, 28u, 30u, 60u}) {
    const std::string field = "X-UID" + std::string(spaces, ' ') + ": 5\n";
    CHECK(decode(field + "Subject: a\n\ntext\n").ends_with("Subject: a\r\n\r\ntext\r\n"));
  }
}

TEST_CASE("Thunderbird's own fields tell flags, deleted mail among them") {
  Envelope envelope;
  CHECK(decode("X-Mozilla-Status: 1009\nX-Mozilla-Status2: 00000000\nX-Mozilla-Keys: $label1   \n"
               "Subject: x\n\na\n",
               Form::foreign, 0, &envelope) == "Subject: x\r\n\r\na\r\n");
  CHECK(envelope.flags() == mail::StatusFlags{true, false, false, false, true});
  CHECK(envelope.keywords() == std::vector<std::string>{"$label1", "$Forwarded"});
}

TEST_CASE("our mail comes back byte for byte, whatever it holds") {
  Head head;
  head.uid = 7;
  head.flags = Flags::parse("\\Seen \\Flagged Work $Forwarded");
  for (std::string message :
       {std::string("Subject: x\r\n\r\nbody\r\n"), std::string("Status: RO\r\n\r\nX-UID: 9\r\n"),
        std::string("X-UID: 3\r\nX-Keywords: b\r\n\r\n"), std::string(" folded: x\r\n"),
        std::string("no line end"), std::string(), std::string("\r\n"), std::string("\r\n\r\n"),
        std::string("From a\r\n>From b\r\n\r\n\r\n"), std::string("a\r\r\nb\rc\r\n"),
        std::string("x\r\n\r\nNUL \0 here\r\n", 18), std::string(">"), std::string("a\r\n\r"),
        std::string("bare\nline\r\nends\n"), std::string("From x\nFrom y\r")}) {
    FormFinder finder;
    finder.feed(message);
    const Form form = finder.form();
    std::string stored = format_head(head);
    const std::string encoded = encode(message, form);
    stored += encoded;
    INFO(message);
    Envelope envelope;
    bool intact = false;
    CHECK(decode(stored, form, message.size(), &envelope, &intact) == message);
    CHECK(intact);
    CHECK(envelope.uid() == 7u);
    CHECK(envelope.bytes == format_head(head).size());
    CHECK(envelope.keywords() == std::vector<std::string>{"$Forwarded", "Work"});
    // Cut short, or added to, it is not believed.
    if (message.size() > 4) {
      decode(stored.substr(0, stored.size() - 6), form, message.size(), nullptr, &intact);
      CHECK_FALSE(intact);
      decode(stored + "more\n", form, message.size(), nullptr, &intact);
      CHECK_FALSE(intact);
    }
  }
}

TEST_CASE("flags change within the room that a head has, or not at all") {
  Head head;
  head.uid = 1;
  const std::size_t room = format_head(head).size();
  head.flags = Flags::parse("\\Seen \\Answered \\Flagged \\Draft \\Deleted one two three");
  const auto changed = format_head(head, room);
  REQUIRE(changed);
  CHECK(changed->size() == room);
  head.flags.add_keyword(std::string(60, 'x'));
  CHECK_FALSE(format_head(head, room));
}
