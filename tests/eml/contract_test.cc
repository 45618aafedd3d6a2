// Directories of .eml files keep the promises of engine/source.h, as far as such files can.
#include <cstdio>

#include "connectors/eml/source.h"
#include "engine/async/manual_executor.h"
#include "tests/conformance/source_contract.h"
#include "tests/maildir/workshop.h"

using namespace postferry;
using namespace postferry::conformance;
using namespace postferry::maildir::test;

namespace {

class EmlSubject final : public SourceSubject {
 public:
  EmlSubject() {
    setup_.endpoint = parse_endpoint("eml:" + (place_ / "mail"));
    context_.blocking = &blocking_;
    std::filesystem::create_directories(place_ / "mail");
    source_ = eml::make_source(context_, setup_);
  }
  Executor& executor() override { return executor_; }
  Source& source() override { return *source_; }
  SourceKind kind() const override {
    SourceKind kind;
    kind.uids = kind.roles = kind.flags = kind.dates = false;
    return kind;
  }
  void add_folder(const FolderName& folder, Role) override {
    std::filesystem::create_directories(directory(folder));
  }
  void add_message(const FolderName& folder, const Sample& sample) override {
    char name[32];
    std::snprintf(name, sizeof name, "/%05d.%s", number_, number_ % 2 == 0 ? "eml" : "EML");
    ++number_;
    // Some programs write lines that end in LF, others in CRLF.
    const bool plain = number_ % 3 == 0;
    write_file(directory(folder) + name, plain ? on_disk(sample.bytes) : sample.bytes);
    write_file(directory(folder) + "/notes.txt", "no mail");
  }
  void remove_message(const FolderName& folder, std::size_t nth) override {
    std::vector<std::string> names = names_in(directory(folder));
    std::erase_if(names, [](const std::string& name) { return name.ends_with(".txt"); });
    std::filesystem::remove(directory(folder) + "/" + names[nth]);
  }

 private:
  std::string directory(const FolderName& folder) const {
    std::string path = place_ / "mail";
    if (folder.is_inbox()) return path;
    for (const std::string& level : folder.levels()) path += "/" + level;
    return path;
  }

  Place place_;
  ManualExecutor executor_;
  InlineBlocking blocking_;
  ConnectorContext context_;
  EndSetup setup_;
  std::unique_ptr<Source> source_;
  int number_ = 0;
};

}  // namespace

TEST_CASE("a directory of .eml files as a source keeps the contract") {
  check_source_contract([] { return std::make_unique<EmlSubject>(); });
}
