#include "engine/ledger.h"

namespace postferry {

Tally& Tally::operator+=(const Tally& other) {
  seen += other.seen;
  copied += other.copied;
  present += other.present;
  filtered += other.filtered;
  rejected += other.rejected;
  vanished += other.vanished;
  unknown += other.unknown;
  pending += other.pending;
  twins += other.twins;
  accepted += other.accepted;
  return *this;
}

const char* to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::complete:
      return "complete";
    case Outcome::partial:
      return "partial";
    case Outcome::interrupted:
      return "interrupted";
    case Outcome::failed:
      return "failed";
  }
  return "failed";
}

Tally Ledger::messages() const {
  Tally sum;
  for (const FolderTally& folder : folders) sum += folder.messages;
  return sum;
}

std::uint64_t Ledger::folders_failed() const {
  std::uint64_t sum = 0;
  for (const FolderTally& folder : folders) sum += folder.error.has_value();
  return sum;
}

std::uint64_t Ledger::flags_updated() const {
  std::uint64_t sum = 0;
  for (const FolderTally& folder : folders) sum += folder.flags_updated;
  return sum;
}

std::uint64_t Ledger::deleted() const {
  std::uint64_t sum = 0;
  for (const FolderTally& folder : folders) sum += folder.deleted;
  return sum;
}

std::uint64_t Ledger::removed() const {
  std::uint64_t sum = 0;
  for (const FolderTally& folder : folders) sum += folder.removed;
  return sum;
}

std::uint64_t Ledger::left_at_source() const {
  std::uint64_t sum = 0;
  for (const FolderTally& folder : folders) sum += folder.left_at_source;
  return sum;
}

std::uint64_t Ledger::bytes_copied() const {
  std::uint64_t sum = 0;
  for (const FolderTally& folder : folders) sum += folder.bytes_copied;
  return sum;
}

}  // namespace postferry
