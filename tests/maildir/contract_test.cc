// Maildirs keep the promises of engine/source.h and engine/target.h, with both layouts, with mail
// of our own and with mail of other programs in them.
#include "connectors/maildir/box.h"
#include "connectors/maildir/folder_path.h"
#include "connectors/maildir/source.h"
#include "connectors/maildir/target.h"
#include "engine/async/manual_executor.h"
#include "tests/conformance/source_contract.h"
#include "tests/conformance/target_contract.h"
#include "tests/maildir/workshop.h"

using namespace postferry;
using namespace postferry::conformance;
using namespace postferry::maildir::test;

namespace {

class Subject {
 public:
  explicit Subject(std::string layout) : layout_(std::move(layout)) {
    setup_.endpoint = parse_endpoint("maildir:" + (place_ / "mail") + layout_);
    context_.blocking = &blocking_;
  }

 protected:
  std::string directory(const FolderName& folder) const {
    return place_ / "mail/" + maildir::directory_of(folder, maildir::layout_of(setup_.endpoint));
  }

  /// As another program would: lines end in LF, except where that would not be the same mail; the
  /// sizes are in the name; a file without a final line end stays so.
  void deliver(const FolderName& folder, const Sample& sample) {
    const std::string to = directory(folder);
    make_folder(to);
    std::string letters;
    for (const auto& [letter, name] : letters_of(to)) {
      Flags flag;
      flag.add(name);
      if (flag.minus(sample.flags).empty()) letters += letter;
    }
    const std::string bytes = on_disk(sample.bytes);
    const std::string name = "17000000" + std::to_string(10 + delivered_++) +
                             ".M1P1.host,S=" + std::to_string(bytes.size()) +
                             ",W=" + std::to_string(sample.bytes.size()) + ":2," + letters;
    std::ranges::sort(letters);
    write_file(to + "/tmp/" + name, bytes);
    set_time(to + "/tmp/" + name, sample.date.seconds);
    std::filesystem::rename(to + "/tmp/" + name, to + "/cur/" + name);
  }

  std::string layout_;
  Place place_;
  ManualExecutor executor_;
  InlineBlocking blocking_;
  ConnectorContext context_;
  EndSetup setup_;
  int delivered_ = 0;
};

/// Filled through the target, so that the zones of dates are kept.
class MaildirSourceSubject final : public SourceSubject, private Subject {
 public:
  explicit MaildirSourceSubject(std::string layout)
      : Subject(std::move(layout)),
        source_(maildir::make_source(context_, setup_)),
        target_(maildir::make_target(context_, setup_)) {
    make_folder(directory(FolderName::parse("INBOX")));
  }

  Executor& executor() override { return executor_; }
  Source& source() override { return *source_; }
  void add_folder(const FolderName& folder, Role role) override {
    run(run(target_->connect())->create(folder, role));
  }
  void add_message(const FolderName& folder, const Sample& sample) override {
    const std::unique_ptr<TargetSession> session = run(target_->connect());
    run(session->select(folder));
    std::vector<std::vector<Message>> batches(1);
    batches[0].push_back(target_detail::message_of(sample, ++key_));
    ReadyFeed feed(std::move(batches));
    run(session->append(feed));
  }
  void remove_message(const FolderName& folder, std::size_t nth) override {
    std::map<std::uint32_t, std::string> by_uid;
    for (const auto& [base, uid] : uids_of(directory(folder))) by_uid[uid] = base;
    const std::string base = std::next(by_uid.begin(), static_cast<std::ptrdiff_t>(nth))->second;
    for (const std::string& name : names_in(directory(folder) + "/cur")) {
      if (name.starts_with(base)) std::filesystem::remove(directory(folder) + "/cur/" + name);
    }
  }

 private:
  std::unique_ptr<Source> source_;
  std::unique_ptr<Target> target_;
  std::uint32_t key_ = 0;
};

class MaildirTargetSubject final : public TargetSubject, private Subject {
 public:
  explicit MaildirTargetSubject(std::string layout)
      : Subject(std::move(layout)), target_(maildir::make_target(context_, setup_)) {}

  Executor& executor() override { return executor_; }
  Target& target() override { return *target_; }
  std::vector<StoredMessage> stored(const FolderName& folder) override {
    run(run(target_->connect())->select(folder));  // what has no UID yet gets one
    const std::string in = directory(folder);
    const auto uids = uids_of(in);
    const auto letters = letters_of(in);
    std::vector<StoredMessage> out;
    for (const std::string& name : names_in(in + "/cur")) {
      StoredMessage& message = out.emplace_back();
      const std::size_t colon = name.find(":2,");
      message.uid = Uid{uids.at(name.substr(0, colon))};
      for (const char letter : name.substr(colon + 3)) message.sample.flags.add(letters.at(letter));
      const bool ours = name.find(".postferry,") != std::string::npos;
      const std::string bytes = read_file(in + "/cur/" + name);
      message.sample.bytes = bytes;
      struct stat status{};
      REQUIRE(::stat((in + "/cur/" + name).c_str(), &status) == 0);
      message.sample.date.seconds = status.st_mtim.tv_sec;
      if (ours) {
        message.sample.date.zone_minutes =
            static_cast<std::int16_t>(std::stoi(name.substr(name.find('Z') + 1)));
      } else {
        message.sample.bytes.clear();
        for (const char c : bytes) message.sample.bytes += c == '\n' ? "\r\n" : std::string(1, c);
      }
    }
    std::ranges::sort(out, {}, &StoredMessage::uid);
    return out;
  }
  void add_message(const FolderName& folder, const Sample& sample) override {
    deliver(folder, sample);
  }

 private:
  std::unique_ptr<Target> target_;
};

}  // namespace

TEST_CASE("a Maildir as a source keeps the contract") {
  const std::string layout = GENERATE("", "?layout=fs");
  check_source_contract([&] { return std::make_unique<MaildirSourceSubject>(layout); });
}

TEST_CASE("a Maildir as a target keeps the contract") {
  const std::string layout = GENERATE("", "?layout=fs");
  check_target_contract([&] { return std::make_unique<MaildirTargetSubject>(layout); });
}
