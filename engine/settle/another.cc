#include "engine/settle/another.h"

namespace postferry {

namespace {

bool is_told(std::uint64_t listed_bytes) { return listed_bytes != 0; }

bool other_size(const MessageRow& row, const Catalogue::Entry& entry) {
  return row.listed_bytes && *row.listed_bytes != entry.size_bytes && is_told(*row.listed_bytes) &&
         is_told(entry.size_bytes);
}

}  // namespace

bool is_another(const MessageRow& row, const Catalogue::Entry& entry) {
  return other_size(row, entry) && !tell_same_instant(row.date, entry.date);
}

bool may_be_another(const MessageRow& row, const Catalogue::Entry& entry) {
  return (row.sha256 || row.header) &&
         (other_size(row, entry) || !tell_same_instant(row.date, entry.date));
}

}  // namespace postferry
