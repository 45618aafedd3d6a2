// A target that makes messages anew from what it keeps (Exchange): sizes and bytes prove nothing.
#include "tests/engine/verify_fixture.h"

using namespace postferry;

namespace {

MemoryOptions anew(bool regenerates) {
  MemoryOptions options;
  options.traits.regenerates = regenerates;
  return options;
}

}  // namespace

TEST_CASE("providers 12: where messages are made anew, sizes and bytes are no difference") {
  const auto level = GENERATE(VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes);
  for (const bool regenerates : {true, false}) {
    Proof proof({}, anew(regenerates));
    proof.carried(3);
    proof.there().messages[1].bytes += "made anew\r\n";
    CHECK(proof.verify(level).accounted_for() == regenerates);
    CHECK(proof.observer.said("their headers alone can be compared") == regenerates);
  }
}

TEST_CASE("providers 12: where messages are made anew, another header is a difference still") {
  Proof proof({}, anew(true));
  proof.carried(3);
  proof.there().messages[1].bytes = letter("other");
  const VerifyReport report = proof.verify(VerifyLevel::bytes);
  CHECK(found(report, FindingKind::differ).size() == 1);
}
