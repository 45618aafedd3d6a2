// From a header as scanned to the fields by which the engine recognises a message.
#pragma once

#include <string_view>

#include "connectors/mail/header_scan.h"
#include "engine/model.h"

namespace postferry {

HeaderFields header_fields(const mail::HeaderScan& scan);
/// Of the header at the start of `bytes`.
HeaderFields header_fields(std::string_view bytes);

}  // namespace postferry
