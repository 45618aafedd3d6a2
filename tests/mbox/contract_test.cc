// Mboxes keep the promises of engine/source.h and engine/target.h, with mail of our own and with
// mail of other programs in them.
#include "connectors/mbox/source.h"
#include "connectors/mbox/target.h"
#include "engine/async/manual_executor.h"
#include "tests/conformance/source_contract.h"
#include "tests/conformance/target_contract.h"
#include "tests/mbox/workshop.h"

using namespace postferry;
using namespace postferry::conformance;
using namespace postferry::mbox::test;

namespace {

class Subject {
 public:
  Subject() {
    setup_.endpoint = parse_endpoint("mbox:" + (place_ / "mail"));
    context_.blocking = &blocking_;
    std::filesystem::create_directories(place_ / "mail");
  }

 protected:
  /// Where a folder's file is: as Thunderbird has them, with UTF-8 in its names.
  std::string path_of(const FolderName& folder) const {
    std::string path = place_ / "mail";
    bool top = true;
    for (const std::string& level : folder.levels()) {
      path += (top ? "/" : ".sbd/") + level;
      top = false;
    }
    return path;
  }

  static std::string as_we_write(const Sample& sample) {
    return "From postferry,S=" + std::to_string(sample.bytes.size()) + " " +
           from_date(sample.date) + "\n" + status_fields(sample.flags) + quoted(sample.bytes);
  }

  Place place_;
  ManualExecutor executor_;
  InlineBlocking blocking_;
  ConnectorContext context_;
  EndSetup setup_;
};

class MboxSourceSubject final : public SourceSubject, private Subject {
 public:
  MboxSourceSubject() : source_(mbox::make_source(context_, setup_)) {}

  Executor& executor() override { return executor_; }
  Source& source() override { return *source_; }
  SourceKind kind() const override {
    SourceKind kind;
    kind.uids = false;
    return kind;
  }
  void add_folder(const FolderName& folder, Role role) override {
    const std::string path = path_of(folder);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    append_file(path, "");
    std::filesystem::create_directories(place_ / "mail/.imap");
    append_file(place_ / "mail/.imap/postferry-folders",
                std::string("role ") + to_string(role) + " " + folder.to_string() + "\n");
  }
  void add_message(const FolderName& folder, const Sample& sample) override {
    append_file(path_of(folder), as_we_write(sample));
  }
  void remove_message(const FolderName& folder, std::size_t nth) override {
    const std::string path = path_of(folder), text = read_file(path);
    std::vector<std::size_t> begins;
    for (std::size_t at = 0; at != std::string::npos; at = text.find("\nFrom postferry", at + 1)) {
      begins.push_back(at == 0 ? 0 : at + 1);
    }
    begins.push_back(text.size());
    write_file(path, text.substr(0, begins[nth]) + text.substr(begins[nth + 1]));
  }

 private:
  std::unique_ptr<Source> source_;
};

class MboxTargetSubject final : public TargetSubject, private Subject {
 public:
  MboxTargetSubject() : target_(mbox::make_target(context_, setup_)) {}

  Executor& executor() override { return executor_; }
  Target& target() override { return *target_; }
  std::vector<StoredMessage> stored(const FolderName& folder) override {
    run(run(target_->connect())->select(folder));  // what has no UID yet gets one
    std::vector<StoredMessage> out;
    for (const Kept& kept : messages_in(read_file(path_of(folder)))) {
      StoredMessage& message = out.emplace_back();
      message.uid =
          Uid{kept.uid > 0 ? kept.uid : (out.size() > 1 ? out[out.size() - 2].uid.value : 0) + 1};
      message.sample = {kept.bytes, kept.flags, kept.date};
    }
    return out;
  }
  void add_message(const FolderName& folder, const Sample& sample) override {
    append_file(path_of(folder), as_we_write(sample));
  }

 private:
  std::unique_ptr<Target> target_;
};

}  // namespace

TEST_CASE("an mbox as a target keeps the contract") {
  check_target_contract([] { return std::make_unique<MboxTargetSubject>(); });
}

TEST_CASE("an mbox as a source keeps the contract") {
  check_source_contract([] { return std::make_unique<MboxSourceSubject>(); });
}
