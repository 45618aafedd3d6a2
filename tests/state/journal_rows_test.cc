// Rows by the ends and the gaps of their keys: what a run asks for that reads only changes.
#include <catch2/catch.hpp>

#include "state/sqlite_journal.h"
#include "tests/state/journal_fixture.h"

using namespace postferry;
using namespace postferry::tests;

namespace {

std::string uids(const std::vector<MessageRow>& rows) {
  std::string out;
  for (const MessageRow& row : rows) out += std::to_string(row.key.uid().value) + " ";
  return out;
}

struct Recorded {
  Runner run;
  std::unique_ptr<Journal> journal = open_journal_in_memory();
  Crossing ann = begin_crossing(run, *journal, "ann");
  Crossing bob = begin_crossing(run, *journal, "bob");

  Recorded() {
    std::vector<MessageRow> rows;
    for (const std::uint32_t uid : {2u, 3u, 5u, 9u, 4'294'967'295u})
      rows.push_back(row(key(uid), uid));
    run(journal->record(record_of(ann, std::move(rows))));
    run(journal->record(record_of(bob, {row(key(4), 4), row(key(100), 100)})));
  }
  std::string outside(std::vector<UidRange> ranges) {
    return uids(run(journal->rows_outside(ann.folder.id, std::move(ranges))));
  }
  std::string newest(std::size_t limit) {
    return uids(run(journal->newest_rows(ann.folder.id, limit)));
  }
};

UidRange range(std::uint32_t first, std::uint32_t last) { return {Uid{first}, Uid{last}}; }

}  // namespace

TEST_CASE("The newest rows of a folder are those with the highest UIDs, the highest first") {
  Recorded recorded;
  CHECK(recorded.newest(2) == "4294967295 9 ");
  CHECK(recorded.newest(10) == "4294967295 9 5 3 2 ");
  recorded.run(
      recorded.journal->record(record_of(recorded.ann, {row(MessageKey("removed-1-7"), 7)})));
  CHECK(recorded.newest(2) == "4294967295 9 ");
}

TEST_CASE("Rows outside of ranges are those of no range, in the folder alone") {
  Recorded recorded;
  CHECK(recorded.outside({}) == "2 3 5 9 4294967295 ");
  CHECK(recorded.outside({range(1, 4'294'967'295u)}) == "");
  CHECK(recorded.outside({range(2, 3), range(9, 9)}) == "5 4294967295 ");
  CHECK(recorded.outside({range(3, 5)}) == "2 9 4294967295 ");
  CHECK(recorded.outside({range(4'294'967'295u, 4'294'967'295u)}) == "2 3 5 9 ");
}

TEST_CASE("Repairs are kept with a message and with what is being sent, and are never removable") {
  Recorded at;
  MessageRow repaired = row(key(3), 3);
  repaired.repairs = Repairs{}.with(RepairStep::nuls);
  Record record = record_of(at.ann, {repaired});
  FailureRow failure{key(7), 70, "NO", at.ann.run};
  failure.repairs = Repairs{}.with(RepairStep::line_ends).with(RepairStep::nuls);
  failure.left = LeftBecause::copy_differs;
  record.failures.push_back(failure);
  at.run(at.journal->record(record));
  const std::vector<MessageRow> rows = at.run(at.journal->rows_for(at.ann.folder.id, {key(3)}));
  REQUIRE(rows.size() == 1);
  CHECK(same(rows[0], repaired));
  const std::vector<FailureRow> failures = at.run(at.journal->failures(at.ann.folder.id));
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].repairs == failure.repairs);
  CHECK(failures[0].left == failure.left);
  const auto removable =
      at.run(at.journal->removable(at.ann.folder.id, 1'800'000'000, MessageKey(), 10));
  CHECK(uids(removable) == "2 5 9 4294967295 ");
}
