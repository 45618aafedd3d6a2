#include "engine/fingerprint.h"

#include <cstring>

#include "engine/digest.h"

namespace postferry {

std::string canonical_field(const std::string& field) {
  std::string out;
  bool blank = false;
  for (char c : field) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      blank = !out.empty();
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    out += static_cast<unsigned char>(c) >= 0x80 ? 'X' : c;
  }
  return out;
}

Fingerprint fingerprint(const HeaderFields& fields) {
  Digest digest;
  int present = 0;
  for (const auto* field :
       {&fields.message_id, &fields.date, &fields.from, &fields.subject, &fields.to}) {
    std::string text;
    if (*field) {
      text = canonical_field(**field);
      if (!text.empty()) ++present;
    }
    digest.update(text);
    digest.update(std::string_view("\0", 1));
  }
  const Sha256 hash = digest.finish();
  Fingerprint out;
  std::memcpy(&out.high, hash.data(), 8);
  std::memcpy(&out.low, hash.data() + 8, 8);
  out.fields = present;
  return out;
}

std::uint64_t header_hash(const HeaderFields& fields) {
  const Fingerprint print = fingerprint(fields);
  Digest digest;
  digest.update({reinterpret_cast<const char*>(&print.high), sizeof print.high});
  digest.update({reinterpret_cast<const char*>(&print.low), sizeof print.low});
  if (fields.received) digest.update(canonical_field(*fields.received));
  const Sha256 sum = digest.finish();
  std::uint64_t hash = 0;
  std::memcpy(&hash, sum.data(), sizeof hash);
  return hash;
}

}  // namespace postferry
