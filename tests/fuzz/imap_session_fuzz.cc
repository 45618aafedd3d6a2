// A fuzzer as the server of a whole IMAP session, at either end. The first byte says which end, and
// in what pieces the rest arrives. Whatever comes, the connector must end with a result or an
// Error; virtual time keeps every wait short.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/imap/source.h"
#include "connectors/imap/target.h"
#include "tests/fuzz/fuzzed_server.h"

using namespace postferry;
using namespace postferry::fuzz;

namespace {

class OneBatch final : public AppendFeed {
 public:
  Task<std::optional<Batch>> next() override {
    if (std::exchange(given_, true)) co_return std::nullopt;
    Batch batch;
    batch.id = 1;
    for (const char* text : {"Subject: one\r\n\r\n", "Subject: two\r\n\r\nbody\r\n"}) {
      Message message;
      message.key = MessageKey(Uid{static_cast<std::uint32_t>(batch.messages.size() + 1)});
      message.flags = Flags::parse("\\Seen \\Flagged keyword");
      message.body = Body(std::string(text));
      batch.bytes += message.body.size_bytes();
      batch.messages.push_back(std::move(message));
    }
    co_return batch;
  }
  Task<void> done(Batch batch, std::vector<AppendResult> results) override {
    require(batch.messages.size() == results.size());
    co_return;
  }

 private:
  bool given_ = false;
};

EndSetup setup_with(Credentials& credentials) {
  EndSetup setup;
  setup.endpoint = parse_endpoint("imaps://ann@mail.example?compress=on");
  setup.credentials = &credentials;
  return setup;
}

Task<void> read_all(ConnectorContext context) {
  OneSecret credentials;
  const std::unique_ptr<Source> source = imap::make_source(context, setup_with(credentials));
  const std::unique_ptr<SourceSession> session = co_await source->connect();
  const std::vector<FolderInfo> folders = co_await session->list();
  source->carried(folders);
  co_await session->select(folders.empty() ? FolderName({"INBOX"}) : folders.front().name);
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

Task<void> write_some(ConnectorContext context) {
  OneSecret credentials;
  const std::unique_ptr<Target> target = imap::make_target(context, setup_with(credentials));
  const std::unique_ptr<TargetSession> session = co_await target->connect();
  co_await session->list();
  co_await session->create(FolderName({"a", "b"}), Role::sent);
  co_await session->select(FolderName({"INBOX"}));
  OneBatch feed;
  co_await session->append(feed);
  co_await session->uid_next();
  std::vector<Uid> uids;
  for (const TargetEntry& entry : co_await session->look(Uid{1})) {
    require(uids.empty() || uids.back() < entry.uid);
    uids.push_back(entry.uid);
  }
  co_await session->headers(uids);
  const Flags seen = Flags::parse("\\Seen");
  co_await session->store(uids, seen, true);
  co_await session->expunge(uids);
  co_await session->logout();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  const auto how = static_cast<unsigned char>(bytes[0]);
  play(bytes.substr(1), how >> 1, [how](ConnectorContext context) {
    return (how & 1) != 0 ? write_some(std::move(context)) : read_all(std::move(context));
  });
  return 0;
}
