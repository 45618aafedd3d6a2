// Names, sets and dates: what decodes encodes again to the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/imap/codec/command.h"
#include "connectors/imap/codec/internal_date.h"
#include "connectors/imap/codec/response_code.h"
#include "connectors/imap/codec/sequence_set.h"
#include "connectors/mail/mod_utf7.h"

using namespace postferry::imap;
using namespace postferry::mail;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

void check_name(std::string_view text) {
  if (const auto name = decode_mod_utf7(text)) {
    check(is_utf8(name->utf8));
    const auto raw = encode_mod_utf7(name->utf8);
    check(raw && name->exact == (*raw == text));
    const auto again = decode_mod_utf7(*raw);
    check(again && again->exact && again->utf8 == name->utf8);
  }
  const auto raw = encode_mod_utf7(text);
  check(raw.has_value() == is_utf8(text));
  if (raw) check(decode_mod_utf7(*raw)->utf8 == text);
  std::string joined;
  for (const std::string_view level : split_levels(text, '/')) joined.append(level).append("/");
  check(joined == std::string(text) + "/");
}

void check_set(std::string_view text) {
  const auto set = SequenceSet::parse(text, 50);
  if (!set) return;
  const auto again = SequenceSet::parse(set->to_string(), 50);
  check(again && *again == *set);
  if (set->count() > 10000) return;
  std::uint64_t count = 0;
  bool ascends = true;
  std::vector<std::uint32_t> numbers;
  for (const std::uint32_t number : *set) {
    ascends = ascends && (numbers.empty() || numbers.back() < number);
    numbers.push_back(number);
    ++count;
  }
  check(count == set->count());
  if (!ascends) return;
  check(encode_set(numbers) == set->to_string());
  std::string joined;
  for (const std::string& piece : split_set(numbers, 30)) {
    check(piece.size() <= 30);
    if (!joined.empty()) joined += ',';
    joined += piece;
  }
  check(joined == set->to_string());
}

void check_date(std::string_view text) {
  const auto date = parse_internal_date(text);
  if (!date) return;
  const auto written = format_internal_date(*date);
  // A leap second at the end of 9999 has no wire form of its own.
  if (written) check(parse_internal_date(*written) == *date);
}

void check_codes(std::string_view text) {
  const ResponseCode code = parse_response_code(text);
  code_number(code);
  code_capabilities(code);
  code_flags(code);
  code_append_uid(code);
  if (const auto copy = code_copy_uid(code)) check(copy->source.count() == copy->target.count());
  code_mailbox_id(code);
  code_message_limit(code);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_name(text);
  check_set(text);
  check_date(text);
  check_codes(text);
  return 0;
}
