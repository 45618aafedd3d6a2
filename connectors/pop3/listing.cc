#include "connectors/pop3/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "connectors/pop3/header_reader.h"
#include "engine/digest.h"

namespace postferry::pop3 {
namespace {

/// UIDs by message number, packed.
class Uids {
 public:
  void add(const UidlItem& item) {
    items_.push_back({item.number, static_cast<std::uint32_t>(item.uid.size()), text_.size()});
    text_ += item.uid;
  }
  /// By number; of a number that came twice the first counts.
  void sort() { std::ranges::stable_sort(items_, {}, &Item::number); }
  /// For numbers asked in ascending order.
  std::string_view next(std::uint32_t number) {
    while (at_ < items_.size() && items_[at_].number < number) ++at_;
    if (at_ == items_.size() || items_[at_].number != number) return {};
    return std::string_view(text_).substr(items_[at_].offset, items_[at_].size);
  }

 private:
  struct Item {
    std::uint32_t number;
    std::uint32_t size;
    std::uint64_t offset;
  };

  std::vector<Item> items_;
  std::string text_;
  std::size_t at_ = 0;
};

std::string short_hex(const Sha256& sum) {
  std::string hex;
  for (std::size_t i = 0; i < 12; ++i) hex += fmt::format("{:02x}", sum[i]);
  return hex;
}

/// Of those fields by which a message is recognised; neither Status nor anything else that a server
/// changes in a message has a part in it.
std::string recognition(const mail::HeaderScan& header) {
  Digest digest;
  const auto take = [&digest](const std::optional<std::string>& field) {
    digest.update(field ? fmt::format("{}:", field->size()) : "-");
    if (field) digest.update(*field);
  };
  for (const auto* field :
       {&header.message_id, &header.date, &header.from, &header.subject, &header.to}) {
    take(*field);
  }
  take(header.received.empty() ? std::nullopt : std::optional(header.received.front()));
  return short_hex(digest.finish());
}

/// Messages whose names would be alike are named by their bytes too: their order is no name, since
/// a server may change it. Those that are equal to the byte may trade names.
Task<void> tell_apart(Session& session, std::vector<Maildrop::Entry> entries,
                      std::vector<std::string>& names) {
  std::map<std::string, int> namesakes;
  for (const std::string& name : names) ++namesakes[name];
  std::vector<std::size_t> alike;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (namesakes[names[i]] > 1) alike.push_back(i);
  std::vector<Maildrop::Entry> wanted;
  for (const std::size_t i : alike) wanted.push_back(entries[i]);
  co_await read_digests(session, std::move(wanted), [&](std::size_t i, const Sha256& digest) {
    names[alike[i]] += " " + short_hex(digest);
  });
}

Task<void> make_keys_unique(Session& session, Maildrop& maildrop) {
  const std::vector<std::size_t> ambiguous = maildrop.ambiguous();
  if (ambiguous.empty()) co_return;
  std::vector<Maildrop::Entry> entries;
  for (const std::size_t index : ambiguous) entries.push_back(maildrop[index]);
  // A message whose header is not to be had cannot be fetched either: any name will do.
  std::vector<std::string> names(ambiguous.size(), "unreadable");
  co_await read_headers(session, entries, [&names](std::size_t i, const mail::HeaderScan& header) {
    names[i] = recognition(header);
  });
  for (std::size_t i = 0; i < ambiguous.size(); ++i)
    names[i] = std::string(maildrop.key(ambiguous[i])) + " " + names[i];
  co_await tell_apart(session, std::move(entries), names);
  std::map<std::string, int> copies;
  for (std::size_t i = 0; i < ambiguous.size(); ++i) {
    std::string& key = names[i];
    const int copy = ++copies[key];
    if (copy > 1) key += fmt::format(" {}", copy);
    maildrop.set_key(ambiguous[i], key);
  }
}

}  // namespace

Task<Maildrop> list_maildrop(Session& session) {
  const bool together = session.capabilities.pipelining;
  if (together) {
    std::vector<Command> commands;
    commands.push_back(uidl());
    commands.push_back(list());
    co_await session.send_all(std::move(commands));
  } else {
    co_await session.send(uidl());
  }
  Uids uids;
  const StatusLine uidl_status = co_await session.status(Reply::multi);
  if (uidl_status.ok()) {
    co_await session.listing([&uids](std::string_view line) { uids.add(parse_uidl_item(line)); });
  }
  if (!together) co_await session.send(list());
  const StatusLine list_status = co_await session.status(Reply::multi);
  if (!list_status.ok()) {
    throw session.error(says_busy(list_status) ? ErrorKind::transient : ErrorKind::rejected,
                        fmt::format("LIST was refused: {}", words(list_status)));
  }
  if (!uidl_status.ok() && says_busy(uidl_status)) {
    throw session.error(ErrorKind::transient,
                        fmt::format("UIDL was refused: {}", words(uidl_status)));
  }
  std::vector<ListItem> items;
  co_await session.listing(
      [&items](std::string_view line) { items.push_back(parse_list_item(line)); });

  std::ranges::stable_sort(items, {}, &ListItem::number);
  uids.sort();
  Maildrop maildrop;
  std::uint32_t last = 0;
  for (const ListItem& item : items) {
    if (item.number == std::exchange(last, item.number)) continue;
    maildrop.add({item.number, item.size_bytes}, uids.next(item.number));
  }
  co_await make_keys_unique(session, maildrop);
  maildrop.seal();
  co_return maildrop;
}

}  // namespace postferry::pop3
