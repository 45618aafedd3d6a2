#include "connectors/pop3/remover.h"

#include <utility>

#include "connectors/pop3/pipeline.h"

namespace postferry::pop3 {

Task<Removal> remove_messages(Session& session, const Maildrop& maildrop,
                              std::vector<MessageKey> keys) {
  Removal removal;
  removal.session_over = true;
  std::vector<std::uint32_t> numbers;
  std::vector<MessageKey> listed;
  for (MessageKey& key : keys) {
    const auto found = maildrop.find(key.uidl());
    if (!found) continue;
    numbers.push_back(found->number);
    listed.push_back(std::move(key));
  }
  Pipeline deles(session, numbers.size(),
                 {.command = [&](std::size_t i) { return dele(numbers[i]); },
                  .reply_bytes = [](std::size_t) { return std::uint64_t{0}; }});
  while (!deles.done()) {
    co_await deles.refill();
    const StatusLine answer = co_await session.status();
    if (answer.ok()) {
      removal.keys.push_back(std::move(listed[deles.current()]));
    } else {
      removal.words = words(answer);
    }
    deles.answered();
  }
  try {
    const StatusLine answer = co_await session.ask(quit());
    if (!answer.ok()) {
      removal.how = Removal::How::unknown;
      removal.words = words(answer);
    }
  } catch (const Error& lost) {
    removal.how = Removal::How::unknown;
    removal.words = lost.message();
  }
  co_return removal;
}

}  // namespace postferry::pop3
