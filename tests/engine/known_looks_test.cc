// Mail that looks the same, header for header, and comes one by one: what has crossed shows that a
// look is no proof.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

MemoryOptions from(bool pop3) {
  MemoryOptions options;
  options.uidl_keys = pop3;
  if (pop3) options.max_sessions = 1;
  return options;
}

}  // namespace

TEST_CASE("a look that a row has already is no proof: bytes tell whose copy a stranger is") {
  const bool pop3 = GENERATE(true, false), same = GENERATE(true, false);
  Pair pair(from(pop3));
  pair.add("INBOX", letter("alarm", "one"));
  // Of IMAP mail a look is known where it was found on the target.
  if (!pop3) pair.target.folder("INBOX").add(letter("alarm", "one"), {}, InternalDate{5, 0});
  pair.run();
  pair.add("INBOX", letter("alarm", "two, of another size"));
  pair.target.folder("INBOX").add(letter("alarm", same ? "two, of another size" : "three"), {},
                                  InternalDate{9, 0});
  CHECK(pair.run().messages().copied == (same ? 0 : 1));
  CHECK(pair.on_target("INBOX") == (same ? 2 : 3));
  CHECK(pair.run().messages().copied == 0);
}

TEST_CASE("a look that no row has is proof, and no body is read") {
  Pair pair(from(true));
  pair.fill("INBOX", 3);
  pair.run();
  pair.add("INBOX", letter("new"));
  pair.target.folder("INBOX").add(letter("new"), {}, InternalDate{9, 0});
  pair.source.calls.clear();
  CHECK(pair.run().messages().copied == 0);
  CHECK(pair.source.calls["fetch"] == 0);
}
