// What settle has before it: messages on the target that are nobody's, as far as is known. 41 bytes
// each, for there may be as many as the folder has.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/catalogue.h"
#include "engine/settle/match.h"
#include "engine/target.h"

namespace postferry {

/// By their places, which ascend as their UIDs do, until the next add(). Those that turn out to be
/// somebody's keep theirs.
class Strangers {
 public:
  /// `altered`: by the target, so that their bytes and sizes prove nothing.
  explicit Strangers(bool altered = false) : altered_(altered) {}
  /// None of them known() before; sorted.
  void add(Catalogue fresh);
  std::size_t size() const { return looks_.size(); }
  /// Of one that is, or was, one of them.
  std::optional<std::size_t> place(Uid uid) const { return there_.find(MessageKey(uid)); }

  bool empty() const { return left_ == 0; }
  /// Whether it still is nobody's.
  bool left(std::size_t at) const { return !taken_[at]; }
  /// It is somebody's.
  void take(std::size_t at);
  /// The place of one that is left.
  std::optional<std::size_t> find(Uid uid) const;
  /// The first place of a UID that is not below this one.
  std::size_t from(Uid uid) const { return there_.from(uid); }

  Uid uid(std::size_t at) const { return there_.uid(at); }
  std::uint64_t size_bytes(std::size_t at) const { return there_.size_bytes(at); }
  TargetEntry entry(std::size_t at) const;
  /// Its index is the UID.
  Likeness likeness(std::size_t at) const;
  Fingerprint print(std::size_t at) const { return looks_[at].print(); }
  void set_likeness(std::size_t at, const Likeness& likeness);
  bool spoken_for(std::size_t at) const { return looks_[at].spoken_for(); }
  void speak_for(std::size_t at, bool whether) { looks_[at].speak_for(whether); }
  /// One of its very bytes may take it as well, whatever its date.
  void bytes_tell(std::size_t at) { looks_[at].by_bytes(true); }
  bool identified(std::size_t at) const { return looks_[at].identified(); }
  /// Any number that a user of this keeps with it; 0 to begin with.
  std::uint32_t& number(std::size_t at) { return looks_[at].number; }

  enum class Which : std::uint8_t { left, taken };
  /// Those that have this fingerprint, as far as a BriefLikeness has it; ascending, but for those
  /// marked \Deleted, which come last: what is to go stands for a message only at need.
  std::vector<std::size_t> alike(const Fingerprint& print, Which which = Which::left);

 private:
  bool altered_;
  Catalogue there_;
  std::vector<BriefLikeness> looks_;  // one for each of it
  std::vector<bool> taken_;
  std::size_t left_ = 0;
  std::vector<std::uint32_t> by_print_;  // places; made when they are needed
};

}  // namespace postferry
