// What check tells before anything is copied.
#include "engine/crossing/check.h"

#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

struct Checked : Pair {
  using Pair::Pair;
  CheckReport check(Journal* known = nullptr) {
    const auto from = make_memory_source(source);
    const auto to = make_memory_target(target);
    source.calls.clear();
    target.calls.clear();
    return block_on(
        executor,
        check_account({*from, *to, known, observer, {"ann", "source", "target"}, options}));
  }
};

bool told(const std::vector<std::string>& texts, const std::string& words) {
  return std::ranges::any_of(
      texts, [&](const std::string& text) { return text.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE("check counts what is there, and writes nothing") {
  Checked pair;
  pair.fill("INBOX", 3);
  pair.fill("Work", 2, "w");
  const CheckReport report = pair.check();
  REQUIRE(report.folders.size() == 2);
  CHECK(report.folders[0].messages == 3);
  CHECK(report.folders[0].due == 3);
  CHECK(report.folders[0].size_bytes == 3 * letter("m0").size());
  CHECK_FALSE(report.folders[1].exists);
  CHECK(report.problems.empty());
  CHECK(report.seconds_to_read);
  CHECK(pair.on_target("INBOX") == 0);
  CHECK(pair.target.find(FolderName::parse("Work")) == nullptr);
}

TEST_CASE("check tells what the options leave out, and what a journal knows") {
  Checked pair;
  pair.fill("INBOX", 4);
  pair.run();
  pair.fill("INBOX", 2, "new");
  pair.options.since = 1'000'005;
  const CheckReport report = pair.check(pair.journal.get());
  const CheckedFolder& inbox = report.folders.at(0);
  CHECK(inbox.messages == 6);
  CHECK(inbox.present == 4);
  CHECK(inbox.filtered == 1);
  CHECK(inbox.due == 1);
}

TEST_CASE("check names messages above the target's limit") {
  MemoryOptions limited;
  limited.traits.append_limit_bytes = 500;
  Checked pair({}, limited);
  pair.fill("INBOX", 2);
  pair.add("INBOX", letter("big", std::string(600, 'x')));
  const CheckReport report = pair.check();
  CHECK(report.folders.at(0).too_big == 1);
  CHECK(told(report.problems, "1 message is above the target's limit"));
}

TEST_CASE("check compares what is to come with the target's room") {
  MemoryOptions small;
  small.quota_bytes = 1000;
  Checked pair({}, small);
  pair.fill("INBOX", 20);
  CHECK(told(pair.check().problems, "has room for 1000 bytes more"));
  // What lies there may be the same mail: nobody knows without a journal.
  pair.target.folder("INBOX").add(letter("m0"), {}, std::nullopt);
  const CheckReport report = pair.check();
  CHECK(report.problems.empty());
  CHECK(told(report.notes, "is recognised and not sent again"));
}

TEST_CASE("check goes on past a folder that cannot be read") {
  Checked pair;
  pair.fill("INBOX", 1);
  pair.fill("Work", 2);
  pair.source.faults.on_call = [](MemoryServer& server, std::string_view call) {
    const FolderName gone = FolderName::parse("INBOX");
    if (call == "select" && server.find(gone)) server.remove_folder(gone);
  };
  const CheckReport report = pair.check();
  CHECK(report.folders.size() == 2);
  CHECK(told(report.problems, "folder INBOX cannot be read"));
}
