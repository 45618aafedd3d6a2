#include "connectors/mbox/source.h"

#include <mutex>
#include <utility>

#include "connectors/mbox/export.h"
#include "connectors/mbox/file.h"
#include "connectors/mbox/tree.h"
#include "connectors/mbox/zip.h"
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

  std::vector<FolderInfo> list(files::Moment now) override {
    std::map<FolderName, std::string> all = tree_.files();
    all.try_emplace(FolderName::parse("INBOX"));
    std::vector<FolderInfo> out = tree_.describe(all);
    for (FolderInfo& info : out) {
      const std::optional<struct stat> status = files::status_of(all.at(info.name));
      if (status) info.numbers.highest_modseq = state_of(files::stamp_of(*status), now);
    }
    return out;
  }

  std::optional<files::Look> open(const FolderName& folder, files::Moment now) override {
    if (!file_ || folder != folder_) {
      const std::optional<std::string> path = tree_.find(folder);
      if (!path && folder.is_inbox()) {
        file_.reset();
        return files::Look();
      }
      if (!path) {
        throw Error(ErrorKind::rejected, "there is no such folder", "folder " + folder.to_string());
      }
      file_.emplace(*path);
      folder_ = folder;
    }
    if (!file_->refresh(now)) return std::nullopt;
    files::Look out;
    out.state = state_of(file_->stamp(), now);
    for (const Entry& entry : file_->entries()) {
      out.messages.push_back({entry.digest, entry.size_bytes, entry.date, entry.flags});
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
  static std::optional<std::uint64_t> state_of(const files::Stamp& stamp, files::Moment now) {
    return files::state_number({{"", stamp}}, now);
  }

  Tree tree_;
  FolderName folder_;
  std::optional<MboxFile> file_;
};

/// What there is at PATH decides what it is; an export is read once for all sessions.
class ArchiveOpener {
 public:
  ArchiveOpener(std::string path, const std::string& labels)
      : path_(std::move(path)),
        labels_(labels == "folders" ? LabelsAs::folders : LabelsAs::keywords) {}

  std::unique_ptr<files::Archive> operator()() {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->looked) {
      if (is_zip(path_)) {
        shared_->index = index([path = path_] { return open_zip_bundle(path); });
      } else if (path_.ends_with(".zip") && Tree(path_).is_one_file() && Tree(path_).exists()) {
        throw Error(ErrorKind::usage, "this is no zip archive", printable(path_));
      } else if (find_google_files(path_)) {
        shared_->index = index([path = path_] { return find_google_files(path); });
      }
      shared_->looked = true;
    }
    if (shared_->index) return open_export(shared_->index);
    return std::make_unique<MboxArchive>(path_);
  }

 private:
  struct Shared {
    std::mutex mutex;
    bool looked = false;
    std::shared_ptr<ExportIndex> index;
  };
  std::shared_ptr<ExportIndex> index(OpenBundle open) const {
    return make_export_index(std::move(open), labels_, path_);
  }

  std::string path_;
  LabelsAs labels_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup) {
  const Endpoint& end = setup.endpoint;
  return files::make_archive_source(*context.blocking, ArchiveOpener(end.path, end.labels),
                                    setup.sessions(), end.to_string());
}

}  // namespace postferry::mbox
