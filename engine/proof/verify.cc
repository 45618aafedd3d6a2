#include "engine/proof/verify.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "engine/crossing/lane.h"
#include "engine/crossing/retry.h"
#include "engine/mapping.h"
#include "engine/proof/undo.h"
#include "engine/proof/verify_folder.h"

namespace postferry {

namespace {

/// One target folder with everything that goes there.
struct Group {
  bool exists = false;
  std::vector<VerifyPart> parts;
};

class Verification {
 public:
  Verification(Ends ends, AccountIdentity identity, CrossingOptions options, VerifyLevel level,
               VerifyAgainst against, const StopRequest& stop)
      : ends_(ends), identity_(std::move(identity)), options_(std::move(options)), stop_(stop) {
    report_.level = level;
    report_.against_journal = against == VerifyAgainst::journal;
  }

  Task<VerifyReport> run() {
    Executor& executor = (co_await current_scope()).executor();
    const TimePoint begun = executor.now();
    const AccountId account = co_await ends_.journal.account(
        identity_.name, identity_.source_identity, identity_.target_identity);
    for (FolderRecord& record : co_await ends_.journal.folders(account))
      records_.emplace(record.source, std::move(record));
    const bool is_new = co_await ends_.journal.is_new(account);
    report_.journal_known = !is_new;
    account_ = account;
    try {
      if (report_.against_journal) co_await look_at_last_runs();
      co_await begin();
      for (auto& [folder, group] : groups_) {
        if (stop_.requested()) throw StopVerify{};
        co_await verify_group(folder, group);
      }
      co_await say_goodbye(lane_, ends_.observer);
    } catch (const Error& error) {
      report_.error = error;
    } catch (const StopVerify&) {
      report_.stopped = true;
    }
    report_.seconds = std::chrono::duration<double>(executor.now() - begun).count();
    co_return std::move(report_);
  }

 private:
  Task<void> begin() {
    for (int attempt = 1;; ++attempt) {
      std::optional<Error> failure;
      try {
        co_await connect();
        co_await plan();
        co_return;
      } catch (const Error& error) {
        if (remedy_for(error) != Remedy::again || attempt > options_.retries ||
            error.kind() == ErrorKind::unreachable)
          throw;
        failure = error;
      }
      co_await wait_to_retry(*failure, attempt);
    }
  }

  Task<void> connect() {
    if (!lane_.target) lane_.target = co_await ends_.target.connect();
    if (lane_.source || report_.against_journal) co_return;
    try {
      lane_.source = co_await ends_.source.connect();
    } catch (const Error& error) {
      const bool away = error.kind() == ErrorKind::unreachable || error.kind() == ErrorKind::auth;
      if (away && report_.journal_known && groups_.empty())
        ends_.observer.note(Level::info,
                            "where the source is gone for good, --against journal compares the "
                            "target with what is known to have been copied");
      throw;
    }
  }

  /// Whether the last run that copied reached every message, and the last that copied a folder all
  /// of that, with nothing taken back since.
  Task<void> look_at_last_runs() {
    if (!report_.journal_known)
      throw Error(ErrorKind::usage, "the journal knows nothing to compare the target with");
    constexpr std::size_t kLookedAt = 100;
    std::set<FolderName> told;  // folders that a later run copied
    bool last = true, taken_back = false;
    for (const RunRecord& run : co_await ends_.journal.runs(account_, kLookedAt)) {
      taken_back = taken_back || is_undo(run);
      if (run.command != "copy") continue;  // a retry reaches only what failed
      bool whole = true;
      if (std::exchange(last, false))
        whole = run.ended_at && !run.ledger.error && run.ledger.outcome != Outcome::interrupted;
      for (const FolderTally& folder : run.ledger.folders) {
        if (!options_.wants(folder.source) || !told.insert(folder.source).second) continue;
        whole = whole && !taken_back && !folder.error && folder.messages.pending == 0;
      }
      // What died has no ledger: what it began has a record.
      if (!run.ended_at)
        whole = whole && std::ranges::none_of(records_, [&](const auto& one) {
                  const auto& [name, record] = one;
                  return options_.wants(name) && !told.contains(name) && !record.completed;
                });
      report_.journal_incomplete = report_.journal_incomplete || !whole;
    }
  }

  Task<void> plan() {
    groups_.clear();
    std::vector<FolderInfo> target = co_await lane_.target->list();
    if (lane_.target->traits().regenerates && !std::exchange(told_regenerates_, true))
      ends_.observer.note(Level::warning,
                          "this target tells sizes of its own, and gives messages in other bytes "
                          "than it took: their headers alone can be compared");
    if (report_.against_journal) {
      plan_by_journal(target);
    } else {
      std::vector<FolderInfo> source = co_await lane_.source->list();
      plan_by_listing(std::move(source), target);
    }
    if (groups_.empty() && !options_.folders.empty())
      throw Error(ErrorKind::usage, "no folder matches --folder, so nothing was looked at");
    find_extra_folders(target);
    std::uint64_t folders = 0;
    for (const auto& [name, group] : groups_) folders += group.parts.size();
    ends_.observer.planned(folders, 0);
  }

  void plan_by_journal(const std::vector<FolderInfo>& target) {
    for (const auto& [name, record] : records_)
      if (options_.wants(name)) add_by_record(record, target, true);
  }

  void add_by_record(const FolderRecord& record, const std::vector<FolderInfo>& target,
                     bool listed) {
    Group& group = groups_[record.target];
    group.exists = std::ranges::any_of(target, [&](const FolderInfo& folder) {
      return folder.selectable && folder.name == record.target;
    });
    group.parts.push_back({record.source, record, listed});
  }

  void plan_by_listing(std::vector<FolderInfo> source, const std::vector<FolderInfo>& target) {
    MappingRequest request{{}, target, lane_.target->traits(), options_.map, {}};
    for (const auto& [name, record] : records_) request.decided.emplace(name, record.target);
    leave_out_what_is_gone(request.decided, source);
    std::erase_if(source,
                  [this](const FolderInfo& folder) { return !options_.wants(folder.name); });
    request.source = std::move(source);
    std::set<FolderName> listed;
    for (const FolderInfo& folder : request.source) listed.insert(folder.name);
    const Mapping mapping = map_folders(request);
    ends_.source.carried(sources_of(mapping.folders));
    for (const FolderInfo& folder : mapping.left_out)
      ends_.observer.note(Level::info, "folder " + folder.name.to_string() +
                                           " is left out: it shows mail of other folders");
    for (const MappedFolder& folder : mapping.folders) {
      Group& group = groups_[folder.target];
      group.exists = folder.exists;
      VerifyPart part{folder.source.name, std::nullopt};
      if (const auto at = records_.find(part.source); at != records_.end())
        part.record = at->second;
      group.parts.push_back(std::move(part));
    }
    // What we removed from a folder that is gone from the source must be on the target.
    for (const auto& [name, record] : records_)
      if (options_.wants(name) && !listed.contains(name)) add_by_record(record, target, false);
  }

  void find_extra_folders(const std::vector<FolderInfo>& target) {
    report_.extra_folders.clear();
    if (!options_.folders.empty() || !options_.excludes.empty()) return;
    for (const FolderInfo& folder : target)
      if (folder.selectable && !groups_.contains(folder.name) &&
          folder.numbers.messages.value_or(1) > 0)
        report_.extra_folders.push_back(folder.name);
  }

  /// Looks at one target folder, again after a lost line.
  Task<void> verify_group(const FolderName& folder, const Group& group) {
    for (const VerifyPart& part : group.parts) ends_.observer.folder_begun(part.source, folder);
    for (int attempt = 1;; ++attempt) {
      std::optional<Error> failure;
      try {
        if (!lane_.target || (!lane_.source && !report_.against_journal)) co_await connect();
        VerifyFolderRequest request{
            lane_.source.get(), *lane_.target, ends_.journal,
            options_,           report_.level, folder,
            group.exists,       group.parts,   [this] { return stop_.requested(); }};
        std::vector<VerifiedFolder> verified = co_await verify_folder(std::move(request));
        std::ranges::move(verified, std::back_inserter(report_.folders));
        co_return;
      } catch (const Error& error) {
        failure = error.in("folder " + folder.to_string());
      }
      lane_ = {};
      const Remedy remedy = remedy_for(*failure);
      if (remedy == Remedy::stop || (remedy == Remedy::again && attempt > options_.retries))
        throw Error(*failure);
      if (remedy == Remedy::next_folder) {
        for (const VerifyPart& part : group.parts) {
          VerifiedFolder failed;
          failed.source = part.source;
          failed.target = folder;
          failed.error = failure;
          report_.folders.push_back(std::move(failed));
        }
        co_return;
      }
      co_await wait_to_retry(*failure, attempt);
    }
  }

  Task<void> wait_to_retry(const Error& failure, int attempt) {
    lane_ = {};
    co_await wait_to_try_again(failure, attempt, ends_.observer, stop_);
    if (stop_.requested()) throw StopVerify{};
  }

  Ends ends_;
  AccountIdentity identity_;
  CrossingOptions options_;
  const StopRequest& stop_;
  VerifyReport report_;
  bool told_regenerates_ = false;
  std::map<FolderName, FolderRecord> records_;
  std::map<FolderName, Group> groups_;  // by target folder
  AccountId account_;
  Lane lane_;
};

}  // namespace

const char* to_string(VerifyLevel level) {
  static constexpr const char* kNames[] = {"count", "header", "bytes"};
  return kNames[static_cast<int>(level)];
}

const char* to_string(VerifyAgainst against) {
  return against == VerifyAgainst::source ? "source" : "journal";
}

const char* to_string(FindingKind kind) {
  static constexpr const char* kNames[] = {"missing",  "differ",  "marked",   "doubled",
                                           "unproven", "refused", "accepted", "extra",
                                           "repaired", "flags",   "date"};
  return kNames[static_cast<int>(kind)];
}

bool is_difference(FindingKind kind) { return kind <= FindingKind::refused; }

VerifyTally& VerifyTally::operator+=(const VerifyTally& other) {
  for (const auto member :
       {&VerifyTally::seen, &VerifyTally::match, &VerifyTally::differ, &VerifyTally::missing,
        &VerifyTally::refused, &VerifyTally::accepted, &VerifyTally::filtered,
        &VerifyTally::unproven, &VerifyTally::folded, &VerifyTally::munged, &VerifyTally::kept,
        &VerifyTally::flags_differ, &VerifyTally::dates_differ, &VerifyTally::extra,
        &VerifyTally::doubled, &VerifyTally::marked, &VerifyTally::gone, &VerifyTally::repaired})
    this->*member += other.*member;
  return *this;
}

VerifyTally VerifyReport::messages() const {
  VerifyTally sum;
  for (const VerifiedFolder& folder : folders) sum += folder.messages;
  return sum;
}

bool VerifyReport::accounted_for() const {
  const bool folders_whole = std::ranges::none_of(
      folders, [](const VerifiedFolder& folder) { return folder.folder_missing || folder.error; });
  return !error && !stopped && !journal_incomplete && folders_whole && messages().accounted_for();
}

Task<VerifyReport> verify_account(Ends ends, AccountIdentity account, CrossingOptions options,
                                  VerifyLevel level, VerifyAgainst against,
                                  const StopRequest& stop) {
  Verification verification(ends, std::move(account), std::move(options), level, against, stop);
  co_return co_await verification.run();
}

}  // namespace postferry
