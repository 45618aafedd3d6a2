#include "engine/settle/stranger_match.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace postferry {

namespace {

/// Groups of so many messages have their bytes read together.
constexpr std::size_t kDoubtsAtOnce = 2000;

/// One that bytes must decide on, and where its group begins: the first stranger of its look.
struct Doubt {
  std::uint32_t group, index;
  bool known_look = false;
};

/// Groups are known by their first stranger. A stranger's number is 1 + the entry that it is, for
/// all its header says.
class Meeting {
 public:
  Meeting(Strangers& strangers, bool target_adds_received)
      : strangers_(strangers), adds_received_(target_adds_received), groups_(strangers.size()) {
    for (std::size_t at = 0; at < strangers_.size(); ++at) strangers_.number(at) = 0;
  }

  /// Whether one message on the target is it, by its header, as far as is known.
  bool offer(const Likeness& source) {
    const std::vector<std::size_t> places = strangers_.alike(source.print);
    if (places.empty()) return false;
    State& state = groups_[places.front()];
    const auto group = static_cast<std::uint32_t>(places.front());
    const auto index = static_cast<std::uint32_t>(source.index);
    if (state == State::unmet) {
      state = State::one;
      Ambiguous both{{source}, {}};
      for (const std::size_t at : places) both.target.push_back(strangers_.likeness(at));
      if (recognisable(both)) {
        const std::size_t best = likest(source, both.target, adds_received_);
        if (best == places.size()) {
          unlike_.emplace(group, index);
          return false;
        }
        strangers_.number(places[best]) = index + 1;
        return true;
      }
    } else if (state == State::one) {
      doubts_.push_back({group, first_of(group, places)});
    }
    state = State::several;
    doubts_.push_back({group, index});
    return false;
  }

  /// By groups, and in the order of preference within one.
  std::vector<Doubt> doubts() {
    std::ranges::stable_sort(doubts_, {}, &Doubt::group);
    return std::move(doubts_);
  }

 private:
  enum class State : std::uint8_t { unmet, one, several };

  /// The only one so far, which loses what it was given.
  std::uint32_t first_of(std::uint32_t group, const std::vector<std::size_t>& places) {
    if (const auto at = unlike_.find(group); at != unlike_.end()) return at->second;
    const auto mate =
        std::ranges::find_if(places, [this](std::size_t at) { return strangers_.number(at) != 0; });
    return std::exchange(strangers_.number(*mate), 0u) - 1;
  }

  Strangers& strangers_;
  const bool adds_received_;
  std::vector<State> groups_;
  std::map<std::uint32_t, std::uint32_t> unlike_;  // the only one of a group, where none is it
  std::vector<Doubt> doubts_;
};

/// The groups from `at` on, until they are enough for one reading; moves on.
Task<std::vector<Ambiguous>> next_groups(const StrangerMatchRequest& r,
                                         const std::vector<Doubt>& doubts, std::size_t& at) {
  std::vector<Ambiguous> groups;
  std::size_t messages = 0;
  while (at < doubts.size() && messages < kDoubtsAtOnce) {
    const std::uint32_t group = doubts[at].group;
    Ambiguous both;
    both.more_may_come = r.more_may_come;
    std::vector<std::uint32_t> indices;
    for (; at < doubts.size() && doubts[at].group == group; ++at) {
      both.known_look = doubts[at].known_look;
      indices.push_back(doubts[at].index);
    }
    both.source = co_await r.likenesses.of(std::move(indices));
    for (const std::size_t place : r.strangers.alike(r.strangers.print(group)))
      both.target.push_back(r.strangers.likeness(place));
    messages += both.source.size() + both.target.size();
    groups.push_back(std::move(both));
  }
  co_return groups;
}

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

Task<Pairs> match_groups(const StrangerMatchRequest& r, const std::vector<Ambiguous>& groups) {
  std::vector<std::size_t> indices;
  std::vector<Uid> target_wanted;
  for (const Ambiguous& group : groups) {
    for (const Likeness& source : group.source) indices.push_back(source.index);
    for (const Likeness& target : group.target)
      target_wanted.push_back(Uid{static_cast<std::uint32_t>(target.index)});
  }
  std::ranges::sort(indices);
  std::ranges::sort(target_wanted);
  std::vector<Catalogue::Entry> source_wanted;
  for (const std::size_t index : indices) source_wanted.push_back(r.catalogue[index]);
  std::map<std::size_t, Sha256> source_by_index, target_by_index;
  for (const auto& [key, digest] :
       co_await source_digests(r.source, std::move(source_wanted), r.comparison))
    if (const auto index = r.catalogue.find(key)) source_by_index[*index] = digest;
  for (const auto& [uid, digest] :
       co_await target_digests(r.target, std::move(target_wanted), r.comparison))
    target_by_index[uid.value] = digest;
  Pairs pairs;
  for (const Ambiguous& group : groups)
    std::ranges::move(match_by_bytes(group, source_by_index, target_by_index),
                      std::back_inserter(pairs));
  co_return pairs;
}

}  // namespace

Task<void> match_strangers(StrangerMatchRequest request, Indices indices,
                           std::function<Task<void>(std::size_t index, std::size_t place)> pair) {
  Strangers& strangers = request.strangers;
  std::vector<Doubt> doubts;
  {
    Meeting meeting(strangers, request.target.traits().adds_received);
    // What has met its copy is settled, and need not be remembered.
    const auto take = [&meeting](const Likeness& source) { return !meeting.offer(source); };
    for (std::vector<std::uint32_t> part = indices(); !part.empty(); part = indices())
      co_await request.likenesses.each(std::move(part), take);
    doubts = meeting.doubts();
  }
  std::vector<std::uint32_t> by_header;
  for (std::size_t at = 0; at < strangers.size(); ++at)
    if (const std::uint32_t mate = strangers.number(at)) by_header.push_back(mate - 1);
  std::set<std::uint32_t> known_looks;
  if (request.known_looks && !by_header.empty())
    known_looks = co_await request.known_looks(std::move(by_header));
  for (std::size_t at = 0; at < strangers.size(); ++at) {
    const std::uint32_t mate = strangers.number(at);
    if (mate == 0) continue;
    if (known_looks.contains(mate - 1)) {
      doubts.push_back({static_cast<std::uint32_t>(at), mate - 1, true});
    } else {
      co_await pair(mate - 1, at);
    }
  }
  for (std::size_t at = 0; at < doubts.size();) {
    const std::vector<Ambiguous> groups = co_await next_groups(request, doubts, at);
    for (const auto& [index, uid] : co_await match_groups(request, groups))
      co_await pair(index, strangers.find(Uid{static_cast<std::uint32_t>(uid)}).value());
  }
}

}  // namespace postferry
