// Fetches headers by TOP, or by RETR where TOP is not to be had, or gives a part of the header; and
// digests of whole messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "connectors/mail/header_scan.h"
#include "connectors/pop3/maildrop.h"
#include "connectors/pop3/session.h"
#include "engine/digest.h"
#include "engine/model.h"

namespace postferry::pop3 {

/// Calls `take(index, header)` once for each of `entries` whose header the server gives, in any
/// order; others are left out. Throws Error{transient} where it will give one later. Message bodies
/// that come along are dropped on the way.
Task<void> read_headers(Session& session, std::vector<Maildrop::Entry> entries,
                        std::function<void(std::size_t, const mail::HeaderScan&)> take);

/// Calls `take(index, digest)` once for each of `entries` that the server gives, in any order, with
/// the SHA-256 of its bytes; others are left out. Throws Error{transient} where it will give one
/// later.
Task<void> read_digests(Session& session, std::vector<Maildrop::Entry> entries,
                        std::function<void(std::size_t, const Sha256&)> take);

}  // namespace postferry::pop3
