// Windows by bytes, count and the length of their sets.
#include "connectors/imap/fetch_plan.h"

#include "connectors/imap/codec/sequence_set.h"
#include "engine/body.h"

namespace postferry::imap {
namespace {

constexpr std::size_t kMaxRangeOctets = 22;  // `4294967294:4294967295,`

}  // namespace

bool Window::streams() const { return members.size() == 1 && bytes > kHoldLimit; }

std::deque<Window> plan_windows(const std::vector<Catalogue::Entry>& wanted,
                                const std::vector<std::size_t>& members,
                                const WindowLimits& limits) {
  std::deque<Window> windows;
  SequenceSet set;
  std::uint32_t last = 0;
  for (const std::size_t index : members) {
    const std::uint32_t uid = wanted[index].key.uid().value;
    const std::uint64_t size = wanted[index].size_bytes;
    const bool room = !windows.empty() && uid > last &&
                      windows.back().members.size() < limits.messages &&
                      windows.back().bytes + size <= limits.bytes &&
                      (set.ranges().size() + 1) * kMaxRangeOctets < limits.set_octets;
    if (!room) {
      if (!windows.empty()) windows.back().set = set.to_string();
      set = SequenceSet();
      windows.emplace_back();
    }
    set.add(uid);
    windows.back().members.push_back(index);
    windows.back().bytes += size;
    last = uid;
  }
  if (!windows.empty()) windows.back().set = set.to_string();
  return windows;
}

}  // namespace postferry::imap
