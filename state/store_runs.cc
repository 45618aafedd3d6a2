// Runs, their ledgers, and what logins carried, in SQL.

#include <cmath>
#include <string>
#include <utility>

#include "engine/error.h"
#include "state/store.h"

namespace postferry::state {

namespace {

/// An error in three columns; all NULL where there is none.
std::optional<Error> read_error(const Query& query, int column) {
  if (query.is_null(column)) return std::nullopt;
  ErrorKind kind = ErrorKind::local;
  for (int i = 0; i <= static_cast<int>(ErrorKind::usage); ++i) {
    if (query.text(column) == to_string(static_cast<ErrorKind>(i)))
      kind = static_cast<ErrorKind>(i);
  }
  return Error(kind, std::string(query.text(column + 1)), std::string(query.text(column + 2)));
}

struct ErrorColumns {
  explicit ErrorColumns(const std::optional<Error>& error) {
    if (!error) return;
    kind = to_string(error->kind());
    message = error->message();
    context = error->context();
  }
  std::optional<std::string> kind, message, context;
};

Outcome outcome_of(std::string_view text) {
  for (Outcome outcome : {Outcome::complete, Outcome::partial, Outcome::failed}) {
    if (text == to_string(outcome)) return outcome;
  }
  return Outcome::interrupted;
}

std::uint64_t count(const Query& query, int column) {
  return static_cast<std::uint64_t>(query.integer(column));
}

}  // namespace

RunId Store::begin_run(AccountId account, std::int64_t started_at, const std::string& command) {
  database_.query("INSERT INTO run (account, started_at, command) VALUES (?, ?, ?)")
      .bind({account.value, started_at, command})
      .run();
  return RunId{database_.last_insert_id()};
}

void Store::end_run(RunId run, std::int64_t ended_at, const Ledger& ledger) {
  const ErrorColumns error(ledger.error);
  database_
      .query(
          "UPDATE run SET ended_at = ?2, outcome = ?3, milliseconds = ?4, error_kind = ?5,"
          " error = ?6, error_context = ?7 WHERE id = ?1")
      .bind({run.value, ended_at, to_string(ledger.outcome), std::llround(ledger.seconds * 1000),
             error.kind, error.message, error.context})
      .run();
  Query insert = database_.query(
      "INSERT INTO run_folder (run, position, source, target, seen, copied, present, filtered,"
      " rejected, accepted, vanished, unknown, pending, twins, flags_updated, flags_dropped,"
      " deleted, removed, left_at_source, bytes_copied, error_kind, error, error_context)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  std::int64_t position = 0;
  for (const FolderTally& folder : ledger.folders) {
    const Tally& tally = folder.messages;
    const ErrorColumns why(folder.error);
    insert
        .bind({run.value,
               position++,
               folder.source.to_string(),
               folder.target.to_string(),
               tally.seen,
               tally.copied,
               tally.present,
               tally.filtered,
               tally.rejected,
               tally.accepted,
               tally.vanished,
               tally.unknown,
               tally.pending,
               tally.twins,
               folder.flags_updated,
               folder.flags_dropped,
               folder.deleted,
               folder.removed,
               folder.left_at_source,
               folder.bytes_copied,
               why.kind,
               why.message,
               why.context})
        .run();
  }
}

// Columns: id, command, started_at, ended_at, outcome, milliseconds, and an error's three.
RunRecord Store::read_run(const Query& query) {
  RunRecord run;
  run.id = RunId{query.integer(0)};
  run.command = query.text(1);
  run.started_at = query.integer(2);
  run.ended_at = query.optional<std::int64_t>(3);
  run.ledger.run = run.id.value;
  run.ledger.outcome = outcome_of(query.is_null(4) ? "" : query.text(4));
  run.ledger.seconds = static_cast<double>(query.integer(5)) / 1000;
  run.ledger.error = read_error(query, 6);
  return run;
}

void Store::read_ledger(RunRecord& run) {
  if (!run.ended_at) {
    Query query = database_.query(
        "SELECT count(*) FROM message WHERE run = ?1 AND origin = 1 AND state != 5"
        " AND folder IN (SELECT folder.id FROM folder JOIN run USING (account) WHERE run.id = ?1)");
    if (query.bind({run.id.value}).step()) run.copied_so_far = count(query, 0);
    return;
  }
  Query query = database_.query(
      "SELECT source, target, seen, copied, present, filtered, rejected, accepted, vanished,"
      " unknown, pending, twins, flags_updated, flags_dropped, deleted, removed, left_at_source,"
      " bytes_copied, error_kind, error, error_context FROM run_folder WHERE run = ? ORDER BY "
      "position");
  query.bind({run.id.value});
  while (query.step()) {
    FolderTally& folder = run.ledger.folders.emplace_back();
    folder.source = FolderName::parse(query.text(0));
    folder.target = FolderName::parse(query.text(1));
    Tally& tally = folder.messages;
    std::uint64_t* const counts[] = {
        &tally.seen,     &tally.copied,   &tally.present,         &tally.filtered,
        &tally.rejected, &tally.accepted, &tally.vanished,        &tally.unknown,
        &tally.pending,  &tally.twins,    &folder.flags_updated,  &folder.flags_dropped,
        &folder.deleted, &folder.removed, &folder.left_at_source, &folder.bytes_copied};
    int column = 2;
    for (std::uint64_t* const into : counts) *into = count(query, column++);
    folder.error = read_error(query, column);
  }
}

std::vector<RunRecord> Store::runs(AccountId account, std::size_t limit) {
  std::vector<RunRecord> runs;
  {
    Query query = database_.query(
        "SELECT id, command, started_at, ended_at, outcome, milliseconds, error_kind, error,"
        " error_context FROM run WHERE account = ? ORDER BY id DESC LIMIT ?");
    query.bind({account.value, limit});
    while (query.step()) runs.push_back(read_run(query));
  }
  for (RunRecord& run : runs) read_ledger(run);
  return runs;
}

std::optional<RunRecord> Store::run(AccountId account, RunId id) {
  std::optional<RunRecord> run;
  {
    Query query = database_.query(
        "SELECT id, command, started_at, ended_at, outcome, milliseconds, error_kind, error,"
        " error_context FROM run WHERE account = ? AND id = ?");
    if (query.bind({account.value, id.value}).step()) run = read_run(query);
  }
  if (run) read_ledger(*run);
  return run;
}

std::vector<TrafficHour> Store::traffic(const std::string& login, Direction direction,
                                        std::int64_t from_hour) {
  Query query = database_.query(
      "SELECT hour, bytes FROM traffic WHERE login = ? AND direction = ? AND hour >= ?"
      " ORDER BY hour");
  query.bind({login, to_string(direction), from_hour});
  std::vector<TrafficHour> hours;
  while (query.step()) hours.push_back({query.integer(0), count(query, 1)});
  return hours;
}

void Store::add_traffic(const std::string& login, Direction direction, const TrafficHour& more) {
  constexpr std::int64_t kMonth = 31 * 24;
  database_
      .query(
          "INSERT INTO traffic (login, direction, hour, bytes) VALUES (?, ?, ?, ?)"
          " ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes")
      .bind({login, to_string(direction), more.hour, more.bytes})
      .run();
  database_.query("DELETE FROM traffic WHERE login = ? AND hour < ?")
      .bind({login, more.hour - kMonth})
      .run();
}

std::vector<RatePoint> Store::rates(AccountId account, RunId run, std::int64_t from,
                                    std::int64_t step_seconds) {
  Query query = database_.query(
      "SELECT (copied_at - ?3) / ?4 AS step, count(*), sum(size) FROM message"
      " WHERE folder IN (SELECT id FROM folder WHERE account = ?1) AND run = ?2 AND origin = 1"
      " AND state != 5 AND copied_at >= ?3 GROUP BY step ORDER BY step");
  query.bind({account.value, run.value, from, step_seconds});
  std::vector<RatePoint> points;
  while (query.step()) points.push_back({query.integer(0), count(query, 1), count(query, 2)});
  return points;
}

}  // namespace postferry::state
