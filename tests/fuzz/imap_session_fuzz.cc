// A fuzzer as the server of IMAP sessions, at either end. The first line says which end, how it is
// reached, and what is asked of it (see source_calls.h, target_calls.h). Whatever comes, each call
// ends with a result or an Error, and keeps its promises; virtual time keeps every wait short.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "connectors/imap/source.h"
#include "connectors/imap/target.h"
#include "tests/fuzz/source_calls.h"
#include "tests/fuzz/target_calls.h"

using namespace postferry;
using namespace postferry::fuzz;

namespace {

std::string url_for(char way) {
  switch (way) {
    case '+':
      return "imap://ann@mail.example?compress=on";
    case '-':
      return "imap://ann@mail.example?tls=none";
    case 'o':
      return "imaps://ann@mail.example?auth=oauthbearer";
    case 'x':
      return "imaps://ann@mail.example?auth=xoauth2";
    case 'a':
      return "imaps://ann@mail.example?as=bob&compress=off";
    default:
      return "imaps://ann@mail.example?compress=on";
  }
}

Task<void> use(ConnectorContext context, const Plan& plan) {
  OneSecret credentials;
  EndSetup setup;
  setup.endpoint = parse_endpoint(url_for(plan.way));
  setup.credentials = &credentials;
  if (plan.end == 's') {
    const std::unique_ptr<Source> source = imap::make_source(context, setup);
    SourceCalls calls(*source);
    co_await calls.run(plan.calls);
  } else {
    const std::unique_ptr<Target> target = imap::make_target(context, setup);
    TargetCalls calls(*target);
    co_await calls.run(plan.calls);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Plan plan(std::string_view(reinterpret_cast<const char*>(data), size));
  play(plan, plan.way == '-',
       [&plan](ConnectorContext context) { return use(std::move(context), plan); });
  return 0;
}
