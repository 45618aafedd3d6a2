#include "connectors/mbox/source.h"

#include <chrono>
#include <utility>

#include "connectors/mbox/file.h"
#include "connectors/mbox/tree.h"
#include "engine/error.h"

namespace postferry::mbox {
namespace {

class MboxArchive final : public files::Archive {
 public:
  explicit MboxArchive(std::string path) : tree_(std::move(path)) {
    if (!tree_.exists()) {
      throw Error(ErrorKind::usage, "there is no such file or directory", printable(tree_.path()));
    }
  }

  std::vector<FolderInfo> list() override {
    std::map<FolderName, std::string> all = tree_.files();
    all.try_emplace(FolderName::parse("INBOX"));
    return tree_.describe(all);
  }

  std::optional<std::vector<files::Filed>> open(const FolderName& folder,
                                                files::Moment now) override {
    if (!file_ || folder != folder_) {
      const std::optional<std::string> path = tree_.find(folder);
      if (!path && folder.is_inbox()) {
        file_.reset();
        return std::vector<files::Filed>();
      }
      if (!path) {
        throw Error(ErrorKind::rejected, "there is no such folder", "folder " + folder.to_string());
      }
      file_.emplace(*path);
      folder_ = folder;
    }
    if (!file_->refresh(now)) return std::nullopt;
    std::vector<files::Filed> out;
    for (const Entry& entry : file_->entries()) {
      out.push_back({entry.digest, entry.size_bytes, entry.date, entry.flags});
    }
    return out;
  }

  std::unique_ptr<files::MessageReader> read(std::size_t index) override {
    return file_ ? file_->read(index) : nullptr;
  }
  bool remove(const std::vector<std::size_t>& indices, files::Moment now) override {
    return !file_ || file_->remove(indices, now);
  }

 private:
  Tree tree_;
  FolderName folder_;
  std::optional<MboxFile> file_;
};

}  // namespace

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup) {
  const Endpoint& end = setup.endpoint;
  return files::make_archive_source(
      *context.blocking, [path = end.path] { return std::make_unique<MboxArchive>(path); },
      setup.sessions(), end.to_string());
}

}  // namespace postferry::mbox
