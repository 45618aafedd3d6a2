#include "connectors/mbox/bundle.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "connectors/mail/mod_utf7.h"
#include "connectors/mbox/codec/decoder.h"
#include "connectors/mbox/tree.h"
#include "connectors/mbox/zip.h"
#include "engine/error.h"

namespace postferry::mbox {
namespace {

constexpr std::string_view kMbox = ".mbox";
constexpr std::size_t kTop = 16 << 10;

bool ends_in_mbox(std::string_view name) {
  if (name.size() < kMbox.size()) return false;
  return std::ranges::equal(name.substr(name.size() - kMbox.size()), kMbox, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
  });
}

/// `Archive.mbox`, and `Archive.mbox/mbox` as Apple Mail exports it.
bool is_mbox_member(const std::string& name) {
  if (name.starts_with("__MACOSX/")) return false;
  const std::string_view all = name;
  return ends_in_mbox(all) ||
         (all.ends_with("/mbox") && ends_in_mbox(all.substr(0, all.size() - 5)));
}

/// Levels of a member's name, endings taken off.
std::vector<std::string> levels_of(std::string_view name) {
  if (name.ends_with("/mbox")) name.remove_suffix(5);
  std::vector<std::string> levels;
  for (std::string_view level : mail::split_levels(name, '/')) {
    if (level.empty() || level == ".") continue;
    if (ends_in_mbox(level)) level.remove_suffix(kMbox.size());
    if (level.ends_with(".sbd")) level.remove_suffix(4);
    levels.push_back(mail::is_utf8(level) ? std::string(level) : mail::decode_lenient(level));
  }
  return levels;
}

/// Without the directories that all of them lie in; one alone is INBOX, as one file is.
std::vector<FolderName> folders_of(const std::vector<ZipMember>& members) {
  std::vector<std::vector<std::string>> all;
  for (const ZipMember& member : members) all.push_back(levels_of(member.name));
  if (all.size() == 1) return {FolderName::parse("INBOX")};
  std::size_t shared = all.front().size() - 1;
  for (const std::vector<std::string>& levels : all) {
    shared = std::min(shared, levels.size() - 1);
    for (std::size_t i = 0; i < shared; ++i)
      if (levels[i] != all.front()[i]) shared = i;
  }
  std::vector<FolderName> out;
  for (std::vector<std::string>& levels : all) {
    levels.erase(levels.begin(), levels.begin() + static_cast<std::ptrdiff_t>(shared));
    out.emplace_back(std::move(levels));
  }
  return out;
}

class ZipBundle final : public Bundle {
 public:
  ZipBundle(std::string path, std::vector<ZipMember> members)
      : path_(std::move(path)),
        members_(std::move(members)),
        folders_(folders_of(members_)),
        points_(members_.size()) {}

  const std::vector<FolderName>& folders() const override { return folders_; }
  std::vector<files::Stamp> stamps() const override {
    const std::optional<struct stat> status = files::status_of(path_);
    return {status ? files::stamp_of(*status) : files::Stamp{}};
  }
  std::unique_ptr<Bytes> open(std::size_t which) const override {
    const std::lock_guard lock(mutex_);
    return std::make_unique<ZipBytes>(path_, members_[which], points_[which]);
  }
  void learned(std::size_t which, const Bytes& bytes) override {
    const std::lock_guard lock(mutex_);
    points_[which] = dynamic_cast<const ZipBytes&>(bytes).entry_points();
  }

 private:
  std::string path_;
  std::vector<ZipMember> members_;
  std::vector<FolderName> folders_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const ZipEntryPoints>> points_;
};

class FileBundle final : public Bundle {
 public:
  explicit FileBundle(const std::map<FolderName, std::string>& files) {
    for (const auto& [folder, path] : files) {
      folders_.push_back(folder);
      paths_.push_back(path);
    }
  }

  const std::vector<FolderName>& folders() const override { return folders_; }
  std::vector<files::Stamp> stamps() const override {
    std::vector<files::Stamp> out;
    for (const std::string& path : paths_) {
      const std::optional<struct stat> status = files::status_of(path);
      out.push_back(status ? files::stamp_of(*status) : files::Stamp{});
    }
    return out;
  }
  std::unique_ptr<Bytes> open(std::size_t which) const override {
    const std::string& path = paths_[which];
    return std::make_unique<FileBytes>(files::open_file(path, O_RDONLY), path);
  }
  void learned(std::size_t, const Bytes&) override {}

 private:
  std::vector<FolderName> folders_;
  std::vector<std::string> paths_;
};

bool begins_with_labels(const std::string& path) {
  const files::File file = files::open_if_there(path, O_RDONLY);
  if (!file.open()) return false;
  const std::string start = files::read_at(file, 0, kTop, path);
  const std::size_t line = start.find('\n');
  if (line == std::string::npos) return false;
  Decoder decoder(Form::foreign, 0);
  std::string out;
  decoder.feed(std::string_view(start).substr(line + 1), out);
  return decoder.envelope().gmail_labels().has_value();
}

}  // namespace

std::unique_ptr<Bundle> open_zip_bundle(const std::string& path) {
  std::vector<ZipMember> members = list_zip(path, is_mbox_member);
  if (members.empty())
    throw Error(ErrorKind::usage, "there is no .mbox in the archive", printable(path));
  return std::make_unique<ZipBundle>(path, std::move(members));
}

std::unique_ptr<Bundle> find_google_files(const std::string& path) {
  const std::map<FolderName, std::string> files = Tree(path).files();
  const bool any =
      std::ranges::any_of(files, [](const auto& file) { return begins_with_labels(file.second); });
  return any ? std::make_unique<FileBundle>(files) : nullptr;
}

}  // namespace postferry::mbox
