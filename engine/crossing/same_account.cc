#include "engine/crossing/same_account.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/counted.h"
#include "engine/settle/body_digests.h"

namespace postferry {

namespace {

constexpr std::size_t kFolders = 12;
constexpr std::size_t kOfEachFolder = 8;
constexpr std::uint64_t kReadAtMost = 1 << 20;  // of a message's bytes

/// What the samples of one end came to.
struct Sample {
  std::size_t looked_at = 0, found = 0;
};

[[noreturn]] void refuse(const std::string& end, const FolderName& folder, const std::string& why) {
  throw Error(ErrorKind::usage, end + " is another account than the journal's: folder " +
                                    folder.to_string() + " " + why);
}

bool may_be(const std::optional<InternalDate>& known, const std::optional<InternalDate>& there) {
  return !known || !there || known->seconds == there->seconds;
}

class SourceCheck {
 public:
  SourceCheck(SourceSession& session, Journal& journal, std::string end)
      : session_(session), journal_(journal), end_(std::move(end)) {}

  Task<void> folder(const FolderRecord& record, Sample& sample) {
    const std::vector<MessageRow> rows = co_await journal_.newest_rows(record.id, kOfEachFolder);
    const FolderNumbers numbers = co_await session_.select(record.source);
    if (record.source_uid_validity && numbers.uid_validity != record.source_uid_validity)
      refuse(end_, record.source, "has another UIDVALIDITY");
    if (rows.empty()) co_return;
    const Catalogue catalogue = co_await session_.catalogue();
    std::vector<Catalogue::Entry> to_read;
    for (const MessageRow& row : rows) {
      ++sample.looked_at;
      const auto at = catalogue.find(row.key);
      if (!at) continue;  // people delete mail
      const Catalogue::Entry entry = catalogue[*at];
      // What was there before has a date of its own.
      const bool sent = row.origin == Origin::appended;
      if (row.listed_bytes.value_or(entry.size_bytes) != entry.size_bytes ||
          (sent && !may_be(row.date, entry.date)))
        refuse(end_, record.source, "holds another message as " + row.key.to_string());
      ++sample.found;
      if (row.sha256 && !row.repairs && row.size_bytes <= kReadAtMost) to_read.push_back(entry);
    }
    const auto digests = co_await source_digests(session_, std::move(to_read),
                                                 {.forgiving = false, .munged_header = false});
    for (const MessageRow& row : rows)
      if (const auto digest = digests.find(row.key);
          digest != digests.end() && digest->second != *row.sha256)
        refuse(end_, record.source, "holds another message as " + row.key.to_string());
  }

 private:
  SourceSession& session_;
  Journal& journal_;
  std::string end_;
};

class TargetCheck {
 public:
  TargetCheck(TargetSession& session, Journal& journal, std::string end)
      : session_(session), journal_(journal), end_(std::move(end)) {}

  Task<void> folder(const FolderRecord& record, Sample& sample) {
    std::vector<MessageRow> rows = co_await journal_.last_rows(record.target_folder, kOfEachFolder);
    const FolderNumbers numbers = co_await session_.select(record.target);
    if (record.target_uid_validity && numbers.uid_validity != record.target_uid_validity)
      refuse(end_, record.target, "has another UIDVALIDITY");
    std::erase_if(rows, [](const MessageRow& row) { return !row.target_uid; });
    if (rows.empty()) co_return;
    const Uid lowest = std::ranges::min(rows, {}, &MessageRow::target_uid).target_uid;
    const std::vector<TargetEntry> entries = co_await session_.look(lowest);
    std::vector<Uid> to_read;
    for (const MessageRow& row : rows) {
      ++sample.looked_at;
      const auto at = std::ranges::find(entries, row.target_uid, &TargetEntry::uid);
      if (at == entries.end()) continue;
      if (at->size_bytes != row.size_bytes && !may_be(row.date, at->date))
        refuse(end_, record.target, "holds another message as UID " + text_of(row.target_uid));
      ++sample.found;
      if (row.sha256 && row.size_bytes <= kReadAtMost) to_read.push_back(row.target_uid);
    }
    // What the server alters in every message cannot tell.
    const TargetTraits& traits = session_.traits();
    if (traits.munges_8bit || traits.adds_received || traits.rewrites_message_id) co_return;
    std::ranges::sort(to_read);
    to_read.erase(std::unique(to_read.begin(), to_read.end()), to_read.end());
    const auto digests = co_await target_digests(session_, std::move(to_read),
                                                 {.forgiving = false, .munged_header = false});
    const auto differs = [&](const MessageRow& row) {
      const auto digest = digests.find(row.target_uid);
      return digest != digests.end() && row.sha256 && digest->second != *row.sha256;
    };
    // Any of them may have been altered since; not most.
    const auto other = static_cast<std::size_t>(std::ranges::count_if(rows, differs));
    if (other * 2 > digests.size())
      refuse(end_, record.target, "holds other messages under the recorded UIDs");
    sample.found -= other;
  }

 private:
  static std::string text_of(Uid uid) { return std::to_string(uid.value); }

  TargetSession& session_;
  Journal& journal_;
  std::string end_;
};

/// Those that hold the most vouch best.
void largest_first(std::vector<FolderRecord>& folders) {
  std::ranges::stable_sort(folders, std::greater{}, &FolderRecord::completed_present);
}

template <class Session, class Check>
Task<std::size_t> look_at(Session& session, Check check, const std::string& end,
                          std::vector<FolderRecord> folders, FolderName FolderRecord::*name) {
  std::map<FolderName, bool> there;
  for (const FolderInfo& info : co_await session.list())
    if (info.selectable) there.emplace(info.name, true);
  Sample sample;
  std::size_t missing = 0, looked_at = 0;
  for (const FolderRecord& record : folders) {
    if (!there.contains(record.*name)) {
      ++missing;
      continue;
    }
    if (looked_at++ == kFolders) break;
    co_await check.folder(record, sample);
  }
  if (missing * 2 > folders.size())
    throw Error(ErrorKind::usage, end + " is another account than the journal's: it has not " +
                                      std::to_string(missing) + " of the " +
                                      std::to_string(folders.size()) + " recorded folders");
  if (sample.looked_at > 0 && sample.found == 0)
    throw Error(ErrorKind::usage, end + " is another account than the journal's: none of the " +
                                      counted(sample.looked_at, "message", "messages") +
                                      " looked for is there");
  co_return sample.found;
}

}  // namespace

Task<std::size_t> confirm_same_account(RenamedEnds ends, Journal& journal,
                                       AccountIdentity account) {
  const AccountId id =
      co_await journal.account(account.name, account.source_identity, account.target_identity);
  std::vector<FolderRecord> folders = co_await journal.folders(id);
  largest_first(folders);
  std::size_t found = 0;
  if (ends.source != nullptr) {
    const std::unique_ptr<SourceSession> session = co_await ends.source->connect();
    const std::string end = ends.source->describe();
    found += co_await look_at(*session, SourceCheck(*session, journal, end), end, folders,
                              &FolderRecord::source);
    co_await session->logout();
  }
  if (ends.target != nullptr) {
    const std::unique_ptr<TargetSession> session = co_await ends.target->connect();
    const std::string end = ends.target->describe();
    found += co_await look_at(*session, TargetCheck(*session, journal, end), end, folders,
                              &FolderRecord::target);
    co_await session->logout();
  }
  co_return found;
}

}  // namespace postferry
