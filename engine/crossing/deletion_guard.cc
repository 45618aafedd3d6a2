#include "engine/crossing/deletion_guard.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/counted.h"
#include "engine/settle/follow.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;

bool is_mass(std::uint64_t gone, std::uint64_t there_were) {
  constexpr std::uint64_t kShare = 10, kFloor = 20;
  return gone > kFloor && gone * kShare > there_were;
}

bool is_most(std::uint64_t gone, std::uint64_t there_were) {
  constexpr std::uint64_t kFloor = 3;
  return gone > kFloor && gone * 2 > there_were;
}

class Guard {
 public:
  Guard(Journal& journal, AccountId account, const std::map<FolderId, Missing>& missing,
        std::uint64_t listed)
      : journal_(journal), account_(account), missing_(missing) {
    for (const auto& [id, one] : missing_) gone_ += one.mirrored;
    there_were_ = listed + gone_;
  }

  Task<std::map<FolderId, Error>> run() {
    const bool several = missing_.size() > 1;
    if (several && is_mass(gone_, there_were_)) {
      refuse_all(gone_, "");
      co_return std::move(refusals_);
    }
    co_await look_for_the_lost(several && is_most(gone_, there_were_));
    std::uint64_t lost_of_all = 0;
    for (const auto& [id, one] : missing_) {
      const std::uint64_t were = one.listed + one.mirrored, lost = lost_in(id);
      lost_of_all += lost;
      if (is_mass(one.mirrored, were)) {
        refuse(one, counted(one.mirrored, were, ""));
      } else if (is_most(lost, were)) {
        refuse(one, counted(lost, were, kNowhere));
      }
    }
    if (several && is_most(lost_of_all, there_were_)) refuse_all(lost_of_all, kNowhere);
    co_return std::move(refusals_);
  }

 private:
  static constexpr const char* kNowhere = " and are in no other folder";

  struct Lost {
    FolderId folder;
    bool elsewhere = false;
  };

  /// Those whose copy is the last one on the target, for all that is known: who moves messages has
  /// them in another folder. Few are looked for: of many nobody asks whether they have moved.
  Task<void> look_for_the_lost(bool of_all) {
    for (const auto& [id, one] : missing_) {
      const std::uint64_t were = one.listed + one.mirrored;
      const bool asked = of_all || is_most(one.mirrored, were);
      if (!asked || one.emptied_often || is_mass(one.mirrored, were)) continue;
      for (const MessageRow& row : co_await journal_.rows_for(id, one.keys)) {
        if (!may_be_mirrored(row)) continue;
        if (row.sha256) by_bytes_.emplace(*row.sha256, lost_.size());
        if (row.header) by_header_.emplace(std::pair(*row.header, row.size_bytes), lost_.size());
        lost_.push_back({id});
      }
    }
    if (lost_.empty()) co_return;
    for (const FolderRecord& folder : co_await journal_.folders(account_))
      co_await look_into(folder.id);
  }

  Task<void> look_into(FolderId folder) {
    std::vector<MessageKey> gone;
    if (const auto at = missing_.find(folder); at != missing_.end()) gone = at->second.keys;
    std::ranges::sort(gone);
    MessageKey after;
    for (;;) {
      const std::vector<MessageRow> rows = co_await journal_.rows(folder, after, kRowsAtOnce);
      if (rows.empty()) co_return;
      after = rows.back().key;
      for (const MessageRow& row : rows)
        if (row.target_uid && !std::ranges::binary_search(gone, row.key)) found(row);
    }
  }

  void found(const MessageRow& row) {
    const auto mark = [this](const auto& range) {
      for (auto at = range.first; at != range.second; ++at) lost_[at->second].elsewhere = true;
    };
    if (row.sha256) mark(by_bytes_.equal_range(*row.sha256));
    if (row.header) mark(by_header_.equal_range(std::pair(*row.header, row.size_bytes)));
  }

  std::uint64_t lost_in(FolderId folder) const {
    return static_cast<std::uint64_t>(std::ranges::count_if(
        lost_, [folder](const Lost& one) { return one.folder == folder && !one.elsewhere; }));
  }

  static std::string counted(std::uint64_t gone, std::uint64_t were, const std::string& more) {
    return std::to_string(gone) + " of " + postferry::counted(were, "message", "messages") +
           (gone == 1 ? " is" : " are") + " gone from the source" + more;
  }

  void refuse(const Missing& one, const std::string& what) {
    refusals_.insert_or_assign(
        one.folder.id,
        Error(ErrorKind::rejected,
              what + "; nothing was deleted on the target. If that is right, run again with "
                     "--force-deletions",
              "folder " + one.folder.source.to_string()));
  }

  void refuse_all(std::uint64_t gone, const std::string& more) {
    for (const auto& [id, one] : missing_)
      refuse(one, std::to_string(gone) + " of the account's " + std::to_string(there_were_) +
                      " messages are gone from the source, in " +
                      postferry::counted(missing_.size(), "folder", "folders") +
                      (more.empty() ? "" : "," + more));
  }

  Journal& journal_;
  const AccountId account_;
  const std::map<FolderId, Missing>& missing_;
  std::uint64_t gone_ = 0, there_were_ = 0;
  std::vector<Lost> lost_;
  std::multimap<Sha256, std::size_t> by_bytes_;  // indices of lost_
  std::multimap<std::pair<std::uint64_t, std::uint64_t>, std::size_t> by_header_;
  std::map<FolderId, Error> refusals_;
};

}  // namespace

Task<std::map<FolderId, Error>> refusals_of_many(Journal& journal, AccountId account,
                                                 const std::map<FolderId, Missing>& missing,
                                                 std::uint64_t listed) {
  Guard guard(journal, account, missing, listed);
  co_return co_await guard.run();
}

}  // namespace postferry
