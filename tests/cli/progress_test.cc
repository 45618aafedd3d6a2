#include "cli/progress.h"

#include <catch2/catch.hpp>

#include "cli/format.h"
#include "cli/progress_tty.h"

using namespace postferry;
using namespace postferry::cli;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const FolderName kInbox = FolderName::parse("INBOX");
const ProgressCount::TimePoint kBegin{};

ProgressState busy() {
  ProgressState state;
  state.folders_done = 3;
  state.folders_total = 12;
  state.messages_done = 1204;
  state.messages_total = 5000;
  state.bytes_copied = 35'200'000;
  state.bytes_per_second = 4'100'000;
  state.messages_per_second = 612;
  state.left = 42s;
  state.folder = "Archive/2019";
  return state;
}

}  // namespace

TEST_CASE("numbers are written for people") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(1234567) == "1,234,567");
  CHECK(human_bytes(999) == "999 B");
  CHECK(human_bytes(1000) == "1.0 kB");
  CHECK(human_bytes(35'200'000) == "35 MB");
  CHECK(human_bytes(999'999) == "1.0 MB");
  CHECK(human_bytes(9'949'000) == "9.9 MB");
  CHECK(human_duration(42s) == "0:42");
  CHECK(human_duration(723s) == "12:03");
  CHECK(human_duration(3723s) == "1:02:03");
  CHECK(human_duration(-5s) == "0:00");
  CHECK(human_seconds(0.04) == "0.0 s");
  CHECK(human_seconds(12.34) == "12.3 s");
  CHECK(human_seconds(62.2) == "1:02");
}

TEST_CASE("columns are counted as terminals count them") {
  CHECK(columns("abc") == 3);
  CHECK(columns("Entw\xC3\xBCrfe") == 8);
  CHECK(columns("\xE6\x97\xA5\xE6\x9C\xAC") == 4);  // two wide characters
  CHECK(columns("e\xCC\x81") == 1);                 // a combining accent
  CHECK(columns("\xFF\xFE") == 2);                  // no UTF-8
  CHECK(cut_to("abcdef", 6) == "abcdef");
  CHECK(cut_to("abcdef", 4) == "abc\u2026");
  CHECK(cut_to("\xE6\x97\xA5\xE6\x9C\xAC", 3) == "\xE6\x97\xA5\u2026");
  CHECK(cut_to("abc", 0).empty());
}

TEST_CASE("a wide terminal gets the whole line") {
  CHECK(render(busy(), 120) ==
        " 24%  folders 3/12  messages 1,204/5,000  35 MB  4.1 MB/s  612 msg/s  0:42 left  "
        "Archive/2019");
}

TEST_CASE("the line never exceeds the width, and what matters least goes first") {
  for (std::size_t width = 0; width <= 130; ++width) {
    INFO(width);
    CHECK(columns(render(busy(), width)) <= width);
  }
  CHECK(render(busy(), 30) == " 24%  messages 1,204/5,000");
  CHECK_THAT(render(busy(), 50), Contains("0:42 left"));
  CHECK(render(busy(), 4) == " 24%");
}

TEST_CASE("a folder name is shown without control characters") {
  ProgressState state = busy();
  state.folder = "a\x1b[2Jb";
  CHECK(render(state, 200).find('\x1b') == std::string::npos);
}

TEST_CASE("messages that are there already count as done") {
  ProgressCount count;
  count.planned(2, 100);
  count.folder_planned(kInbox, 60, 20, 20'000);
  ProgressState state = count.at(kBegin);
  CHECK(state.messages_total == 100);
  CHECK(state.messages_done == 40);
  count.copied(kInbox, 15, 15'000);
  CHECK(count.at(kBegin).messages_done == 55);
  CHECK(count.at(kBegin).folder == "INBOX");
}

TEST_CASE("a folder that is taken up again is not counted twice") {
  ProgressCount count;
  count.planned(1, 10);
  count.folder_planned(kInbox, 10, 10, 1000);
  count.copied(kInbox, 4, 400);
  count.folder_planned(kInbox, 10, 6, 600);
  CHECK(count.at(kBegin).messages_done == 4);
  count.copied(kInbox, 6, 600);
  count.folder_ended(kInbox, {});
  const ProgressState state = count.at(kBegin);
  CHECK(state.messages_done == 10);
  CHECK(state.messages_total == 10);
  CHECK(state.folders_done == 1);
}

TEST_CASE("a folder that ends unfinished does not hold up the end") {
  ProgressCount count;
  count.planned(1, 10);
  count.folder_planned(kInbox, 10, 10, 1000);
  FolderTally tally;
  tally.messages.seen = 10;
  count.folder_ended(kInbox, tally);
  CHECK(count.at(kBegin).messages_done == 10);
  CHECK_FALSE(count.at(kBegin + 10s).left);
}

TEST_CASE("rates and the time left come from what moved of late") {
  ProgressCount count;
  count.planned(2, 300);
  count.folder_planned(kInbox, 200, 200, 200'000);
  CHECK_FALSE(count.at(kBegin).left);
  count.copied(kInbox, 100, 100'000);
  const ProgressState state = count.at(kBegin + 10s);
  CHECK(state.bytes_per_second == Approx(10'000));
  CHECK(state.messages_per_second == Approx(10));
  // 100 kB of this folder, and 100 messages of another at the same average size.
  REQUIRE(state.left);
  CHECK(*state.left == 20s);
  const double before = state.bytes_per_second;
  CHECK(count.at(kBegin + 40s).bytes_per_second < before / 2);  // nothing moved since
}

TEST_CASE("listings that lie about sizes cannot turn counts negative") {
  ProgressCount count;
  count.planned(1, 1);
  count.folder_planned(kInbox, 1, 1, 10);
  count.copied(kInbox, 5, 1'000'000);
  const ProgressState state = count.at(kBegin + 1s);
  CHECK(state.messages_done == 1);
  CHECK(state.messages_total == 1);
}

TEST_CASE("a finished folder is one line with all its counts") {
  FolderTally tally;
  tally.source = FolderName::parse("Archive/2019");
  tally.messages.seen = 1204;
  tally.messages.copied = 1200;
  tally.messages.present = 3;
  tally.messages.rejected = 1;
  tally.bytes_copied = 35'200'000;
  CHECK(folder_line(tally) ==
        "Archive/2019: 1,204 messages, 1,200 copied, 3 present, 1 rejected (35 MB)");
}
