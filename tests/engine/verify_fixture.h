// Two servers in memory, and the proof of what was carried between them.
#pragma once

#include "engine/proof/verify.h"
#include "tests/engine/crossing_fixture.h"

namespace postferry {

struct Proof : Pair {
  using Pair::Pair;
  VerifyReport verify(VerifyLevel level, bool with_journal = true) {
    const auto from = make_memory_source(source);
    const auto to = make_memory_target(target);
    const auto none = open_journal_in_memory();
    const VerifyReport report = block_on(
        executor, verify_account({*from, *to, with_journal ? *journal : *none, observer},
                                 {"ann", "source", "target"}, options, level, against, stop));
    CHECK(report.messages().balances());
    return report;
  }
  VerifyAgainst against = VerifyAgainst::source;
  MemoryFolder& there(const char* folder = "INBOX") { return target.folder(folder); }
  void carried(int count) {
    fill("INBOX", count);
    CHECK(run().outcome == Outcome::complete);
  }
};

/// The findings of a kind, as "key@uid id".
inline std::vector<std::string> found(const VerifyReport& report, FindingKind kind) {
  std::vector<std::string> out;
  for (const VerifiedFolder& folder : report.folders)
    for (const Finding& finding : folder.findings)
      if (finding.kind == kind)
        out.push_back((finding.key ? finding.key->to_string() : "-") + "@" +
                      std::to_string(finding.uid.value) + " " + finding.message_id);
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace postferry
