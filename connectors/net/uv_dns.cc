// Look-ups on libuv's threads, and the race for a connection.
#include "connectors/net/uv_dns.h"

#include <fmt/format.h>
#include <netdb.h>

#include <cstring>

#include "engine/async/event.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/error.h"

namespace postferry::net {
namespace {

constexpr std::size_t kMostAddresses = 16;

struct Answer {
  int status = 0;
  std::vector<Address> addresses;
};

/// Shared with libuv: a look-up that the system is busy with cannot be stopped, only forgotten.
struct LookUp {
  uv_getaddrinfo_t request;
  Completion<Answer> done;
};

std::vector<Address> copy_addresses(const addrinfo* list) {
  std::vector<Address> out;
  for (; list != nullptr; list = list->ai_next) {
    if (list->ai_family != AF_INET && list->ai_family != AF_INET6) continue;
    Address address;
    if (list->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
    address.length = list->ai_addrlen;
    out.push_back(address);
  }
  return out;
}

void on_answer(uv_getaddrinfo_t* request, int status, addrinfo* list) {
  std::unique_ptr<std::shared_ptr<LookUp>> holder(
      static_cast<std::shared_ptr<LookUp>*>(request->data));
  LookUp& look_up = **holder;
  Answer answer{status, copy_addresses(list)};
  uv_freeaddrinfo(list);
  if (look_up.done.awaited()) look_up.done.set_value(std::move(answer));
}

std::string explain(int status) {
  switch (status) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
      return "no such host";
    case UV_EAI_AGAIN:
      return "the name server does not answer";
    default:
      return uv_strerror(status);
  }
}

/// What the attempts of one race share; it outlives them.
struct Race {
  UvExecutor& executor;
  std::vector<Address> addresses;
  std::vector<std::string> reasons;  // of each address: why it failed, or empty
  std::unique_ptr<UvTcp> winner;
  Event failed;
};

Task<void> attempt(Race& race, std::size_t index, TaskGroup& group) {
  try {
    std::unique_ptr<UvTcp> tcp = co_await UvTcp::connect(race.executor, race.addresses[index]);
    if (!race.winner) race.winner = std::move(tcp);
    group.cancel();
  } catch (const Error& error) {
    race.reasons[index] = error.message();
    race.failed.set();
  } catch (const TimedOut&) {
    race.reasons[index] = "no answer";
    race.failed.set();
  }
}

Task<void> run(Race& race, std::chrono::milliseconds stagger) {
  co_await with_group([&race, stagger](TaskGroup& group) -> Task<void> {
    for (std::size_t i = 0; i < race.addresses.size(); ++i) {
      race.failed.reset();
      group.spawn(attempt(race, i, group));
      try {
        co_await with_timeout(stagger, race.failed.wait());
      } catch (const TimedOut&) {
        // It is slow: the next one starts beside it.
      }
    }
    co_await group.join();
  });
}

}  // namespace

Task<std::vector<Address>> UvResolver::resolve(std::string host, std::uint16_t port) {
  co_await check_cancelled();
  if (std::optional<Address> literal = parse_address(host, port)) {
    co_return std::vector<Address>{*literal};
  }
  auto look_up = std::make_shared<LookUp>();
  look_up->request.data = new std::shared_ptr<LookUp>(look_up);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  int started = uv_getaddrinfo(executor_.loop(), &look_up->request, on_answer, host.c_str(),
                               std::to_string(port).c_str(), &hints);
  if (started < 0) {
    delete static_cast<std::shared_ptr<LookUp>*>(look_up->request.data);
    throw Error(ErrorKind::unreachable, "cannot look up the name: " + explain(started));
  }
  Answer answer = co_await look_up->done.wait([&look_up] {
    // Works only while it is queued; later the answer finds nobody waiting.
    uv_cancel(reinterpret_cast<uv_req_t*>(&look_up->request));
    look_up->done.set_cancelled();
  });
  if (answer.status < 0 || answer.addresses.empty()) {
    throw Error(
        ErrorKind::unreachable,
        "cannot look up the name: " + explain(answer.status < 0 ? answer.status : UV_EAI_NODATA));
  }
  co_return std::move(answer.addresses);
}

Task<std::unique_ptr<UvTcp>> connect_any(UvExecutor& executor, std::vector<Address> addresses,
                                         std::chrono::milliseconds stagger,
                                         std::chrono::milliseconds limit) {
  Race race{executor, interleave_families(addresses, kMostAddresses), {}, nullptr, {}};
  race.reasons.resize(race.addresses.size());
  try {
    co_await with_timeout(limit, run(race, stagger));
  } catch (const TimedOut&) {
    // Told below, for each address.
  }
  if (race.winner) co_return std::move(race.winner);
  std::string text;
  for (std::size_t i = 0; i < race.addresses.size(); ++i) {
    if (!text.empty()) text += "; ";
    text +=
        fmt::format("{}: {}", race.addresses[i].to_string(),
                    race.reasons[i].empty() ? fmt::format("no answer within {} ms", limit.count())
                                            : race.reasons[i]);
  }
  throw Error(ErrorKind::unreachable, "cannot connect: " + text);
}

}  // namespace postferry::net
