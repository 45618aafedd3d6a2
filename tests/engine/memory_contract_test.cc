// The servers in memory keep the contracts of the ports, in every guise they can take.

#include "connectors/memory/source.h"
#include "connectors/memory/target.h"
#include "engine/async/manual_executor.h"
#include "tests/conformance/source_contract.h"
#include "tests/conformance/target_contract.h"

using namespace postferry;
using namespace postferry::conformance;

namespace {

class MemorySourceSubject final : public SourceSubject {
 public:
  explicit MemorySourceSubject(MemoryOptions options)
      : server_(std::move(options)), source_(make_memory_source(server_)) {}

  Executor& executor() override { return executor_; }
  Source& source() override { return *source_; }
  SourceKind kind() const override {
    SourceKind kind;
    if (server_.options().uidl_keys) kind.uids = kind.flags = kind.dates = false;
    kind.removes = server_.options().uidl_keys || server_.options().traits.uidplus;
    return kind;
  }
  void add_folder(const FolderName& folder, Role role) override {
    server_.folder(folder).role = role;
  }
  void add_message(const FolderName& folder, const Sample& sample) override {
    server_.folder(folder).add(sample.bytes, sample.flags, sample.date);
  }
  void remove_message(const FolderName& folder, std::size_t nth) override {
    MemoryFolder& from = server_.folder(folder);
    from.remove(from.messages.at(nth).uid);
  }

 private:
  ManualExecutor executor_;
  MemoryServer server_;
  std::unique_ptr<Source> source_;
};

class MemoryTargetSubject final : public TargetSubject {
 public:
  explicit MemoryTargetSubject(MemoryOptions options)
      : server_(std::move(options)), target_(make_memory_target(server_)) {
    server_.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
      if (message.bytes.find('\0') == std::string::npos) return std::nullopt;
      return "NO message contains NUL";
    };
  }

  Executor& executor() override { return executor_; }
  Target& target() override { return *target_; }
  std::vector<StoredMessage> stored(const FolderName& folder) override {
    std::vector<StoredMessage> stored;
    for (const MemoryMessage& message : server_.folder(folder).messages) {
      stored.push_back({message.uid, {message.bytes, message.flags, message.date.value()}});
    }
    return stored;
  }
  void add_message(const FolderName& folder, const Sample& sample) override {
    server_.folder(folder).add(sample.bytes, sample.flags, sample.date);
  }
  std::string expected(const std::string& sent) const override {
    return server_.options().traits.adds_received ? "Received: by memory\r\n" + sent : sent;
  }
  std::optional<std::string> refused() const override {
    return std::string("Subject: x\r\n\r\na\0b", 17);
  }

 private:
  ManualExecutor executor_;
  MemoryServer server_;
  std::unique_ptr<Target> target_;
};

}  // namespace

TEST_CASE("A source in memory keeps the contract") {
  MemoryOptions options;
  check_source_contract([&] { return std::make_unique<MemorySourceSubject>(options); });
}

TEST_CASE("A source in memory with CONDSTORE and a distance keeps the contract") {
  MemoryOptions options;
  options.condstore = true;
  options.round_trip = std::chrono::milliseconds(40);
  options.stream_above = 100;
  check_source_contract([&] { return std::make_unique<MemorySourceSubject>(options); });
}

TEST_CASE("A source in memory with UIDLs keeps the contract") {
  MemoryOptions options;
  options.uidl_keys = true;
  check_source_contract([&] { return std::make_unique<MemorySourceSubject>(options); });
}

TEST_CASE("A source in memory without UIDPLUS keeps the contract") {
  MemoryOptions options;
  options.traits.uidplus = false;
  check_source_contract([&] { return std::make_unique<MemorySourceSubject>(options); });
}

TEST_CASE("A target in memory keeps the contract") {
  MemoryOptions options;
  check_target_contract([&] { return std::make_unique<MemoryTargetSubject>(options); });
}

TEST_CASE("A target in memory without UIDPLUS keeps the contract") {
  MemoryOptions options;
  options.traits.uidplus = false;
  options.traits.batch_messages = 1;
  check_target_contract([&] { return std::make_unique<MemoryTargetSubject>(options); });
}

TEST_CASE("A target in memory that drops keywords and adds Received keeps the contract") {
  MemoryOptions options;
  options.traits.adds_received = true;
  options.keywords = {"Work"};
  options.round_trip = std::chrono::milliseconds(40);
  check_target_contract([&] { return std::make_unique<MemoryTargetSubject>(options); });
}
