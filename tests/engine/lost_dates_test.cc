// Dates of arrival that nobody can read are told, once a folder, and the others are not.
#include "engine/crossing/lost_dates.h"

#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

constexpr InternalDate kThen{1'600'000'000, 60}, kElsewhere{1'600'000'000, -300}, kOther{5, 0};

std::vector<std::string> told(std::optional<InternalDate> listed,
                              std::optional<InternalDate> came) {
  NotingObserver observer;
  Message message{MessageKey(Uid{7}), {}, came, {}};
  LostDates crossed, all;
  crossed.note({message.key, 1, listed, nullptr}, message);
  all.add(crossed);
  all.tell(observer, FolderName::parse("Sent"));
  all.tell(observer, FolderName::parse("Sent"));  // nothing new
  return observer.notes;
}

}  // namespace

TEST_CASE("a date of arrival that cannot be read or be true is told with what the copy has") {
  for (const std::optional<InternalDate> listed : {std::optional<InternalDate>(), {kOther}}) {
    const std::vector<std::string> notes = told(listed, kThen);
    REQUIRE(notes.size() == 1);
    CHECK_THAT(notes[0], Catch::Contains("folder Sent: 1 message has a date of arrival") &&
                             Catch::Contains("(UID 7)") && Catch::Contains("the header tells"));
  }
  CHECK_THAT(told({}, {}).at(0), Catch::Contains("the copy is of today"));
}

TEST_CASE("a date of arrival that crosses is no news, whatever its zone") {
  CHECK(told(kThen, kThen).empty());
  CHECK(told(kThen, kElsewhere).empty());
}

TEST_CASE("messages without a date are told once a folder, though a line is lost between them") {
  Pair pair;
  for (int i = 0; i < 4; ++i)
    pair.source.folder("INBOX").add(letter("m" + std::to_string(i)), {}, std::nullopt);
  pair.add("INBOX", letter("dated"));
  MemoryStop stop;
  stop.after = 2;
  pair.target.faults.append_stops.push_back(stop);
  CHECK(pair.run().messages().copied == 5);
  pair.run();
  CHECK(std::ranges::count_if(pair.observer.notes, [](const std::string& note) {
          return note.find("4 messages have a date of arrival") != std::string::npos &&
                 note.find("(UID 1, 2, 3, 4)") != std::string::npos;
        }) == 1);
}
