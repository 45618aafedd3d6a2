// Sets of UIDs or message numbers as IMAP writes them: `1:5,7,9:12` (RFC 3501, sequence-set).
// A set is ranges, never expanded: `1:4294967295` costs eight bytes. `*` is not known here: a
// server never sends it, and commands that need it say so themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postferry::imap {

/// All numbers from `first` to `last`, both included; first <= last.
struct NumberRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  std::uint64_t count() const { return std::uint64_t{last} - first + 1; }
  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

/// Ranges in the order in which they were added or sent: COPYUID and APPENDUID pair members by
/// position. Iterating gives the numbers one by one, in that order, a repeated one twice.
class SequenceSet {
 public:
  class Iterator;

  SequenceSet() = default;

  /// Reads `1:5,7,12:9` (a descending range counts as ascending). Nothing if the text is not a set,
  /// holds 0, `*` or a number above 32 bits, or has more than `max_ranges` ranges.
  static std::optional<SequenceSet> parse(std::string_view text, std::size_t max_ranges);

  /// Adds a number or range, joined to the last range where it directly follows it.
  void add(std::uint32_t number) { add(NumberRange{number, number}); }
  void add(NumberRange range);

  bool empty() const { return ranges_.empty(); }
  /// How many numbers iterating gives.
  std::uint64_t count() const;
  /// Looks through all ranges: for a test or a short set.
  bool contains(std::uint32_t number) const;
  std::span<const NumberRange> ranges() const { return ranges_; }
  std::string to_string() const;

  Iterator begin() const;
  Iterator end() const;

  friend bool operator==(const SequenceSet&, const SequenceSet&) = default;

 private:
  std::vector<NumberRange> ranges_;
};

/// Input iterator over the numbers of a set, which must outlive it.
class SequenceSet::Iterator {
 public:
  using value_type = std::uint32_t;
  using difference_type = std::ptrdiff_t;

  Iterator() = default;
  explicit Iterator(const NumberRange* range) : range_(range) {}
  std::uint32_t operator*() const { return range_->first + passed_; }
  Iterator& operator++();
  Iterator operator++(int);
  friend bool operator==(const Iterator&, const Iterator&) = default;

 private:
  const NumberRange* range_ = nullptr;
  std::uint32_t passed_ = 0;  // numbers of this range already given
};

/// The shortest ascending set of the numbers, which must ascend strictly; empty for none.
std::string encode_set(std::span<const std::uint32_t> ascending);

/// The same in pieces of at most `max_octets` (at least 21, the longest single range), in order:
/// servers refuse long commands (Yahoo takes 1000 octets, Exchange about 10,000).
std::vector<std::string> split_set(std::span<const std::uint32_t> ascending,
                                   std::size_t max_octets);

}  // namespace postferry::imap
