// How many messages a second the parts take that every message goes through, one part at a time:
// what a flame graph of a crossing is to be compared with. Prints one line of JSON a part.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>

#include "connectors/header_fields.h"
#include "connectors/imap/codec/framer.h"
#include "connectors/imap/codec/response.h"
#include "connectors/pop3/codec/dot_stuffing.h"
#include "engine/digest.h"
#include "engine/fingerprint.h"
#include "state/sqlite_journal.h"
#include "tests/state/journal_fixture.h"

namespace postferry {
namespace {

constexpr std::size_t kMessages = 200;  // that are read again and again
constexpr std::size_t kBatch = 100;
constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::chrono::milliseconds kLong{300};

std::string message_of(std::size_t number, std::size_t bytes) {
  std::string message = fmt::format(
      "Received: from a.example by b.example; Sun, 09 Sep 2001 01:46:40 +0000\r\n"
      "From: Ann <ann{0}@a.example>\r\nTo: bob@b.example\r\nDate: Sun, 09 Sep 2001 01:46:40 "
      "+0000\r\n"
      "Subject: number {0}\r\nMessage-ID: <{0}@a.example>\r\n\r\n",
      number);
  while (message.size() < bytes)
    message += "It is what it says, in seventy-two letters or so, and one dot.\r\n";
  return message;
}

/// Repeats `work`, which does `messages` messages of `bytes` in all, until that has taken long
/// enough; the best time counts.
void measure(const std::string& part, std::size_t messages, std::size_t bytes,
             const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begun = Clock::now();
  double best = 1e9;
  while (Clock::now() - begun < kLong) {
    const Clock::time_point before = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - before).count());
  }
  fmt::print("{{\"part\": \"{}\", \"messages_s\": {:.0f}, \"mb_s\": {:.0f}}}\n", part,
             static_cast<double>(messages) / best, static_cast<double>(bytes) / best / 1e6);
}

/// As a session does it: what one read gives is fed, then every event taken.
std::size_t frame(const std::string& stream) {
  imap::Limits limits;
  limits.inline_body_bytes = 8 << 10;
  imap::Framer framer(limits);
  std::size_t bytes = 0;
  for (std::size_t at = 0; at < stream.size(); at += kReadBytes) {
    framer.feed(std::string_view(stream).substr(at, kReadBytes));
    for (bool more = true; more;) {
      const imap::FrameEvent event = framer.next();
      if (const auto* whole = std::get_if<imap::Frame>(&event)) {
        imap::parse_response(*whole, limits);
      } else if (const auto* chunk = std::get_if<imap::LiteralChunk>(&event)) {
        bytes += chunk->bytes.size();
      }
      more = !std::holds_alternative<imap::NeedMore>(event);
    }
  }
  return bytes;
}

void codecs(std::size_t size_bytes, const std::string& size) {
  std::string fetches, retrs;
  std::vector<std::string> messages;
  for (std::size_t i = 0; i < kMessages; ++i) {
    messages.push_back(message_of(i, size_bytes));
    const std::string& bytes = messages.back();
    fetches += fmt::format(
        "* {0} FETCH (UID {0} FLAGS (\\Seen) INTERNALDATE \"09-Sep-2001 01:46:40 +0000\" BODY[] "
        "{{{1}}}\r\n{2})\r\n",
        i + 1, bytes.size(), bytes);
    retrs += bytes + ".\r\n";
  }
  measure("framer, " + size, kMessages, fetches.size(), [&] { frame(fetches); });
  measure("dot-stuffing, " + size, kMessages, retrs.size(), [&] {
    std::string_view rest = retrs;
    while (!rest.empty()) {
      pop3::DotDecoder decoder;
      std::string out;
      while (!decoder.done()) rest.remove_prefix(decoder.feed(rest, out));
    }
  });
  measure("fingerprint, " + size, kMessages, kMessages * size_bytes, [&] {
    for (const std::string& bytes : messages) fingerprint(header_fields(bytes));
  });
  measure("sha256, " + size, kMessages, kMessages * size_bytes, [&] {
    for (const std::string& bytes : messages) sha256(bytes);
  });
}

/// A batch's two writes: before it is sent, and when it is answered.
void journal() {
  tests::TempDirectory directory;
  tests::Runner run;
  const std::unique_ptr<Journal> journal = open_journal(directory / "journal");
  const tests::Crossing crossing = tests::begin_crossing(run, *journal);
  std::uint32_t uid = 0;
  measure("journal, batches of 100", kBatch, 0, [&] {
    OpenBatch batch;
    batch.folder = crossing.folder.id;
    std::vector<MessageRow> rows;
    for (std::size_t i = 0; i < kBatch; ++i) {
      ++uid;
      rows.push_back(tests::row(tests::key(uid), uid));
      batch.keys.push_back(rows.back().key);
    }
    Record record = tests::record_of(crossing, std::move(rows));
    record.close_batches = {
        run(journal->open_batch(crossing.folder.target_folder, std::move(batch)))};
    run(journal->record(std::move(record)));
  });
}

/// What a large mailbox's journal takes, and how soon it is there.
void large_journal() {
  constexpr std::uint32_t kRows = 1'000'000, kAtOnce = 1000;
  tests::TempDirectory directory;
  tests::Runner run;
  const auto path = directory / "journal";
  TargetFolderId folder{};
  {
    const std::unique_ptr<Journal> journal = open_journal(path);
    const tests::Crossing crossing = tests::begin_crossing(run, *journal);
    folder = crossing.folder.target_folder;
    for (std::uint32_t uid = 0; uid < kRows;) {
      std::vector<MessageRow> rows;
      while (rows.size() < kAtOnce) {
        ++uid;
        rows.push_back(tests::row(tests::key(uid), uid));
      }
      run(journal->record(tests::record_of(crossing, std::move(rows))));
    }
  }
  const auto begun = std::chrono::steady_clock::now();
  const std::unique_ptr<Journal> journal = open_journal(path);
  run(journal->target_folder(folder));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  std::printf(
      "{\"part\": \"journal of 1,000,000 rows, opened\", \"milliseconds\": %.1f, "
      "\"bytes_a_row\": %.0f}\n",
      took.count(), static_cast<double>(std::filesystem::file_size(path)) / kRows);
}

}  // namespace
}  // namespace postferry

int main() {
  postferry::codecs(3 << 10, "3 KiB");
  postferry::codecs(64 << 10, "64 KiB");
  postferry::journal();
  postferry::large_journal();
}
