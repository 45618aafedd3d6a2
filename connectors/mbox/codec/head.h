// What a message of ours has at its top: the fields of the mbox, with room to change them in place.
//
//   X-IMAPbase: 1700000000 0000000123 Work  the first message only: UIDVALIDITY, the last UID, and
//                                           the keywords of all: Dovecot takes any other for text
//   X-UID: 0000000007
//   Status: RO
//   X-Status: AFTD                          padded with blanks
//   X-Keywords: $Forwarded Work             the same
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "connectors/mbox/codec/decoder.h"
#include "engine/model.h"

namespace postferry::mbox {

struct Head {
  std::optional<Envelope::Base> base;
  std::uint32_t uid = 0;
  Flags flags;
};

std::string format_head(const Head& head);
/// As format_head, but of just `bytes` bytes; nothing where there is not so much room.
std::optional<std::string> format_head(const Head& head, std::size_t bytes);
std::string format_base(const Envelope::Base& base);

}  // namespace postferry::mbox
