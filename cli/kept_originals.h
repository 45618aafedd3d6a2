// Originals of repaired messages, as .eml files beside the journal.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/report.h"
#include "engine/crossing/repairer.h"

namespace postferry::cli {

/// Where the originals of this pair, or of this account of a job, are kept: JOURNAL.originals, of a
/// job a directory an account below that.
std::string originals_of(const PairOptions& options);

class KeptOriginals final : public Originals {
 public:
  /// In originals_of(options), made when it is needed, for the owner alone.
  explicit KeptOriginals(const PairOptions& options);

  Task<void> keep(FolderName folder, MessageKey key, Body body) override;
  void crossed(const FolderName& folder, const MessageKey& key, Repairs repairs) override;

  /// What has crossed.
  const std::vector<RepairedMessage>& repaired() const { return repaired_; }

 private:
  std::string directory_;
  bool in_job_;
  std::map<std::pair<FolderName, MessageKey>, std::string> kept_;  // the file of each
  std::vector<RepairedMessage> repaired_;
};

}  // namespace postferry::cli
