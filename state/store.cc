// Accounts, folders and target folders in SQL.

#include "state/store.h"

#include <fmt/format.h>

#include <utility>

#include "engine/error.h"

namespace postferry::state {

namespace {

/// A row of the view `folders`.
FolderRecord read_folder(const Query& query) {
  FolderRecord record;
  record.id = FolderId{query.integer(0)};
  record.source = FolderName::parse(query.text(2));
  record.target = FolderName::parse(query.text(3));
  record.target_folder = TargetFolderId{query.integer(4)};
  record.source_uid_validity = query.optional<std::uint32_t>(5);
  record.options_hash = query.text(6);
  record.matched = query.integer(14) != 0;
  record.target_uid_validity = query.optional<std::uint32_t>(15);
  record.target_uid_next_seen = Uid{static_cast<std::uint32_t>(query.integer(16))};
  record.batches_open = query.integer(17) != 0;
  if (query.integer(7) != 0) {
    FolderNumbers numbers;
    numbers.uid_validity = query.optional<std::uint32_t>(8);
    numbers.uid_next = query.optional<std::uint32_t>(9);
    numbers.messages = query.optional<std::uint64_t>(10);
    numbers.highest_modseq = query.optional<std::uint64_t>(11);
    numbers.size_bytes = query.optional<std::uint64_t>(12);
    record.completed = numbers;
    record.completed_present = static_cast<std::uint64_t>(query.integer(13));
  }
  return record;
}

}  // namespace

void Store::fail(const std::string& words) const {
  throw Error(ErrorKind::journal, words, "journal " + database_.path());
}

AccountId Store::account(const std::string& name, const std::string& source,
                         const std::string& target) {
  {
    Query query = database_.query("SELECT id, source, target FROM account WHERE name = ?");
    if (query.bind({name}).step()) {
      if (query.text(1) != source || query.text(2) != target) {
        throw Error(
            ErrorKind::usage,
            fmt::format("account {} was carried from {} to {}, now it is to go from {} to {}; use "
                        "another journal, or --same-account where only the names are others",
                        name, query.text(1), query.text(2), source, target),
            "journal " + database_.path());
      }
      return AccountId{query.integer(0)};
    }
  }
  database_.query("INSERT INTO account (name, source, target) VALUES (?, ?, ?)")
      .bind({name, source, target})
      .run();
  return AccountId{database_.last_insert_id()};
}

bool Store::knows(const std::string& name) {
  Query query = database_.query("SELECT 1 FROM account WHERE name = ?");
  return query.bind({name}).step();
}

std::optional<EndNames> Store::ends_of(const std::string& name) {
  Query query = database_.query("SELECT source, target FROM account WHERE name = ?");
  if (!query.bind({name}).step()) return std::nullopt;
  return EndNames{std::string(query.text(0)), std::string(query.text(1))};
}

void Store::rename_ends(const EndNames& from, const EndNames& to) {
  if (from.source != to.source) {
    database_.query("UPDATE account SET source = ?2 WHERE source = ?1")
        .bind({from.source, to.source})
        .run();
    rename_login(from.source, to.source, Direction::down);
  }
  if (from.target == to.target) return;
  {
    Query taken = database_.query("SELECT 1 FROM target_folder WHERE target = ?");
    if (taken.bind({to.target}).step())
      throw Error(ErrorKind::usage, fmt::format("another account goes to {} already", to.target),
                  "journal " + database_.path());
  }
  database_.query("UPDATE account SET target = ?2 WHERE target = ?1")
      .bind({from.target, to.target})
      .run();
  database_.query("UPDATE target_folder SET target = ?2 WHERE target = ?1")
      .bind({from.target, to.target})
      .run();
  rename_login(from.target, to.target, Direction::up);
}

/// The provider still counts what the day has carried.
void Store::rename_login(const std::string& from, const std::string& to, Direction direction) {
  for (const TrafficHour& hour : traffic(from, direction, 0)) add_traffic(to, direction, hour);
  database_.query("DELETE FROM traffic WHERE login = ? AND direction = ?")
      .bind({from, to_string(direction)})
      .run();
}

bool Store::is_new(AccountId account) {
  Query query = database_.query(
      "SELECT 1 FROM folder WHERE account = ?1 AND ("
      "  EXISTS (SELECT 1 FROM message WHERE message.folder = folder.id)"
      "  OR EXISTS (SELECT 1 FROM failure WHERE failure.folder = folder.id)"
      "  OR EXISTS (SELECT 1 FROM batch WHERE batch.folder = folder.id)) LIMIT 1");
  return !query.bind({account.value}).step();
}

std::vector<FolderRecord> Store::folders(AccountId account) {
  Query query = database_.query("SELECT * FROM folders WHERE account = ? ORDER BY id");
  query.bind({account.value});
  std::vector<FolderRecord> folders;
  while (query.step()) folders.push_back(read_folder(query));
  return folders;
}

FolderRecord Store::folder(AccountId account, const FolderName& source, const FolderName& target) {
  if (!find_folder(account, source)) {
    const TargetFolderId target_folder = target_folder_of(account, target);
    database_.query("INSERT INTO folder (account, source, target_folder) VALUES (?, ?, ?)")
        .bind({account.value, source.to_string(), target_folder.value})
        .run();
  }
  FolderRecord record = known_folder(account, source);
  if (record.target == target || record.target_uid_validity) return record;
  database_.query("UPDATE folder SET target_folder = ? WHERE id = ?")
      .bind({target_folder_of(account, target).value, record.id.value})
      .run();
  return known_folder(account, source);
}

FolderRecord Store::known_folder(AccountId account, const FolderName& source) {
  const std::optional<FolderId> id = find_folder(account, source);
  Query query = database_.query("SELECT * FROM folders WHERE id = ?");
  if (!id || !query.bind({id->value}).step()) fail("a folder's row is gone");
  return read_folder(query);
}

std::optional<FolderId> Store::find_folder(AccountId account, const FolderName& source) {
  Query query = database_.query("SELECT id FROM folder WHERE account = ? AND source = ?");
  if (!query.bind({account.value, source.to_string()}).step()) return std::nullopt;
  return FolderId{query.integer(0)};
}

TargetFolderId Store::target_folder_of(AccountId account, const FolderName& name) {
  database_
      .query(
          "INSERT INTO target_folder (target, name) SELECT target, ?2 FROM account"
          " WHERE id = ?1 ON CONFLICT DO NOTHING")
      .bind({account.value, name.to_string()})
      .run();
  Query query = database_.query(
      "SELECT target_folder.id FROM target_folder JOIN account USING (target)"
      " WHERE account.id = ? AND target_folder.name = ?");
  if (!query.bind({account.value, name.to_string()}).step()) fail("no such account");
  return TargetFolderId{query.integer(0)};
}

TargetFolderRecord Store::target_folder(TargetFolderId id) {
  Query query = database_.query(
      "SELECT uid_validity, watermark, uid_next_seen FROM target_folder WHERE id = ?");
  if (!query.bind({id.value}).step()) fail("no such target folder");
  TargetFolderRecord record;
  record.id = id;
  record.uid_validity = query.optional<std::uint32_t>(0);
  record.watermark = Uid{static_cast<std::uint32_t>(query.integer(1))};
  record.uid_next_seen = Uid{static_cast<std::uint32_t>(query.integer(2))};
  return record;
}

void Store::rename_folder(FolderId folder, const FolderName& source) {
  database_.query("UPDATE folder SET source = ?2, completed = 0 WHERE id = ?1")
      .bind({folder.value, source.to_string()})
      .run();
}

void Store::complete(FolderId folder, const std::optional<FolderNumbers>& numbers,
                     const std::string& options_hash, std::uint64_t present) {
  const FolderNumbers of = numbers.value_or(FolderNumbers{});
  database_
      .query(
          "UPDATE folder SET completed = ?2, completed_uid_validity = ?3,"
          " completed_uid_next = ?4, completed_messages = ?5, completed_modseq = ?6,"
          " completed_size = ?7, completed_present = ?8, options_hash = ?9 WHERE id = ?1")
      .bind({folder.value, numbers.has_value(), of.uid_validity, of.uid_next, of.messages,
             of.highest_modseq, of.size_bytes, present, options_hash})
      .run();
}

void Store::doubt_target(AccountId account) {
  database_
      .query(
          "UPDATE folder SET completed = 0, completed_uid_validity = NULL,"
          " completed_uid_next = NULL, completed_messages = NULL, completed_modseq = NULL,"
          " completed_size = NULL, completed_present = 0, options_hash = ''"
          " WHERE completed AND account IN (SELECT id FROM account"
          " WHERE target = (SELECT target FROM account WHERE id = ?))")
      .bind({account.value})
      .run();
}

void Store::void_keys(FolderId folder) {
  database_.query("UPDATE folder SET completed = 0, matched = 0 WHERE id = ?")
      .bind({folder.value})
      .run();
  database_.query("DELETE FROM message WHERE folder = ?").bind({folder.value}).run();
  database_.query("DELETE FROM failure WHERE folder = ?").bind({folder.value}).run();
  // What a server may still be storing is waited for, though nothing says any more what it is.
  database_
      .query(
          "UPDATE batch SET keys = '[]', flags = '[]',"
          " uid_next = CASE WHEN settled THEN uid_next ELSE 1 END WHERE folder = ?")
      .bind({folder.value})
      .run();
}

void Store::reset_target_folder(TargetFolderId folder, std::uint32_t uid_validity) {
  database_
      .query(
          "UPDATE target_folder SET uid_validity = ?2, watermark = 1, uid_next_seen = 0"
          " WHERE id = ?1")
      .bind({folder.value, uid_validity})
      .run();
  database_
      .query(
          "UPDATE message SET target_uid = NULL WHERE target_uid IS NOT NULL"
          " AND folder IN (SELECT id FROM folder WHERE target_folder = ?)")
      .bind({folder.value})
      .run();
  database_.query("UPDATE batch SET uid_validity = 0, uid_next = 1 WHERE target_folder = ?")
      .bind({folder.value})
      .run();
  database_.query("UPDATE folder SET completed = 0, matched = 0 WHERE target_folder = ?")
      .bind({folder.value})
      .run();
}

}  // namespace postferry::state
