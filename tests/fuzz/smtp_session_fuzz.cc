// A fuzzer as the server of SMTP or LMTP sessions: messages to one recipient. The first line says
// how it is reached, and which messages are handed over: `h` a held one, `8` one with bytes that
// are not ASCII, `b` a large one; `q` logs out and in again. Whatever comes, each message ends with
// a result or an Error; virtual time keeps every wait short.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "connectors/smtp/relay.h"
#include "tests/fuzz/fuzzed_server.h"

using namespace postferry;
using namespace postferry::fuzz;

namespace {

std::string url_for(char way) {
  switch (way) {
    case '+':
      return "smtp://ann@mail.example";
    case '-':
      return "smtp://mail.example?tls=none";
    case 'l':
      return "lmtp://mail.example?tls=none";
    case 'm':
      return "mx:mail.example";
    case 'x':
      return "smtps://ann@mail.example?auth=xoauth2";
    default:
      return "smtps://ann@mail.example";
  }
}

class TwoHosts final : public net::MailExchangers {
 public:
  Task<std::vector<std::string>> look_up(std::string, std::string) override {
    co_return std::vector<std::string>{"mx1.example", "mx2.example"};
  }
};

std::string words_of(const RelayResult& result) {
  if (const auto* refused = std::get_if<Refused>(&result)) return refused->text;
  if (const auto* deferred = std::get_if<Deferred>(&result)) return deferred->text;
  if (const auto* undecided = std::get_if<Undecided>(&result)) return undecided->text;
  return {};
}

Body body_for(char call) {
  if (call == '8') return Body(std::string("Subject: \xc3\xa4\r\n\r\nb\xc3\xb6\r\n"));
  if (call == 'b') return Body("Subject: big\r\n\r\n" + std::string(300'000, '.'));
  return Body(std::string("Subject: one\r\n\r\n.\r\n..\r\nno line end"));
}

Task<void> use(ConnectorContext context, const Plan& plan) {
  OneSecret credentials;
  TwoHosts exchangers;
  context.exchangers = &exchangers;
  context.host_name = "us.example";
  EndSetup setup;
  setup.endpoint = parse_endpoint(url_for(plan.way));
  setup.endpoint.recipient = plan.end == 'u' ? "b\xc3\xb6@new.example" : "bob@new.example";
  setup.endpoint.envelope_sender = "ann@old.example";
  setup.endpoint.resent = plan.end == 'r';
  setup.credentials = &credentials;
  const std::unique_ptr<Relay> relay = smtp::make_relay(context, std::move(setup));
  std::unique_ptr<RelaySession> session = co_await relay->connect();
  std::uint32_t uid = 0;
  for (const char call : plan.calls) {
    bool dead = false;
    if (call != 'q' && !session->over()) {
      Message message;
      message.key = MessageKey(Uid{++uid});
      message.body = body_for(call);
      try {
        const RelayResult result = co_await session->send(message);
        require(words_of(result).find('\x1b') == std::string::npos);
        dead = std::holds_alternative<Undecided>(result);
      } catch (const Error& error) {
        require(std::string_view(error.what()).find('\x1b') == std::string_view::npos);
        dead = true;
      }
    }
    if (!dead && call != 'q' && !session->over()) continue;
    if (!dead) co_await session->logout();
    session.reset();
    session = co_await relay->connect();
  }
  co_await session->logout();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Plan plan(std::string_view(reinterpret_cast<const char*>(data), size));
  play(plan, plan.way == '-' || plan.way == 'l',
       [&plan](ConnectorContext context) { return use(std::move(context), plan); });
  return 0;
}
