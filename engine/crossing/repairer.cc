#include "engine/crossing/repairer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/crossing/repairing_source.h"
#include "engine/crossing/transfer.h"

namespace postferry {

namespace {

class Repairer {
 public:
  explicit Repairer(RepairRequest request) : r_(std::move(request)) {}

  Task<void> run(std::function<Task<void>()> send) {
    for (;;) {
      const std::vector<std::size_t> tried = co_await plan();
      if (tried.empty()) co_return;
      co_await send();
      bool left = false;
      for (const std::size_t index : tried) {
        const Standing standing = r_.standing[index];
        left = left || standing == Standing::due;
        if (standing == Standing::copied || standing == Standing::present) tell_crossed(index);
      }
      if (left) co_return;
    }
  }

 private:
  /// The messages to be sent next, by their places in the catalogue.
  Task<std::vector<std::size_t>> plan() {
    std::vector<std::size_t> due;
    Record record;
    record.folder = r_.folder.id;
    record.target_folder = r_.target_folder;
    for (FailureRow& row : co_await r_.journal.failures(r_.folder.id)) {
      const auto index = r_.catalogue.find(row.key);
      const bool refused = index && r_.standing[*index] == Standing::rejected &&
                           row.run == r_.run && !row.text.starts_with(kSourceFailed) &&
                           row.text != kNotFoundAgain;
      if (!refused || given_up_.contains(*index)) continue;
      if (row.repairs && !r_.repairs.contains(row.key)) {
        // Tried once more in this run, it could break the line again and again.
        given_up_.insert(*index);
        tell(*index, "was not taken when the line was lost; retry it once more");
        continue;
      }
      const Repairs before = r_.repairs[row.key];
      row.repairs = co_await next(*index, before);
      if (row.repairs) {
        due.push_back(*index);
      } else {
        given_up_.insert(*index);
        if (before) tell(*index, "no repair helped; it stays as it is");
      }
      if (row.repairs != before) record.failures.push_back(row);
      r_.repairs[row.key] = row.repairs;
    }
    std::erase_if(r_.repairs, [](const auto& one) { return !one.second; });
    if (!record.failures.empty()) co_await r_.journal.record(std::move(record));
    for (const std::size_t index : due) r_.standing[index] = Standing::due;
    co_return due;
  }

  /// What the message is to be sent with now; nothing: no more can be done.
  Task<Repairs> next(std::size_t index, Repairs before) {
    const Catalogue::Entry entry = r_.catalogue[index];
    if (r_.append_limit_bytes && entry.size_bytes > *r_.append_limit_bytes) co_return Repairs{};
    if (entry.size_bytes > r_.most_bytes) {
      tell(index, "is too large to be repaired with this much --memory");
      co_return Repairs{};
    }
    const WholeMessage whole = co_await fetch_whole(r_.source, entry);
    if (!whole.message) co_return Repairs{};
    const Message& message = *whole.message;
    const auto step = next_repair(message.body.bytes(), message.date, message.flags, before);
    if (!step) {
      if (!before) tell(index, "has nothing that a repair could change");
      co_return Repairs{};
    }
    if (!before) co_await r_.originals.keep(r_.folder.source, entry.key, message.body);
    tell(index, std::string("is sent again, repaired: ") + in_words(before.with(*step)));
    co_return before.with(*step);
  }

  void tell_crossed(std::size_t index) {
    const MessageKey key = r_.catalogue.key(index);
    r_.originals.crossed(r_.folder.source, key, r_.repairs.at(key));
  }

  void tell(std::size_t index, const std::string& text) const {
    r_.observer.note(Level::warning, "folder " + r_.folder.source.to_string() + ": " +
                                         r_.catalogue.key(index).to_string() + " " + text);
  }

  RepairRequest r_;
  std::set<std::size_t> given_up_;
};

}  // namespace

Task<void> repair_refused(RepairRequest request, std::function<Task<void>()> send) {
  Repairer repairer(std::move(request));
  co_await repairer.run(std::move(send));
}

}  // namespace postferry
