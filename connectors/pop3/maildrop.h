// The messages of one POP3 session: numbers, sizes and keys, packed. Values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postferry::pop3 {

/// About 24 bytes a message, and its key. Numbers are those of this session and no other.
class Maildrop {
 public:
  struct Entry {
    std::uint32_t number = 0;
    std::uint64_t size_bytes = 0;  // as LIST says; may lie
  };

  /// Appends a message; the key may be empty or repeated until set_key() makes it unique.
  void add(Entry entry, std::string_view key);
  void set_key(std::size_t index, std::string_view key);
  /// Indices of messages whose key is empty or not theirs alone, ascending.
  std::vector<std::size_t> ambiguous() const;
  /// Call when all keys are unique, before find().
  void seal();

  std::size_t size() const { return entries_.size(); }
  Entry operator[](std::size_t index) const {
    return {entries_[index].number, entries_[index].size};
  }
  std::string_view key(std::size_t index) const;
  std::optional<Entry> find(std::string_view key) const;

 private:
  struct Packed {
    std::uint64_t size;
    std::uint64_t key_offset : 48;
    std::uint64_t key_size : 16;
    std::uint32_t number;
  };

  void store_key(Packed& entry, std::string_view key);
  std::vector<std::uint32_t> by_key() const;

  std::vector<Packed> entries_;
  std::string keys_;
  std::vector<std::uint32_t> sorted_;  // indices by key
};

}  // namespace postferry::pop3
