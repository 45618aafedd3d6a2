#include "connectors/header_fields.h"

namespace postferry {

HeaderFields header_fields(const mail::HeaderScan& scan) {
  HeaderFields fields;
  fields.message_id = scan.message_id;
  fields.date = scan.date;
  fields.from = scan.from;
  fields.subject = scan.subject;
  fields.to = scan.to;
  if (!scan.received.empty()) fields.received = scan.received.front();
  return fields;
}

HeaderFields header_fields(std::string_view bytes) {
  return header_fields(mail::scan_header(bytes));
}

}  // namespace postferry
