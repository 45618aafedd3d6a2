// Small pieces of IMAP's wire form, from the server's side: quoting, dates, sets of UIDs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/model.h"

namespace postferry::sim {

std::string quote(std::string_view text);

/// ` 7-Nov-2016 10:11:12 +0100`, without quotes.
std::string write_date(InternalDate date, bool two_digits);
/// Nothing for what RFC 3501's date-time does not allow.
std::optional<InternalDate> read_date(std::string_view text);

/// `1:5,7,*` as pairs, ascending in themselves; `*` is `last`. Nothing if it is no set.
struct UidSet {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
  bool descending = false;  // not in ascending order as a whole

  bool contains(std::uint32_t uid) const;
};
std::optional<UidSet> read_set(std::string_view text, std::uint32_t last);

/// `3:5,9` from numbers as they come.
std::string write_set(const std::vector<std::uint32_t>& uids);

}  // namespace postferry::sim
