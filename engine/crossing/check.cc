#include "engine/crossing/check.h"

#include <algorithm>
#include <map>

#include "engine/async/scope.h"
#include "engine/async/task_group.h"
#include "engine/counted.h"
#include "engine/crossing/lane.h"
#include "engine/mapping.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;
constexpr std::size_t kSampleMessages = 40;
constexpr std::uint64_t kSampleBytes = 2 << 20;

/// Takes messages and keeps none.
class Discard final : public MessageSink {
 public:
  Task<void> message(Message message) override {
    if (message.body.streamed()) message.body.pipe().close();
    ++messages;
    if (message.body.held()) bytes += message.body.size_bytes();
    co_return;
  }
  Task<void> missing(MessageKey, bool, std::string) override { co_return; }
  std::uint64_t messages = 0, bytes = 0;
};

class Checker {
 public:
  explicit Checker(CheckRequest request) : r_(std::move(request)) {}

  Task<CheckReport> run() {
    co_await connect(lane_, r_.source, r_.target);
    co_await plan();
    report_.traits = lane_.target->traits();
    report_.source_sessions = r_.source.max_sessions();
    report_.target_sessions = r_.target.max_sessions();
    report_.source_offers = lane_.source->offers();
    report_.target_offers = lane_.target->offers();
    report_.source_software = lane_.source->software();
    report_.target_software = lane_.target->software();
    for (const MappedFolder& folder : mapping_.folders) co_await look_into(folder);
    report_.quotas = co_await lane_.target->quotas(FolderName({"INBOX"}));
    compare_with_room();
    co_await time_a_sample();
    co_await say_goodbye(lane_, r_.observer);
    co_return std::move(report_);
  }

 private:
  Task<void> plan() {
    std::vector<FolderInfo> source, target;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn([&]() -> Task<void> { source = co_await lane_.source->list(); });
      group.spawn([&]() -> Task<void> { target = co_await lane_.target->list(); });
      co_await group.join();
    });
    MappingRequest request{{}, std::move(target), lane_.target->traits(), r_.options.map, {}};
    if (r_.journal) {
      const AccountId account = co_await r_.journal->account(
          r_.account.name, r_.account.source_identity, r_.account.target_identity);
      for (FolderRecord& record : co_await r_.journal->folders(account)) {
        request.decided.emplace(record.source, record.target);
        records_.emplace(record.source, std::move(record));
      }
    }
    leave_out_what_is_gone(request.decided, source);
    std::erase_if(source,
                  [this](const FolderInfo& folder) { return !r_.options.wants(folder.name); });
    request.source = std::move(source);
    mapping_ = map_folders(request);
    r_.source.carried(sources_of(mapping_.folders));
    for (const FolderInfo& folder : mapping_.left_out) report_.left_out.push_back(folder.name);
    report_.notes = std::move(mapping_.notes);
  }

  Task<void> look_into(const MappedFolder& mapped) {
    CheckedFolder folder;
    folder.source = mapped.source.name;
    folder.target = mapped.target;
    folder.exists = mapped.exists;
    if (mapped.source.numbers.messages != 0u) {
      try {
        co_await count(mapped, folder);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::rejected) throw;
        folder.messages = folder.due = mapped.source.numbers.messages.value_or(0);
        report_.problems.push_back("folder " + folder.source.to_string() +
                                   " cannot be read: " + error.what());
      }
    }
    if (folder.too_big > 0)
      report_.problems.push_back("folder " + folder.source.to_string() + ": " +
                                 counted(folder.too_big, "message is", "messages are") +
                                 " above the target's limit for one message");
    const bool first = folder.present == 0;
    const bool filled = mapped.target_numbers.messages.value_or(0) > 0;
    target_holds_mail_ = target_holds_mail_ || (first && filled && folder.due > 0);
    report_.folders.push_back(std::move(folder));
  }

  Task<void> count(const MappedFolder& mapped, CheckedFolder& folder) {
    const Opened opened = co_await lane_.source->open_with_catalogue(mapped.source.name);
    const Catalogue& catalogue = opened.catalogue;
    if (!catalogue.remark.empty()) report_.notes.push_back(catalogue.remark);
    const std::vector<bool> known = co_await known_in(mapped, opened);
    const auto limit = lane_.target->traits().append_limit_bytes;
    std::vector<Catalogue::Entry> due;
    for (std::size_t i = 0; i < catalogue.size(); ++i) {
      const Catalogue::Entry entry = catalogue[i];
      ++folder.messages;
      folder.size_bytes += entry.size_bytes;
      if (known[i]) {
        ++folder.present;
      } else if (!r_.options.wants(entry.size_bytes, entry.date)) {
        ++folder.filtered;
      } else {
        ++folder.due;
        folder.due_bytes += entry.size_bytes;
        if (limit && entry.size_bytes > *limit) ++folder.too_big;
        due.push_back(entry);
      }
    }
    // To read a POP3 message may mark it, and some servers show it to no other session then.
    if (catalogue.by_uid() && due.size() > sample_of_) keep_sample(mapped.source.name, due);
  }

  /// Which messages an earlier run has copied.
  Task<std::vector<bool>> known_in(const MappedFolder& mapped, const Opened& opened) {
    std::vector<bool> known(opened.catalogue.size(), false);
    const auto record = records_.find(mapped.source.name);
    if (record == records_.end()) co_return known;
    const auto& validity = record->second.source_uid_validity;
    if (validity && opened.numbers.uid_validity && validity != opened.numbers.uid_validity) {
      report_.notes.push_back("folder " + mapped.source.name.to_string() +
                              " has another UIDVALIDITY than before: its messages will be matched "
                              "anew with those on the target");
      co_return known;
    }
    MessageKey after;
    while (true) {
      const std::vector<MessageRow> rows =
          co_await r_.journal->rows(record->second.id, after, kRowsAtOnce);
      if (rows.empty()) break;
      after = rows.back().key;
      for (const MessageRow& row : rows)
        if (const auto at = opened.catalogue.find(row.key)) known[*at] = true;
    }
    co_return known;
  }

  /// Messages from all over the folder, each one small enough to be held.
  void keep_sample(const FolderName& folder, const std::vector<Catalogue::Entry>& due) {
    sample_.clear();
    sample_folder_ = folder;
    sample_of_ = due.size();
    const std::size_t step = std::max<std::size_t>(1, due.size() / kSampleMessages);
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < due.size() && sample_.size() < kSampleMessages; i += step) {
      if (bytes + due[i].size_bytes > kSampleBytes) continue;
      bytes += due[i].size_bytes;
      sample_.push_back({due[i].key, due[i].size_bytes, due[i].date, &no_flags_});
    }
  }

  void compare_with_room() {
    std::uint64_t messages = 0, bytes = 0;
    for (const CheckedFolder& folder : report_.folders) {
      messages += folder.due;
      bytes += folder.due_bytes;
    }
    for (const Quota& quota : report_.quotas) {
      const bool of_bytes = quota.of == Quota::Of::bytes;
      const std::uint64_t wanted = of_bytes ? bytes : messages;
      const std::uint64_t room = quota.limit - std::min(quota.limit, quota.used);
      if (wanted <= room) continue;
      const std::string words =
          "the target has room for " +
          (of_bytes ? std::to_string(room) + " bytes" : counted(room, "message", "messages")) +
          " more (quota " + quota.root + "), and " + std::to_string(wanted) + " are to come";
      if (target_holds_mail_) {
        report_.notes.push_back(
            words + "; what its folders already hold of them is recognised and not sent again");
      } else {
        report_.problems.push_back(words);
      }
    }
  }

  Task<void> time_a_sample() {
    if (sample_.empty()) co_return;
    std::uint64_t messages = 0, bytes = 0;
    for (const CheckedFolder& folder : report_.folders) {
      messages += folder.due;
      bytes += folder.due_bytes;
    }
    Executor& executor = (co_await current_scope()).executor();
    Discard sink;
    try {
      co_await lane_.source->select(sample_folder_);
      const TimePoint begun = executor.now();
      co_await lane_.source->fetch(sample_, sink);
      const double seconds = std::chrono::duration<double>(executor.now() - begun).count();
      if (sink.messages == 0) co_return;
      const double by_count = static_cast<double>(messages) / static_cast<double>(sink.messages);
      const double by_size =
          sink.bytes == 0 ? 0.0 : static_cast<double>(bytes) / static_cast<double>(sink.bytes);
      report_.seconds_to_read = seconds * std::max(by_count, by_size);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::rejected) throw;
    }
  }

  CheckRequest r_;
  Lane lane_;
  Mapping mapping_;
  std::map<FolderName, FolderRecord> records_;
  CheckReport report_;
  bool target_holds_mail_ = false;  // that may be what is due
  FolderName sample_folder_;
  std::size_t sample_of_ = 0;  // how many messages it was taken from
  std::vector<Catalogue::Entry> sample_;
  const Flags no_flags_;  // of those in the sample
};

}  // namespace

Task<CheckReport> check_account(CheckRequest request) {
  Checker checker(std::move(request));
  co_return co_await checker.run();
}

}  // namespace postferry
