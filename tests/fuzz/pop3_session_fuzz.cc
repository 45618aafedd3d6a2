// A fuzzer as the server of POP3 sessions. The first line says how it is reached and what is asked
// of it (see source_calls.h).
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "connectors/pop3/source.h"
#include "tests/fuzz/source_calls.h"

using namespace postferry;
using namespace postferry::fuzz;

namespace {

std::string url_for(char way) {
  switch (way) {
    case '+':
      return "pop3://ann@mail.example";
    case '-':
      return "pop3://ann@mail.example?tls=none";
    case 'x':
      return "pop3s://ann@mail.example?auth=xoauth2";
    case 'g':
      return "pop3s://recent%3Aann@mail.example";
    default:
      return "pop3s://ann@mail.example";
  }
}

Task<void> use(ConnectorContext context, const Plan& plan) {
  OneSecret credentials;
  EndSetup setup;
  setup.endpoint = parse_endpoint(url_for(plan.way));
  setup.credentials = &credentials;
  const std::unique_ptr<Source> source = pop3::make_source(context, std::move(setup));
  SourceCalls calls(*source);
  co_await calls.run(plan.calls);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Plan plan(std::string_view(reinterpret_cast<const char*>(data), size));
  play(plan, plan.way == '-',
       [&plan](ConnectorContext context) { return use(std::move(context), plan); });
  return 0;
}
