// MX records by c-ares, whose own loop runs on a thread: a look-up is rare, and waits for nothing
// but a name server.
#include "connectors/net/mail_exchangers.h"

#include <ares.h>
#include <ares_nameser.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>

#include "engine/error.h"

namespace postferry::net {
namespace {

constexpr int kTimeoutMs = 5000;  // of the first try; c-ares doubles it
constexpr int kTries = 3;
constexpr std::size_t kMostHosts = 16;

struct Answer {
  bool ended = false;
  int status = ARES_SUCCESS;
  std::multimap<unsigned, std::string> hosts;  // by preference
  bool null_mx = false;                        // RFC 7505
  bool no_host = false;                        // a name that is none
};

/// c-ares 1.18 needs its library set up once a process, before any thread uses it.
const int kLibrary = ares_library_init(ARES_LIB_INIT_ALL);

void take_answer(void* context, int status, int, unsigned char* bytes, int length) {
  Answer& answer = *static_cast<Answer*>(context);
  answer.ended = true;
  answer.status = status;
  if (status != ARES_SUCCESS) return;
  ares_mx_reply* first = nullptr;
  answer.status = ares_parse_mx_reply(bytes, length, &first);
  for (const ares_mx_reply* mx = first; mx != nullptr; mx = mx->next) {
    const std::string host = mx->host;
    if (host.empty() || host == ".") {
      answer.null_mx = true;
    } else if (host.contains('/')) {
      answer.no_host = true;  // it would be taken for the path of a socket
    } else {
      answer.hosts.emplace(mx->priority, host);
    }
  }
  if (first != nullptr) ares_free_data(first);
}

[[noreturn]] void fail(ErrorKind kind, const std::string& domain, const std::string& why) {
  throw Error(kind, fmt::format("mail exchangers of {}: {}", domain, why));
}

void wait_for_answer(ares_channel channel, const Answer& answer) {
  while (!answer.ended) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const int bits = ares_getsock(channel, sockets.data(), static_cast<int>(sockets.size()));
    std::array<pollfd, ARES_GETSOCK_MAXNUM> polled{};
    nfds_t count = 0;
    for (unsigned i = 0; i < sockets.size(); ++i) {
      const unsigned wanted = static_cast<unsigned>(bits);
      const bool reads = (wanted >> i & 1) != 0;
      const bool writes = (wanted >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0;
      if (!reads && !writes) continue;
      polled[count++] = {sockets[i],
                         static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), 0};
    }
    timeval most{kTimeoutMs / 1000, 0}, left{};
    const timeval* next = ares_timeout(channel, &most, &left);
    const auto wait = static_cast<int>(next->tv_sec * 1000 + next->tv_usec / 1000 + 1);
    ::poll(polled.data(), count, wait);
    if (count == 0) ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    for (nfds_t i = 0; i < count; ++i) {
      const bool readable = (polled[i].revents & ~POLLOUT) != 0;
      const bool writable = (polled[i].revents & POLLOUT) != 0;
      ares_process_fd(channel, readable ? polled[i].fd : ARES_SOCKET_BAD,
                      writable ? polled[i].fd : ARES_SOCKET_BAD);
    }
  }
}

Answer ask(const std::string& domain, const std::string& server) {
  if (kLibrary != ARES_SUCCESS) fail(ErrorKind::local, domain, ares_strerror(kLibrary));
  ares_options options{};
  options.timeout = kTimeoutMs;
  options.tries = kTries;
  ares_channel channel = nullptr;
  int status = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
  if (status != ARES_SUCCESS) fail(ErrorKind::local, domain, ares_strerror(status));
  const std::unique_ptr<std::remove_pointer_t<ares_channel>, void (*)(ares_channel)> owner(
      channel, ares_destroy);
  if (!server.empty()) status = ares_set_servers_ports_csv(channel, server.c_str());
  if (status != ARES_SUCCESS)
    fail(ErrorKind::usage, domain, fmt::format("dns={}: {}", server, ares_strerror(status)));
  Answer answer;
  ares_query(channel, domain.c_str(), ns_c_in, ns_t_mx, take_answer, &answer);
  wait_for_answer(channel, answer);
  return answer;
}

std::vector<std::string> hosts_of(const std::string& domain, const std::string& server) {
  const Answer answer = ask(domain, server);
  if (answer.status == ARES_ENOTFOUND) fail(ErrorKind::rejected, domain, "there is no such domain");
  if (answer.status != ARES_SUCCESS && answer.status != ARES_ENODATA)
    fail(ErrorKind::transient, domain, ares_strerror(answer.status));
  if (answer.hosts.empty() && answer.null_mx)
    fail(ErrorKind::rejected, domain, "it takes no mail (null MX)");
  if (answer.hosts.empty() && answer.no_host)
    fail(ErrorKind::rejected, domain, "what it names is no host");
  if (answer.hosts.empty()) return {domain};
  // RFC 5321 5.1: those of equal preference in random order, to spread the load.
  std::vector<std::string> hosts;
  std::random_device dice;
  for (auto at = answer.hosts.begin(); at != answer.hosts.end();) {
    const auto end = answer.hosts.upper_bound(at->first);
    std::vector<std::string> equals;
    for (; at != end; ++at) equals.push_back(at->second);
    std::ranges::shuffle(equals, dice);
    hosts.insert(hosts.end(), equals.begin(), equals.end());
  }
  hosts.resize(std::min(hosts.size(), kMostHosts));
  return hosts;
}

}  // namespace

Task<std::vector<std::string>> AresMailExchangers::look_up(std::string domain, std::string server) {
  co_return co_await blocking_.run([&domain, &server] { return hosts_of(domain, server); });
}

}  // namespace postferry::net
