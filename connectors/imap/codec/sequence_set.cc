// Sets as ranges: reading, writing, and splitting them for servers with short lines.
#include "connectors/imap/codec/sequence_set.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace postferry::imap {
namespace {

constexpr std::size_t kLongestRange = 21;  // 4294967294:4294967295

void append_number(std::string& out, std::uint32_t number) {
  char digits[10];
  const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), number);
  out.append(digits, end);
}

void append_range(std::string& out, NumberRange range) {
  append_number(out, range.first);
  if (range.first == range.last) return;
  out += ':';
  append_number(out, range.last);
}

/// The positive number at the start of `text`, which is moved behind it; 0 if there is none.
std::uint32_t take_number(std::string_view& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// Calls `use` with each maximal run of the ascending numbers.
template <typename Use>
void for_each_run(std::span<const std::uint32_t> ascending, Use use) {
  for (std::size_t begin = 0; begin < ascending.size();) {
    std::size_t last = begin;
    while (last + 1 < ascending.size()) {
      if (ascending[last + 1] <= ascending[last]) {
        throw std::invalid_argument("numbers of a set that do not ascend");
      }
      if (ascending[last + 1] - ascending[last] != 1) break;
      ++last;
    }
    use(NumberRange{ascending[begin], ascending[last]});
    begin = last + 1;
  }
}

}  // namespace

std::optional<SequenceSet> SequenceSet::parse(std::string_view text, std::size_t max_ranges) {
  SequenceSet set;
  do {
    NumberRange range;
    range.first = range.last = take_number(text);
    if (take(text, ':')) range.last = take_number(text);
    if (range.first == 0 || range.last == 0) return std::nullopt;
    if (range.last < range.first) std::swap(range.first, range.last);
    set.add(range);
    if (set.ranges_.size() > max_ranges) return std::nullopt;
  } while (take(text, ','));
  if (!text.empty()) return std::nullopt;
  return set;
}

void SequenceSet::add(NumberRange range) {
  if (!ranges_.empty() && ranges_.back().last < range.first &&
      range.first - ranges_.back().last == 1) {
    ranges_.back().last = range.last;
  } else {
    ranges_.push_back(range);
  }
}

std::uint64_t SequenceSet::count() const {
  std::uint64_t sum = 0;
  for (const NumberRange& range : ranges_) sum += range.count();
  return sum;
}

bool SequenceSet::contains(std::uint32_t number) const {
  return std::ranges::any_of(ranges_, [number](const NumberRange& range) {
    return range.first <= number && number <= range.last;
  });
}

std::string SequenceSet::to_string() const {
  std::string out;
  for (const NumberRange& range : ranges_) {
    if (!out.empty()) out += ',';
    append_range(out, range);
  }
  return out;
}

SequenceSet::Iterator SequenceSet::begin() const { return Iterator(ranges_.data()); }

SequenceSet::Iterator SequenceSet::end() const { return Iterator(ranges_.data() + ranges_.size()); }

SequenceSet::Iterator& SequenceSet::Iterator::operator++() {
  if (range_->first + passed_ < range_->last) {
    ++passed_;
  } else {
    ++range_;
    passed_ = 0;
  }
  return *this;
}

SequenceSet::Iterator SequenceSet::Iterator::operator++(int) {
  const Iterator before = *this;
  ++*this;
  return before;
}

std::string encode_set(std::span<const std::uint32_t> ascending) {
  std::string out;
  for_each_run(ascending, [&out](NumberRange run) {
    if (!out.empty()) out += ',';
    append_range(out, run);
  });
  return out;
}

std::vector<std::string> split_set(std::span<const std::uint32_t> ascending,
                                   std::size_t max_octets) {
  if (max_octets < kLongestRange) throw std::invalid_argument("a set of no room");
  std::vector<std::string> sets;
  std::string range;
  for_each_run(ascending, [&](NumberRange run) {
    range.clear();
    append_range(range, run);
    if (sets.empty() || sets.back().size() + 1 + range.size() > max_octets) {
      sets.push_back(range);
    } else {
      sets.back().append(",").append(range);
    }
  });
  return sets;
}

}  // namespace postferry::imap
