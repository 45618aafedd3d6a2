// UID FETCH without bodies.
#include "connectors/imap/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "connectors/header_fields.h"
#include "connectors/mail/date.h"
#include "connectors/mail/header_scan.h"

namespace postferry::imap {
namespace {

constexpr std::size_t kHeaderWindow = 500;   // messages a command
constexpr std::size_t kWindowsInFlight = 3;  // commands
constexpr int kMaxPages = 100'000;           // of a server that cuts its answers short
/// Messages that SEARCH alone names: so many, or as many as FETCH has shown. A range is said in a
/// few bytes, whatever it holds.
constexpr std::uint64_t kUnlistedAtLeast = 10'000;

std::vector<std::uint32_t> ascending(const std::vector<Uid>& uids) {
  std::vector<std::uint32_t> numbers;
  numbers.reserve(uids.size());
  for (const Uid uid : uids) numbers.push_back(uid.value);
  std::ranges::sort(numbers);
  const auto repeats = std::ranges::unique(numbers);
  numbers.erase(repeats.begin(), repeats.end());
  return numbers;
}

// UIDs that a SEARCH names.
class Found {
 public:
  void take(const Response& response) {
    if (const auto* search = std::get_if<SearchData>(&response)) {
      for (const std::uint32_t uid : search->numbers) add(uid, uid);
    } else if (const auto* extended = std::get_if<EsearchData>(&response)) {
      if (!extended->all) return;
      for (const NumberRange& range : extended->all->ranges()) add(range.first, range.last);
    }
  }

  /// Ascending, none twice.
  const std::vector<UidRange>& ranges() {
    std::ranges::sort(ranges_, {}, &UidRange::first);
    std::vector<UidRange> joined;
    for (const UidRange& range : ranges_) {
      if (!joined.empty() && range.first.value <= std::uint64_t{joined.back().last.value} + 1) {
        joined.back().last = std::max(joined.back().last, range.last);
      } else {
        joined.push_back(range);
      }
    }
    ranges_ = std::move(joined);
    return ranges_;
  }

  std::uint64_t count() {
    std::uint64_t count = 0;
    for (const UidRange& range : ranges())
      count += std::uint64_t{range.last.value} - range.first.value + 1;
    return count;
  }

 private:
  /// No message has UID 0 (RFC 9051 2.3.1.1): counted, it would stand for one that is left out.
  void add(std::uint32_t first, std::uint32_t last) {
    if (last > 0) ranges_.push_back({Uid{std::max(first, 1u)}, Uid{last}});
  }

  std::vector<UidRange> ranges_;
};

// Fills a catalogue from FETCH responses.
class CatalogueBuilder {
 public:
  CatalogueBuilder(std::int64_t now, const Labels* elsewhere) : now_(now), elsewhere_(elsewhere) {}

  const char* items() const {
    return elsewhere_ ? "(UID FLAGS RFC822.SIZE INTERNALDATE X-GM-LABELS)"
                      : "(UID FLAGS RFC822.SIZE INTERNALDATE)";
  }

  void take(Response& response) {
    const auto* fetch = std::get_if<FetchData>(&response);
    if (!fetch || !fetch->uid || *fetch->uid == 0) return;
    if (elsewhere_ && shown_elsewhere(*fetch, *elsewhere_)) {
      left_out_.insert(*fetch->uid);
      return;
    }
    const Flags flags = fetch->flags ? flags_of(*fetch->flags) : Flags{};
    if (!fetch->rfc822_size) {
      // Somebody changed flags meanwhile, or the server cannot say the size.
      sizeless_.insert_or_assign(*fetch->uid, flags);
      return;
    }
    std::optional<InternalDate> date = date_of(fetch->internal_date);
    if (date && !mail::plausible({date->seconds, 0}, now_)) date.reset();
    catalogue_.add(MessageKey(Uid{*fetch->uid}), *fetch->rfc822_size, date, flags);
  }

  std::size_t count() {
    catalogue_.sort();
    return catalogue_.size() + left_out_.size();
  }

  /// What was found and no FETCH has told the size of; ascending. Nothing, where it is too much to
  /// be true.
  std::vector<std::uint32_t> unlisted(Found& found) {
    std::vector<std::uint32_t> numbers;
    if (found.count() > 2 * std::uint64_t{count()} + kUnlistedAtLeast) return numbers;
    for (const auto& [first, last] : found.ranges())
      for (std::uint64_t uid = first.value; uid <= last.value; ++uid) {
        const auto number = static_cast<std::uint32_t>(uid);
        const bool told = left_out_.contains(number) || catalogue_.find(MessageKey(Uid{number}));
        if (!told) numbers.push_back(number);
      }
    return numbers;
  }

  void add_unlisted(const std::vector<std::uint32_t>& numbers) {
    for (const std::uint32_t number : numbers) sizeless_.try_emplace(number, Flags{});
  }

  /// Whether all that was found, from `from` on, is here, and nothing by its UID only.
  bool has_all(Found& found, Uid from) {
    catalogue_.sort();
    for (std::size_t i = 0; i < catalogue_.size(); ++i) sizeless_.erase(catalogue_.uid(i).value);
    if (!sizeless_.empty()) return false;
    for (const auto& [first, last] : found.ranges()) {
      const std::uint64_t begin = std::max(first.value, from.value);
      for (std::uint64_t uid = begin; uid <= last.value; ++uid)
        if (!catalogue_.find(MessageKey(Uid{static_cast<std::uint32_t>(uid)}))) return false;
    }
    return true;
  }

  /// Those that are known by UID only.
  void add_sizeless() {
    if (sizeless_.empty()) return;
    catalogue_.sort();
    for (std::size_t i = 0; i < catalogue_.size(); ++i) sizeless_.erase(catalogue_.uid(i).value);
    for (const auto& [uid, flags] : sizeless_) {
      catalogue_.add(MessageKey(Uid{uid}), 0, std::nullopt, flags);
    }
    sizeless_.clear();
  }

  Catalogue finish() {
    catalogue_.sort();
    return std::move(catalogue_);
  }

 private:
  std::int64_t now_;
  const Labels* elsewhere_;
  Catalogue catalogue_;
  std::map<std::uint32_t, Flags> sizeless_;
  std::set<std::uint32_t> left_out_;
};

Command ask_for(Session& session, const std::string& range, const CatalogueBuilder& builder) {
  return session.command("UID FETCH").raw(range).raw(builder.items()).finish();
}

// The server worked downwards and stopped at some UID (RFC 9738 §3.1).
std::optional<std::string> rest_after(const StatusResponse& status) {
  const auto limit =
      status.has(Code::kMessageLimit) ? code_message_limit(*status.code) : std::nullopt;
  if (!limit || !limit->uid || *limit->uid <= 1) return std::nullopt;
  return fmt::format("1:{}", *limit->uid - 1);
}

Task<void> fetch_all(Session& session, CatalogueBuilder& builder) {
  std::optional<std::string> range = "1:*";
  for (int page = 0; range && page < kMaxPages; ++page) {
    std::string tag = co_await session.send(ask_for(session, *range, builder));
    const StatusResponse status = co_await session.succeed(
        tag, "FETCH", [&builder](Response& response) { builder.take(response); });
    range = rest_after(status);
  }
  if (range) {
    throw session.error(ErrorKind::protocol, "the server never comes to the end of the folder");
  }
}

Command search_for(Session& session, const std::string& what) {
  CommandBuilder search = session.command("UID SEARCH");
  if (session.capabilities.has("ESEARCH")) search.raw("RETURN (ALL)");
  return search.raw(what).finish();
}

Task<Found> search_all(Session& session) {
  Found found;
  std::string tag = co_await session.send(search_for(session, "ALL"));
  co_await session.succeed(tag, "SEARCH", [&found](Response& response) { found.take(response); });
  co_return found;
}

Task<void> noop(Session& session) {
  std::string tag = co_await session.send(session.command("NOOP").finish());
  co_await session.succeed(tag, "NOOP");
}

// How many messages the folder must have: those it began with, less what went meanwhile.
std::uint64_t expected(Session& session, std::uint64_t began_with) {
  return began_with - std::min(began_with, session.expunged());
}

Catalogue remarked(Catalogue catalogue, const Session& session, std::uint64_t began_with) {
  const Quirks& quirks = session.quirks;
  if (quirks.newest_only > 0 && began_with >= quirks.newest_only) {
    catalogue.remark = fmt::format("{} shows only the newest {} messages of a folder here; {}",
                                   quirks.software, quirks.newest_only, quirks.newest_only_advice);
  }
  return catalogue;
}

Task<void> ask_for_headers(Session& session, std::span<const std::uint32_t> numbers,
                           std::size_t at_once, std::map<std::uint32_t, HeaderFields>& found) {
  std::deque<std::string> sets;
  for (std::size_t at = 0; at < numbers.size(); at += at_once) {
    const std::span<const std::uint32_t> window(numbers.data() + at,
                                                std::min(at_once, numbers.size() - at));
    for (std::string& set : split_set(window, session.quirks.command_octets - 200)) {
      sets.push_back(std::move(set));
    }
  }
  std::deque<std::string> tags;
  while (!sets.empty() || !tags.empty()) {
    while (!sets.empty() && tags.size() < kWindowsInFlight) {
      tags.push_back(co_await session.send(
          session.command("UID FETCH")
              .raw(sets.front() +
                   " (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO RECEIVED)])")
              .finish()));
      sets.pop_front();
    }
    // A long header comes as a streamed body, before the FETCH it belongs to.
    std::string streamed;
    for (bool ended = false; !ended;) {
      Item item = co_await session.next();
      if (auto* begin = std::get_if<BodyBegin>(&item)) {
        streamed = co_await session.take_body(begin->size_bytes, mail::kMaxHeaderBytes);
        continue;
      }
      Response& response = std::get<Response>(item);
      if (auto* status = std::get_if<StatusResponse>(&response)) {
        if (!status->tagged()) continue;
        if (status->status != Status::kOk) throw session.refused(*status, "FETCH");
        ended = true;
        tags.pop_front();
      } else if (auto* fetch = std::get_if<FetchData>(&response)) {
        if (!fetch->uid || fetch->sections.empty()) continue;
        if (!std::ranges::binary_search(numbers, *fetch->uid)) continue;
        const FetchSection& section = fetch->sections.back();
        found[*fetch->uid] =
            header_fields(section.form == FetchSection::Form::kStreamed ? streamed : section.bytes);
        streamed.clear();
      }
    }
  }
}

}  // namespace

std::optional<InternalDate> date_of(const std::optional<DateTime>& date) {
  if (!date) return std::nullopt;
  return InternalDate{date->seconds, date->zone_minutes};
}

Flags flags_of(const std::vector<std::string>& names) {
  Flags flags;
  for (const std::string& name : names) flags.add(name);
  return flags;
}

Task<Catalogue> open_and_read(Party& party, FolderName name, std::string wire,
                              const Labels* elsewhere) {
  Session& session = party.session();
  Scope& scope = co_await current_scope();
  CatalogueBuilder builder(std::chrono::system_clock::to_time_t(scope.executor().wall_clock()),
                           elsewhere);
  bool whole = false;
  const auto both = [&](Turn& turn) -> Task<void> {
    Opening opening = co_await party.begin_opening(turn, std::move(name), std::move(wire));
    std::string tag = co_await party.say(turn, ask_for(session, "1:*", builder));
    turn.spoken();
    co_await turn.listen();
    StatusResponse status;
    const auto listed = [&]() -> Task<void> {
      status = co_await session.finish(std::move(tag),
                                       [&builder](Response& response) { builder.take(response); });
    };
    co_await hear_both(party.end_opening(std::move(opening)), listed());
    whole = status.status == Status::kOk && !rest_after(status) &&
            builder.count() >= expected(session, party.folder().numbers.messages.value_or(0));
  };
  co_await party.in_turn(both);
  if (lacks_numbers(party.folder())) co_await party.learn_numbers();
  const std::uint64_t messages = party.folder().numbers.messages.value_or(0);
  if (messages == 0) co_return Catalogue();
  if (whole) co_return remarked(builder.finish(), session, messages);
  // Something is odd: more slowly, and alone.
  const auto again = [&]() { return read_catalogue(session, began_with(session), elsewhere); };
  co_return co_await party.in_folder(again);
}

Task<Opened> open_and_read_changes(Party& party, FolderName name, std::string wire,
                                   const Since& since) {
  Session& session = party.session();
  Opened opened;
  const FolderNumbers& then = since.numbers;
  if (!session.capabilities.has("CONDSTORE") && !session.capabilities.has("QRESYNC")) {
    opened.catalogue = co_await open_and_read(party, std::move(name), std::move(wire));
    opened.numbers = party.folder().numbers;
    co_return opened;
  }
  Scope& scope = co_await current_scope();
  CatalogueBuilder builder(std::chrono::system_clock::to_time_t(scope.executor().wall_clock()),
                           nullptr);
  // Whatever the numbers of the folder say, nothing had a UID above that of the last witness.
  const Uid fresh{since.witnesses.empty() ? 1 : since.witnesses.back().value + 1};
  std::string witnesses;
  for (const Uid uid : since.witnesses) witnesses += fmt::format("{},", uid.value);
  const auto changed = [&] {
    return session.command("UID FETCH")
        .raw("1:*")
        .raw(builder.items())
        .raw(fmt::format("(CHANGEDSINCE {})", *then.highest_modseq))
        .finish();
  };
  const auto volley = [&](Turn& turn) -> Task<void> {
    Opening opening = co_await party.begin_opening(turn, std::move(name), std::move(wire));
    std::vector<std::string> tags;
    tags.push_back(co_await party.say(turn, changed()));
    tags.push_back(co_await party.say(
        turn, ask_for(session, fmt::format("{}{}:*", witnesses, fresh.value), builder)));
    const std::string uids = since.all_uids ? "ALL" : fmt::format("UID {}:*", fresh.value);
    tags.push_back(co_await party.say(turn, search_for(session, uids)));
    turn.spoken();
    co_await turn.listen();
    bool whole = true;
    Found found;
    const auto told = [&]() -> Task<void> {
      for (std::string& tag : tags) {
        const StatusResponse status =
            co_await session.finish(std::move(tag), [&](Response& response) {
              builder.take(response);
              found.take(response);
            });
        whole = whole && status.status == Status::kOk && !rest_after(status);
      }
    };
    co_await hear_both(party.end_opening(std::move(opening)), told());
    opened.changes_only = whole && builder.has_all(found, fresh);
    if (since.all_uids && found.count() == session.exists()) opened.uids = found.ranges();
  };
  co_await party.in_turn(volley);
  if (lacks_numbers(party.folder())) co_await party.learn_numbers();
  opened.numbers = party.folder().numbers;
  if (opened.changes_only) {
    opened.catalogue = remarked(builder.finish(), session, opened.numbers.messages.value_or(0));
    co_return opened;
  }
  const auto again = [&]() { return read_catalogue(session, began_with(session)); };
  opened.catalogue = co_await party.in_folder(again);
  co_return opened;
}

Task<std::vector<UidRange>> list_uids(Party& party) {
  Session& session = party.session();
  Found found;
  std::vector<Command> search;
  search.push_back(search_for(session, "ALL"));
  const auto take = [&found](Response& response) { found.take(response); };
  const StatusResponse status = (co_await party.ask_all(std::move(search), take)).front();
  if (status.status != Status::kOk) throw session.refused(status, "SEARCH");
  // An OK alone does not say that the folder is empty.
  if (found.count() == session.exists()) co_return found.ranges();
  const auto whole = [&session]() { return read_catalogue(session, began_with(session)); };
  const Catalogue all = co_await party.in_folder(whole);
  std::vector<UidRange> ranges;
  for (std::size_t i = 0; i < all.size(); ++i) ranges.push_back({all.uid(i), all.uid(i)});
  co_return ranges;
}

Task<Catalogue> read_catalogue(Session& session, std::uint64_t began_with,
                               const Labels* elsewhere) {
  Scope& scope = co_await current_scope();
  CatalogueBuilder builder(std::chrono::system_clock::to_time_t(scope.executor().wall_clock()),
                           elsewhere);
  if (began_with == 0) co_return builder.finish();
  // What has come meanwhile must not stand for what is left out.
  const auto lacks_some = [&] {
    return builder.count() <
           std::max<std::uint64_t>(expected(session, began_with), session.exists());
  };
  co_await fetch_all(session, builder);
  if (lacks_some()) {
    co_await noop(session);
    co_await fetch_all(session, builder);
  }
  if (lacks_some()) {
    // A server that leaves messages out where it lists all, or their sizes, tells of them when
    // asked for them alone; without their flags they would seem to have lost them.
    Found found = co_await search_all(session);
    for (const std::string& set :
         split_set(builder.unlisted(found), session.quirks.command_octets - 200)) {
      std::string tag = co_await session.send(ask_for(session, set, builder));
      co_await session.succeed(tag, "FETCH",
                               [&builder](Response& response) { builder.take(response); });
    }
    builder.add_sizeless();
    builder.add_unlisted(builder.unlisted(found));
    builder.add_sizeless();
  }
  if (builder.count() < expected(session, began_with)) {
    throw session.error(ErrorKind::protocol,
                        fmt::format("the server says the folder has {} messages but lists only {}",
                                    expected(session, began_with), builder.count()));
  }
  co_return remarked(builder.finish(), session, began_with);
}

Task<std::vector<HeaderEntry>> read_headers(Session& session, std::vector<Uid> uids) {
  const std::vector<std::uint32_t> numbers = ascending(uids);
  std::map<std::uint32_t, HeaderFields> found;
  co_await ask_for_headers(session, numbers, kHeaderWindow, found);
  // What an answer leaves out need not be gone: it is asked for alone.
  std::vector<std::uint32_t> rest;
  for (const std::uint32_t uid : numbers)
    if (!found.contains(uid)) rest.push_back(uid);
  co_await ask_for_headers(session, rest, 1, found);
  std::vector<HeaderEntry> entries;
  entries.reserve(found.size());
  for (auto& [uid, fields] : found) entries.push_back({MessageKey(Uid{uid}), std::move(fields)});
  co_return entries;
}

Task<std::vector<Uid>> still_there(Session& session, std::vector<Uid> uids) {
  const std::vector<std::uint32_t> numbers = ascending(uids);
  std::vector<Uid> alive;
  co_await noop(session);
  for (const std::string& set : split_set(numbers, session.quirks.command_octets - 200)) {
    std::string tag =
        co_await session.send(session.command("UID FETCH").raw(set + " (UID)").finish());
    co_await session.succeed(tag, "FETCH", [&](Response& response) {
      const auto* fetch = std::get_if<FetchData>(&response);
      if (fetch && fetch->uid && std::ranges::binary_search(numbers, *fetch->uid)) {
        alive.push_back(Uid{*fetch->uid});
      }
    });
  }
  std::ranges::sort(alive);
  const auto repeats = std::ranges::unique(alive);
  alive.erase(repeats.begin(), repeats.end());
  co_return alive;
}

}  // namespace postferry::imap
