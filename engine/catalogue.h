// A source folder's messages without bodies, compact: 32 bytes a message and each set of flags
// once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/model.h"

namespace postferry {

/// Entries are kept in the order of the source, which for IMAP is ascending UIDs (the source
/// sorts).
class Catalogue {
 public:
  struct Entry {
    MessageKey key;
    std::uint64_t size_bytes;  // as the server says; may lie (POP3 LIST, Exchange)
    std::optional<InternalDate> date;
    const Flags* flags;  // owned by the catalogue
  };

  void add(const MessageKey& key, std::uint64_t size_bytes, std::optional<InternalDate> date,
           const Flags& flags);
  std::size_t size() const { return entries_.size(); }
  Entry operator[](std::size_t index) const;
  MessageKey key(std::size_t index) const;
  Uid uid(std::size_t index) const { return Uid{entries_[index].key}; }
  std::uint64_t size_bytes(std::size_t index) const { return entries_[index].size_bytes; }
  /// What a person should know of it, if anything.
  std::string remark;
  /// True when keys are UIDs.
  bool by_uid() const { return texts_.empty(); }
  /// Whether its flags are what the source has; else nothing is known of them before a message is
  /// read. Where keys are UIDs they always are.
  bool tells_flags = false;
  void reserve(std::size_t count) { entries_.reserve(count); }
  /// Where a key stands; for UIDs only after sort().
  std::optional<std::size_t> find(const MessageKey& key) const;
  /// Sorts UIDs ascending and drops repeats of a UID (a server may repeat a FETCH).
  void sort();

 private:
  struct Compact {
    std::uint64_t size_bytes;
    std::int64_t seconds;
    std::uint32_t key;    // a UID, or an index into texts_
    std::uint32_t flags;  // an index into flags_
    std::int16_t zone_minutes;
    bool dated;
  };

  std::uint32_t intern(const Flags& flags);

  std::vector<Compact> entries_;
  std::vector<std::string> texts_;
  std::vector<Flags> flags_list_;
  std::map<std::string, std::uint32_t> flags_index_;
  mutable std::unordered_map<std::string, std::size_t> texts_index_;  // made when first needed
};

}  // namespace postferry
