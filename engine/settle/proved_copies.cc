#include "engine/settle/proved_copies.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/fingerprint.h"
#include "engine/settle/body_digests.h"

namespace postferry {

namespace {

constexpr std::size_t kHeadersAtOnce = 500;
constexpr std::size_t kBodiesAtOnce = 200;

/// In parts.
Task<std::map<Uid, std::uint64_t>> headers_of(TargetSession& target, std::vector<Uid> uids) {
  std::map<Uid, std::uint64_t> hashes;
  for (std::size_t at = 0; at < uids.size(); at += kHeadersAtOnce) {
    const auto begin = uids.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min(kHeadersAtOnce, uids.size() - at));
    for (const HeaderEntry& entry : co_await target.headers({begin, begin + count}))
      hashes[entry.key.uid()] = header_hash(entry.fields);
  }
  co_return hashes;
}

/// The same of whole messages.
Task<std::map<Uid, Sha256>> digests_of(TargetSession& target, std::vector<Uid> uids) {
  std::map<Uid, Sha256> digests;
  for (std::size_t at = 0; at < uids.size(); at += kBodiesAtOnce) {
    const auto begin = uids.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min(kBodiesAtOnce, uids.size() - at));
    digests.merge(co_await target_digests(target, {begin, begin + count},
                                          {.forgiving = false, .munged_header = false}));
  }
  co_return digests;
}

}  // namespace

Task<std::set<Uid>> proved_copies(TargetSession& target, std::vector<DoubtedCopy> doubted) {
  std::vector<Uid> by_header, by_bytes;
  for (const auto& [row, there] : doubted) {
    if (target.traits().regenerates && row.header) {
      by_header.push_back(there.uid);
    } else if (row.sha256) {
      by_bytes.push_back(there.uid);
    }
  }
  const std::map<Uid, std::uint64_t> headers = co_await headers_of(target, std::move(by_header));
  const std::map<Uid, Sha256> digests = co_await digests_of(target, std::move(by_bytes));
  std::set<Uid> proved;
  for (const auto& [row, there] : doubted) {
    const auto header = headers.find(there.uid);
    const auto digest = digests.find(there.uid);
    if ((header != headers.end() && row.header == header->second) ||
        (digest != digests.end() && row.sha256 == digest->second))
      proved.insert(there.uid);
  }
  co_return proved;
}

Task<void> note_headers(TargetSession& target, Journal& journal, const FolderRecord& folder,
                        const std::vector<Catalogue::Entry>& appended) {
  if (!target.traits().regenerates) co_return;
  std::vector<MessageKey> keys;
  for (const Catalogue::Entry& entry : appended) keys.push_back(entry.key);
  Record record;
  record.folder = folder.id;
  record.target_folder = folder.target_folder;
  record.rows = co_await journal.rows_for(folder.id, std::move(keys));
  std::erase_if(record.rows, [](const MessageRow& row) {
    return row.origin != Origin::appended || !row.target_uid || row.header;
  });
  std::vector<Uid> uids;
  for (const MessageRow& row : record.rows) uids.push_back(row.target_uid);
  std::ranges::sort(uids);
  const std::map<Uid, std::uint64_t> headers = co_await headers_of(target, std::move(uids));
  std::erase_if(record.rows, [&headers](MessageRow& row) {
    const auto header = headers.find(row.target_uid);
    if (header != headers.end()) row.header = header->second;
    return header == headers.end();
  });
  if (!record.rows.empty()) co_await journal.record(std::move(record));
}

}  // namespace postferry
