// The header of a message that is relayed (RFC 5321 4.4, RFC 5322 3.6.6): what goes before it, what
// is left out of it, and how often it has travelled already. Bytes in, bytes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postferry::smtp {

/// Bytes looked at from the start of a message; a header that is longer stays as it is behind them.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 20;
/// A message with more Received fields is taken for one that goes in circles; sites stop at 20 to
/// 100.
inline constexpr std::size_t kMaxReceived = 50;

/// What is said of one message's way.
struct Trace {
  std::string from;         // the source's host
  std::string by;           // this host
  std::string token;        // ours for this recipient, by which a loop is known
  std::string id;           // the message's
  std::string recipient;    // the new one
  std::string resent_from;  // an address: a Resent- block is wanted; empty: none
  std::int64_t now = 0;     // seconds since 1970 UTC
};

/// What names mail that has been relayed to this recipient before: the same everywhere and always.
std::string loop_token(std::string_view recipient);

struct RelayedHeader {
  std::string bytes;  // to be sent instead of the first `replaced` bytes
  std::size_t replaced = 0;
  std::size_t received_count = 0;
  bool looped = false;  // it bears the token
};

/// `start` is the beginning of the message, up to kMaxHeaderBytes. Before it go a Received field
/// and the Resent- block, if one is wanted. Left out: an mbox `From ` line, Return-Path, Bcc,
/// Status, X-Status, X-Keywords, X-UID and its kin; Delivered-To becomes X-Delivered-To (a local
/// delivery of the recipient's server would take it for a loop). A field that a DKIM or ARC
/// signature covers stays as it is; so does every other byte.
RelayedHeader relayed_header(std::string_view start, const Trace& trace);

/// "Tue, 24 Nov 2026 22:10:00 +0000"
std::string mail_date(std::int64_t seconds);

}  // namespace postferry::smtp
