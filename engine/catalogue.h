// A folder's messages without bodies, compact: 16 bytes a message, and once each set of
// flags in each time zone.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/model.h"

namespace postferry {

/// Entries are kept in the order of the server, which for IMAP is ascending UIDs (who fills it
/// sorts).
class Catalogue {
 public:
  struct Entry {
    MessageKey key;
    std::uint64_t size_bytes;  // as the server says; may lie (POP3 LIST, Exchange)
    std::optional<InternalDate> date;
    const Flags* flags;  // owned by the catalogue
  };

  /// No message is believed to be larger.
  static constexpr std::uint64_t kLargest = (std::uint64_t{1} << 36) - 1;

  /// Throws Error{protocol} at the 2,097,153rd set of flags.
  void add(const MessageKey& key, std::uint64_t size_bytes, std::optional<InternalDate> date,
           const Flags& flags);
  /// What was told of one later; what is absent stays.
  void update(std::size_t index, std::optional<std::uint64_t> size_bytes,
              std::optional<InternalDate> date, const std::optional<Flags>& flags);
  std::size_t size() const { return keys_.size(); }
  bool empty() const { return keys_.empty(); }
  Entry operator[](std::size_t index) const;
  MessageKey key(std::size_t index) const;
  Uid uid(std::size_t index) const { return Uid{keys_[index]}; }
  std::uint64_t size_bytes(std::size_t index) const { return about_[index].size_bytes; }
  /// What a person should know of it, if anything.
  std::string remark;
  /// True when keys are UIDs.
  bool by_uid() const { return texts_.empty(); }
  bool has_made_up_keys() const;
  /// Whether its flags are what the source has; else nothing is known of them before a message is
  /// read. Where keys are UIDs they always are.
  bool tells_flags = false;
  /// A server's count may lie: what is beyond four million is made room for as it comes.
  void reserve(std::uint64_t count);
  /// Where a key stands; for UIDs only after sort().
  std::optional<std::size_t> find(const MessageKey& key) const;
  /// The first that is not below this UID; only after sort().
  std::size_t from(Uid uid) const;
  /// Sorts UIDs ascending; of repeats of a UID (a server may repeat a FETCH) the last one stays.
  void sort();

 private:
  struct [[gnu::packed]] About {
    std::uint64_t size_bytes : 36;
    std::int64_t seconds : 39;  // of ten thousand years
    std::uint64_t kind : 21;    // an index into kinds_
  };
  static_assert(sizeof(About) == 12);

  /// What few messages have of their own.
  struct Kind {
    Flags flags;
    std::optional<std::int16_t> zone_minutes;  // of the date; absent: there is none
  };

  std::uint64_t intern(const Flags& flags, std::optional<std::int16_t> zone_minutes);
  About about(std::uint64_t size_bytes, const std::optional<InternalDate>& date,
              const Flags& flags);

  std::vector<std::uint32_t> keys_;  // UIDs, or indices into texts_
  std::vector<About> about_;
  std::vector<std::string> texts_;
  std::deque<Kind> kinds_;  // whose flags entries point to
  std::map<std::pair<std::string, std::optional<std::int16_t>>, std::uint64_t> kinds_index_;
  mutable std::unordered_map<std::string, std::size_t> texts_index_;  // made when first needed
};

}  // namespace postferry
