// A fuzzer as the server of a whole SMTP or LMTP session: two messages to one recipient. The first
// byte says which of the two it is, and in what pieces the rest arrives. Whatever comes, each
// message ends with a result or an Error; virtual time keeps every wait short.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "connectors/smtp/relay.h"
#include "tests/fuzz/fuzzed_server.h"

using namespace postferry;
using namespace postferry::fuzz;

namespace {

std::string words_of(const RelayResult& result) {
  if (const auto* refused = std::get_if<Refused>(&result)) return refused->text;
  if (const auto* deferred = std::get_if<Deferred>(&result)) return deferred->text;
  if (const auto* undecided = std::get_if<Undecided>(&result)) return undecided->text;
  return {};
}

Task<void> hand_over(ConnectorContext context, std::string url) {
  OneSecret credentials;
  EndSetup setup;
  setup.endpoint = parse_endpoint(url);
  setup.endpoint.recipient = "bob@new.example";
  setup.endpoint.envelope_sender = "ann@old.example";
  setup.credentials = &credentials;
  const std::unique_ptr<Relay> relay = smtp::make_relay(context, std::move(setup));
  const std::unique_ptr<RelaySession> session = co_await relay->connect();
  std::uint32_t uid = 0;
  for (const char* text :
       {"Subject: one\r\n\r\n.\r\n..\r\nno line end", "Subject: \xc3\xa4\r\n\r\nb\xc3\xb6\r\n"}) {
    if (session->over()) break;
    Message message;
    message.key = MessageKey(Uid{++uid});
    message.body = Body(std::string(text));
    const RelayResult result = co_await session->send(message);
    require(words_of(result).find('\x1b') == std::string::npos);
    if (std::holds_alternative<Undecided>(result)) co_return;
  }
  co_await session->logout();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  const auto how = static_cast<unsigned char>(bytes[0]);
  const std::string url =
      (how & 1) != 0 ? "lmtp://mail.example?tls=none" : "smtps://ann@mail.example";
  play(bytes.substr(1), how >> 1,
       [&url](ConnectorContext context) { return hand_over(std::move(context), url); });
  return 0;
}
