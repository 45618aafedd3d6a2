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

}  // namespace postferry
