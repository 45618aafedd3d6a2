// A fuzzer as the server of a whole POP3 session. The first byte says in what pieces the rest
// arrives.
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/pop3/source.h"
#include "tests/fuzz/fuzzed_server.h"

using namespace postferry;
using namespace postferry::fuzz;

namespace {

Task<void> read_all(ConnectorContext context) {
  OneSecret credentials;
  EndSetup setup;
  setup.endpoint = parse_endpoint("pop3s://ann@mail.example");
  setup.credentials = &credentials;
  const std::unique_ptr<Source> source = pop3::make_source(context, std::move(setup));
  const std::unique_ptr<SourceSession> session = co_await source->connect();
  co_await session->list();
  co_await session->select(FolderName({"INBOX"}));
  const Catalogue catalogue = co_await session->catalogue();
  std::vector<Catalogue::Entry> wanted;
  std::vector<MessageKey> keys;
  for (std::size_t i = 0; i < catalogue.size(); ++i) {
    wanted.push_back(catalogue[i]);
    keys.push_back(catalogue.key(i));
  }
  co_await session->headers(std::move(keys));
  CountingSink sink(wanted.size());
  co_await session->fetch(std::move(wanted), sink);
  sink.check_complete();
  co_await session->logout();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  play(bytes.substr(1), static_cast<unsigned char>(bytes[0]), read_all);
  return 0;
}
