#include "connectors/maildir/box.h"

#include <functional>
#include <optional>

#include "connectors/files/patiently.h"
#include "connectors/maildir/message_file.h"
#include "engine/async/scope.h"
#include "engine/error.h"

namespace postferry::maildir {
namespace {

/// The file of a UID; nothing when it is gone. A file that was renamed since the folder was read is
/// looked for once more.
std::optional<MessageFile> open_message(Folder& folder, Uid uid, Moment now) {
  for (const bool again : {false, true}) {
    if (again && !folder.refresh(now))
      throw Error(ErrorKind::transient, "another program holds the folder's lock",
                  printable(folder.directory()));
    const std::optional<std::size_t> index = folder.find(uid);
    if (!index) continue;
    if (auto file = MessageFile::open(folder.path(*index), parse_file_name(folder.name(*index)))) {
      return file;
    }
  }
  return std::nullopt;
}

/// A file of the folder, for those who hand messages over.
class FileReader final : public files::MessageReader {
 public:
  explicit FileReader(MessageFile file) : file_(std::move(file)) {}
  std::uint64_t size_bytes() const override { return file_.size_bytes(); }
  std::string next(std::size_t limit) override { return file_.next(limit); }

 private:
  MessageFile file_;
};

}  // namespace

Layout layout_of(const Endpoint& end) {
  return end.layout == "fs" ? Layout::fs : Layout::maildirpp;
}

Task<void> Box::patiently(std::function<bool()> job) {
  return files::patiently(blocking_, std::move(job), folder_ ? folder_->directory() : "");
}

Task<std::vector<FolderInfo>> Box::list() {
  const Moment now = co_await moment();
  co_return co_await run([this, now] { return root_->list(now); });
}

Task<FolderNumbers> Box::select(FolderName name) {
  folder_.reset();
  const std::optional<std::string> directory =
      co_await run([this, &name] { return root_->find(name); });
  const bool none_yet = !directory && name.is_inbox();  // it is always listed
  if (none_yet) {
    folder_ = std::make_unique<Folder>(root_->path(), access_);
  } else if (!directory) {
    throw Error(ErrorKind::rejected, "there is no such folder", "folder " + name.to_string());
  }
  if (directory) folder_ = std::make_unique<Folder>(*directory, access_);
  co_await refresh();
  co_return folder_->numbers();
}

Task<void> Box::refresh() {
  const Moment now = co_await moment();
  co_await patiently([this, now] { return folder_->refresh(now); });
}

files::OpenByKey Box::opener(Moment now) {
  return [this, now](const MessageKey& key) -> std::optional<files::OpenMessage> {
    std::optional<MessageFile> file = open_message(*folder_, key.uid(), now);
    if (!file) return std::nullopt;
    files::OpenMessage out;
    out.flags = folder_->flags(*folder_->find(key.uid()));
    out.date = file->date();
    out.reader = std::make_unique<FileReader>(std::move(*file));
    return out;
  };
}

Task<std::vector<HeaderEntry>> Box::headers(std::vector<Uid> uids) {
  const Moment now = co_await moment();
  const std::vector<MessageKey> keys(uids.begin(), uids.end());
  co_return co_await run([this, &keys, now] { return files::read_headers(keys, opener(now)); });
}

Task<void> Box::fetch(std::vector<Uid> uids, MessageSink& sink) {
  const Moment now = co_await moment();
  std::vector<MessageKey> keys(uids.begin(), uids.end());
  co_await files::deliver(blocking_, std::move(keys), opener(now), sink, folder_->directory());
}

}  // namespace postferry::maildir
