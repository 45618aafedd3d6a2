// Any bytes may call themselves a header: the scan and the date reader must keep their promises.
#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/mail/date.h"
#include "connectors/mail/header_scan.h"
#include "tests/fuzz/require.h"

using namespace postferry::fuzz;
using namespace postferry::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::int64_t kNow = 1'700'000'000;

  const HeaderScan scan = scan_header(bytes);
  require(scan.size_bytes <= bytes.size() && scan.size_bytes <= kMaxHeaderBytes);
  require(scan.received.size() <= scan.received_count);
  for (const auto* field : {&scan.message_id, &scan.date, &scan.from, &scan.subject, &scan.to}) {
    require(!field->has_value() || (*field)->size() <= kMaxFieldBytes);
    require(!field->has_value() || (*field)->find('\n') == std::string::npos);
  }
  require(find_field(bytes, "subject") == scan.subject);
  require(keywords(scan).size() <= kMaxKeywords);
  (void)status_flags(scan);
  if (const auto date = arrival_date(scan, kNow)) require(plausible(*date, kNow));
  if (const auto date = parse_date(bytes)) {
    require(date->zone_minutes > -960 && date->zone_minutes < 960);
  }
  return 0;
}
