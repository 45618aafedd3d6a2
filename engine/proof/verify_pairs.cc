#include "engine/proof/verify_pairs.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "engine/async/task_group.h"
#include "engine/proof/verify_folder.h"
#include "engine/settle/body_digests.h"
#include "engine/settle/match.h"

namespace postferry {

namespace {

constexpr std::size_t kHeadersAtOnce = 500;
constexpr std::uint64_t kBytesAtOnce = 32u << 20;  // between two looks at the stop request
constexpr std::size_t kFindings = 10'000;          // listed of one folder and kind

std::string flags_text(const Flags& flags) { return flags.empty() ? "none" : flags.to_string(); }

class PairVerifier {
 public:
  explicit PairVerifier(VerifyPairsRequest request) : r_(std::move(request)) {}

  Task<void> check(std::vector<VerifyPair> pairs) {
    for (std::size_t at = 0; at < pairs.size();) {
      look_for_stop();
      std::uint64_t bytes = 0;
      std::size_t end = at;
      while (end < pairs.size() && end - at < kHeadersAtOnce && bytes < kBytesAtOnce)
        bytes += r_.entries[pairs[end++].target].size_bytes;
      co_await check_some(std::span(pairs).subspan(at, end - at));
      at = end;
    }
  }

 private:
  Task<void> check_some(std::span<VerifyPair> pairs) {
    std::map<std::size_t, std::string> headers_differ;  // by place in the span
    if (r_.level != VerifyLevel::count) headers_differ = co_await compare_headers(pairs);
    std::vector<const VerifyPair*> by_digest, by_both_ends;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const VerifyPair& pair = pairs[i];
      compare_flags_and_date(pair);
      if (const auto differs = headers_differ.find(i); differs != headers_differ.end()) {
        add(FindingKind::differ, pair, differs->second);
      } else if (repairs_of(pair) && r_.level != VerifyLevel::count &&
                 !r_.target.traits().regenerates) {
        (pair.row->sha256 && !source_changed(pair) ? by_digest : by_both_ends).push_back(&pair);
      } else if (!bytes_wanted(pair)) {
        compare_sizes(pair);
      } else {
        const bool sure = pair.row && pair.row->sha256 && !source_changed(pair);
        (sure ? by_digest : by_both_ends).push_back(&pair);
      }
    }
    co_await compare_digests(std::move(by_digest), by_both_ends);
    co_await compare_bytes(by_both_ends);
  }

  /// The source tells another size than when it was copied: the row does not speak for it.
  static bool source_changed(const VerifyPair& pair) {
    return pair.source && pair.row && pair.row->listed_bytes &&
           *pair.row->listed_bytes != pair.source->size_bytes;
  }

  std::uint64_t expected_size(const VerifyPair& pair) const {
    return pair.row ? pair.row->size_bytes : pair.source->size_bytes;
  }

  /// Servers err about sizes: from the second level on bytes decide where sizes do not agree.
  bool bytes_wanted(const VerifyPair& pair) const {
    if (r_.target.traits().regenerates) return false;
    if (r_.level == VerifyLevel::bytes) return true;
    return r_.level == VerifyLevel::header &&
           (source_changed(pair) || expected_size(pair) != r_.entries[pair.target].size_bytes);
  }

  void compare_sizes(const VerifyPair& pair) {
    const std::uint64_t before = expected_size(pair), now = r_.entries[pair.target].size_bytes;
    if (source_changed(pair)) {
      add(FindingKind::differ, pair,
          std::to_string(*pair.row->listed_bytes) +
              " bytes were at the source when it was copied, " +
              std::to_string(pair.source->size_bytes) + " are there now");
    } else if (before == now || r_.target.traits().regenerates) {
      match(pair);
    } else {
      add(FindingKind::differ, pair,
          std::to_string(before) + " bytes were copied, " + std::to_string(now) +
              " are there, as the servers tell it");
    }
  }

  void compare_flags_and_date(const VerifyPair& pair) {
    const TargetEntry& entry = r_.entries[pair.target];
    const bool has_flags = pair.source ? r_.has_flags : pair.row->key.is_uid();
    Flags flags = pair.source ? *pair.source->flags : pair.row->flags;
    if (is_doomed(pair)) flags.system |= Flags::deleted;  // which is told by itself
    if (has_flags && !(flags == entry.flags))
      add(FindingKind::flags, pair, flags_text(flags) + " -> " + flags_text(entry.flags));
    const auto& date = pair.source && pair.source->date ? pair.source->date
                       : pair.row                       ? pair.row->date
                                                        : std::nullopt;
    if (!same_instant(date, entry.date))
      add(FindingKind::date, pair,
          std::to_string(date->seconds) + " -> " + std::to_string(entry.date->seconds) +
              " seconds since 1970");
  }

  /// What differs, by place in the span. Both ends are asked at the same time.
  Task<std::map<std::size_t, std::string>> compare_headers(std::span<VerifyPair> pairs) {
    std::vector<MessageKey> keys;
    std::vector<Uid> uids;
    for (const VerifyPair& pair : pairs) {
      if (!pair.source) continue;
      keys.push_back(pair.source->key);
      uids.push_back(r_.entries[pair.target].uid);
    }
    std::map<std::size_t, std::string> out;
    if (keys.empty()) co_return out;
    std::ranges::sort(uids);
    uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
    std::map<MessageKey, HeaderFields> sources, targets;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(read_headers(*r_.source, std::move(keys), sources));
      group.spawn(read_headers(r_.target, std::move(uids), targets));
      co_await group.join();
    });
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const VerifyPair& pair = pairs[i];
      if (!pair.source || repairs_of(pair)) continue;  // a repair may reach into the header
      const auto source = sources.find(pair.source->key);
      const auto target = targets.find(MessageKey(r_.entries[pair.target].uid));
      if (source == sources.end()) continue;  // gone from the source meanwhile
      if (target == targets.end()) {
        out[i] = "its header cannot be read on the target";
        continue;
      }
      std::string different =
          header_difference(as_target_tells(source->second, r_.target.traits()),
                            as_target_tells(target->second, r_.target.traits()));
      if (!different.empty()) out[i] = std::move(different);
    }
    co_return out;
  }

  template <class Session, class Wanted>
  static Task<void> read_headers(Session& session, std::vector<Wanted> wanted,
                                 std::map<MessageKey, HeaderFields>& out) {
    for (HeaderEntry& header : co_await session.headers(std::move(wanted)))
      out[header.key] = std::move(header.fields);
  }

  std::string header_difference(const HeaderFields& source, const HeaderFields& target) const {
    using Field = std::optional<std::string> HeaderFields::*;
    static constexpr std::pair<Field, const char*> kFields[] = {
        {&HeaderFields::message_id, "Message-ID"},
        {&HeaderFields::date, "Date"},
        {&HeaderFields::from, "From"},
        {&HeaderFields::subject, "Subject"},
        {&HeaderFields::to, "To"},
        {&HeaderFields::received, "Received"}};
    std::string names;
    for (const auto& [field, name] : kFields) {
      if (field == &HeaderFields::received && r_.target.traits().adds_received) continue;
      const auto &a = source.*field, &b = target.*field;
      if (a.has_value() == b.has_value() && (!a || canonical_field(*a) == canonical_field(*b)))
        continue;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    return names.empty() ? names : "another header: " + names;
  }

  Comparison forgiving() const {
    return {.forgiving = true, .munged_header = r_.target.traits().munges_8bit};
  }

  /// The target's bytes against what the journal says was sent. What is not equal goes to
  /// `undecided`: both ends are compared, forgiving what this server does to every message.
  Task<void> compare_digests(std::vector<const VerifyPair*> pairs,
                             std::vector<const VerifyPair*>& undecided) {
    if (pairs.empty()) co_return;
    const auto digests = co_await target_digests(r_.target, uids_of(pairs),
                                                 {.forgiving = false, .munged_header = false});
    for (const VerifyPair* pair : pairs) {
      const auto digest = digests.find(r_.entries[pair->target].uid);
      if (digest == digests.end()) {
        add(FindingKind::differ, *pair, "its bytes cannot be read on the target");
      } else if (digest->second == *pair->row->sha256) {
        match(*pair);
      } else if (pair->source) {
        undecided.push_back(pair);
      } else {
        add(FindingKind::differ, *pair, "other bytes than were sent");
      }
    }
  }

  Task<void> compare_bytes(const std::vector<const VerifyPair*>& pairs) {
    std::vector<Catalogue::Entry> wanted;
    for (const VerifyPair* pair : pairs)
      if (pair->source) wanted.push_back(*pair->source);
    std::map<MessageKey, Sha256> sources;
    std::map<Uid, Sha256> targets;
    if (!wanted.empty())
      co_await with_group([&](TaskGroup& group) -> Task<void> {
        group.spawn([&]() -> Task<void> {
          sources = co_await source_digests(*r_.source, std::move(wanted), forgiving());
        });
        group.spawn([&]() -> Task<void> {
          targets = co_await target_digests(r_.target, uids_of(pairs), forgiving());
        });
        co_await group.join();
      });
    for (const VerifyPair* pair : pairs) {
      const auto source = pair->source ? sources.find(pair->source->key) : sources.end();
      const auto target = targets.find(r_.entries[pair->target].uid);
      if (source == sources.end()) {
        add(FindingKind::unproven, *pair,
            "was on the target before, and the source no longer gives it: nothing to compare with");
      } else if (target == targets.end()) {
        add(FindingKind::differ, *pair, "its bytes cannot be read on the target");
      } else if (source->second == target->second) {
        match(*pair);
        if (pair->row && pair->row->sha256) ++r_.folder.messages.munged;
      } else {
        add(FindingKind::differ, *pair, "other bytes than at the source");
      }
    }
  }

  std::vector<Uid> uids_of(const std::vector<const VerifyPair*>& pairs) const {
    std::vector<Uid> uids;
    for (const VerifyPair* pair : pairs) uids.push_back(r_.entries[pair->target].uid);
    std::ranges::sort(uids);
    uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
    return uids;
  }

  void add(FindingKind kind, const VerifyPair& pair, std::string text) {
    add_finding(r_.folder, kind, pair.source ? pair.source->key : pair.row->key,
                r_.entries[pair.target].uid, std::move(text));
  }

  static Repairs repairs_of(const VerifyPair& pair) {
    return pair.row ? pair.row->repairs : Repairs{};
  }

  /// Most clients show it no more, and the next EXPUNGE of any takes it away.
  bool is_doomed(const VerifyPair& pair) const {
    // What we have marked ourselves at the source is known by its row.
    const bool by_row = pair.row && (!pair.source || pair.row->state >= MessageState::leaving);
    const Flags& flags = by_row ? pair.row->flags : *pair.source->flags;
    return ((r_.entries[pair.target].flags.system & ~flags.system) & Flags::deleted) != 0;
  }

  void match(const VerifyPair& pair) {
    if (is_doomed(pair))
      return add(FindingKind::marked, pair, "is marked \\Deleted on the target alone");
    ++r_.folder.messages.match;
    r_.folder.messages.folded += pair.folded;
    if (const Repairs repairs = repairs_of(pair))
      add(FindingKind::repaired, pair, "it was sent repaired: " + in_words(repairs));
  }

  void look_for_stop() const {
    if (r_.stop()) throw StopVerify{};
  }

  VerifyPairsRequest r_;
};

}  // namespace

void add_finding(VerifiedFolder& folder, FindingKind kind, std::optional<MessageKey> key, Uid uid,
                 std::string text) {
  VerifyTally& tally = folder.messages;
  static constexpr std::uint64_t VerifyTally::*kCounts[] = {
      &VerifyTally::missing,      &VerifyTally::differ,      &VerifyTally::marked,
      &VerifyTally::doubled,      &VerifyTally::unproven,    &VerifyTally::refused,
      &VerifyTally::accepted,     &VerifyTally::extra,       &VerifyTally::repaired,
      &VerifyTally::flags_differ, &VerifyTally::dates_differ};
  if (++(tally.*kCounts[static_cast<int>(kind)]) > kFindings) {
    ++folder.findings_left_out;
    return;
  }
  folder.findings.push_back({kind, std::move(key), uid, {}, std::move(text)});
}

Task<void> verify_pairs(VerifyPairsRequest request, std::vector<VerifyPair> pairs) {
  PairVerifier verifier(std::move(request));
  co_await verifier.check(std::move(pairs));
}

}  // namespace postferry
