// What a message costs on the disk; and, hidden behind [.bench], how long things take.

#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>

#include "state/sqlite_journal.h"
#include "tests/state/journal_fixture.h"

using namespace postferry;
using namespace postferry::tests;

namespace {

/// Fills a journal as a crossing does: batches of 100, opened and closed.
Crossing fill(Runner& run, Journal& journal, std::uint32_t messages) {
  const Crossing ann = begin_crossing(run, journal);
  for (std::uint32_t first = 1; first <= messages; first += 100) {
    OpenBatch batch;
    batch.folder = ann.folder.id;
    std::vector<MessageRow> rows;
    for (std::uint32_t uid = first; uid < first + 100; ++uid) {
      MessageRow each = row(key(uid * 3), uid + 2'000'000);
      each.size_bytes = 2000 + uid % 70'000;
      each.date->seconds += uid * 60;
      batch.keys.push_back(each.key);
      rows.push_back(std::move(each));
    }
    Record record = record_of(ann, std::move(rows));
    record.close_batches = {run(journal.open_batch(ann.folder.target_folder, std::move(batch)))};
    run(journal.record(std::move(record)));
  }
  return ann;
}

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

TEST_CASE("A message costs less than 150 bytes") {
  TempDirectory directory;
  constexpr std::uint32_t kMessages = 50'000;
  Runner run;
  {
    const std::unique_ptr<Journal> journal = open_journal(directory / "j.db");
    fill(run, *journal, kMessages);
  }
  CHECK(std::filesystem::file_size(directory / "j.db") / kMessages < 150);
}

TEST_CASE("A million messages", "[.bench]") {
  TempDirectory directory;
  constexpr std::uint32_t kMessages = 1'000'000;
  Runner run;
  auto start = std::chrono::steady_clock::now();
  Crossing ann;
  {
    const std::unique_ptr<Journal> journal = open_journal(directory / "j.db");
    ann = fill(run, *journal, kMessages);
    std::cout << "fill, batches of 100: " << ms_since(start) / (kMessages / 100)
              << " ms a batch (open_batch and record)\n";
    start = std::chrono::steady_clock::now();
    run(journal->make_durable());
    std::cout << "make_durable: " << ms_since(start) << " ms\n";
    start = std::chrono::steady_clock::now();
  }
  std::cout << "close: " << ms_since(start) << " ms\n";
  std::cout << "bytes a message: "
            << static_cast<double>(std::filesystem::file_size(directory / "j.db")) / kMessages
            << "\n";
  start = std::chrono::steady_clock::now();
  const std::unique_ptr<Journal> journal = open_journal(directory / "j.db");
  run(journal->folders(ann.account));
  std::cout << "open: " << ms_since(start) << " ms\n";
  start = std::chrono::steady_clock::now();
  MessageKey after;
  std::size_t rows = 0;
  while (true) {
    const std::vector<MessageRow> page = run(journal->rows(ann.folder.id, after, 1000));
    if (page.empty()) break;
    rows += page.size();
    after = page.back().key;
  }
  std::cout << "rows, pages of 1000: " << ms_since(start) << " ms for " << rows << "\n";
  start = std::chrono::steady_clock::now();
  const std::size_t named = run(journal->named(ann.folder.target_folder, Uid{1})).size();
  std::cout << "named: " << ms_since(start) << " ms for " << named << "\n";
  start = std::chrono::steady_clock::now();
  run(journal->named(ann.folder.target_folder, Uid{2'999'000}));
  std::cout << "named, the last thousand: " << ms_since(start) << " ms\n";
  start = std::chrono::steady_clock::now();
  run(journal->reset_target_folder(ann.folder.target_folder, 2));
  std::cout << "reset_target_folder: " << ms_since(start) << " ms\n";
}
