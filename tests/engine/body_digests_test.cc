#include "engine/settle/body_digests.h"

#include <catch2/catch.hpp>
#include <string>

namespace postferry {
namespace {

const std::string kHead = "From: a@example.org\r\nSubject: one\r\n";
const std::string kTuid = "X-TUID: abcDEF012+/z\r\n";
const std::string kBody = "\r\nX-TUID: abcDEF012+/z\r\n8-bit \xe4\r\n";

Sha256 digest(Comparison comparison, const std::string& message, std::size_t piece = 1 << 20) {
  ForgivingDigest digest(comparison);
  for (std::size_t at = 0; at < message.size(); at += piece)
    digest.update(std::string_view(message).substr(at, piece));
  return digest.finish();
}

constexpr Comparison kExact{.forgiving = false, .munged_header = false, .without_tuid = false};
constexpr Comparison kForgiving{};
constexpr Comparison kMunged{.forgiving = true, .munged_header = true, .without_tuid = false};
constexpr Comparison kWithoutTuid{.forgiving = true, .munged_header = false, .without_tuid = true};

}  // namespace

TEST_CASE("a digest does not depend on the pieces in which a message comes") {
  const std::string message = kHead + kTuid + std::string(100, 'x') + ": \xc3\r\n" + kBody;
  for (const Comparison comparison : {kExact, kForgiving, kMunged, kWithoutTuid})
    for (std::size_t piece = 1; piece < 40; ++piece)
      CHECK(digest(comparison, message, piece) == digest(comparison, message));
}

TEST_CASE("an exact digest is the SHA-256 of the bytes") {
  CHECK(digest(kExact, kHead + kTuid + kBody) == sha256(kHead + kTuid + kBody));
}

TEST_CASE("the line that mbsync adds to a header is left out where that is wanted, and no other") {
  CHECK(digest(kWithoutTuid, kHead + kTuid + kBody) == digest(kWithoutTuid, kHead + kBody));
  CHECK(digest(kWithoutTuid, kTuid + kHead + kBody) == digest(kWithoutTuid, kHead + kBody));
  CHECK(digest(kForgiving, kHead + kTuid + kBody) != digest(kForgiving, kHead + kBody));
  // In the body, at another length, within a line, with another name.
  CHECK(digest(kWithoutTuid, kHead + kBody) != digest(kWithoutTuid, kHead + "\r\n8-bit \xe4\r\n"));
  for (const char* line : {"X-TUID: short\r\n", "X-TUIX: abcDEF012+/z\r\n",
                           " X-TUID: abcDEF012+/z\r\n", "X-TUID: abcDEF012+/zz\r\n"})
    CHECK(digest(kWithoutTuid, kHead + line + kBody) != digest(kWithoutTuid, kHead + kBody));
  const std::string within = "X: " + std::string(40, 'x') + kTuid;
  CHECK(digest(kWithoutTuid, kHead + within + kBody) != digest(kWithoutTuid, kHead + kBody));
}

TEST_CASE("a NUL that a server tells as 0x80 and a CRLF at the end are forgiven, not more") {
  const std::string nul = kBody + std::string(1, '\0');
  CHECK(digest(kForgiving, kHead + nul) == digest(kForgiving, kHead + kBody + "\x80"));
  CHECK(digest(kForgiving, kHead + nul + "\r\n") == digest(kForgiving, kHead + nul));
  CHECK(digest(kExact, kHead + nul) != digest(kExact, kHead + kBody + "\x80"));
  CHECK(digest(kForgiving, kHead + nul) != digest(kForgiving, kHead + kBody + "\x81"));
}

TEST_CASE("8-bit bytes are X in a munged header, and themselves in the body") {
  const std::string field = "X-Name: M\xc3\xbcller\r\n", munged = "X-Name: MXXller\r\n";
  CHECK(digest(kMunged, kHead + field + kBody) == digest(kMunged, kHead + munged + kBody));
  CHECK(digest(kMunged, kHead + "\r\n\xe4\r\n") != digest(kMunged, kHead + "\r\nX\r\n"));
  CHECK(digest(kForgiving, kHead + field + kBody) != digest(kForgiving, kHead + munged + kBody));
}

}  // namespace postferry
