#include "connectors/mbox/export.h"

#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "connectors/mbox/index.h"
#include "engine/error.h"

namespace postferry::mbox {
namespace {

struct Stored {
  std::size_t mbox = 0;
  Entry entry;
};
struct Item {
  std::size_t message = 0;
  Flags flags;
};
struct Shelf {
  Role role = Role::none;
  std::vector<Item> items;
};
/// All of an export, as it was at one time.
struct Filing {
  std::unique_ptr<Bundle> bundle;
  std::vector<files::Stamp> stamps;
  std::vector<Stored> messages;
  std::map<FolderName, Shelf> shelves;
};

Flags sum(Flags flags, const Flags& more) {
  for (const std::string& name : more.names()) flags.add(name);
  return flags;
}

/// Reads a bundle through.
class Filer {
 public:
  Filer(std::unique_ptr<Bundle> bundle, LabelsAs labels, const std::string& path, files::Moment now)
      : bundle_(*bundle), labels_(labels), path_(path), now_(now) {
    filing_.bundle = std::move(bundle);
  }

  Filing run() {
    filing_.stamps = bundle_.stamps();
    filing_.shelves[FolderName::parse("INBOX")].role = Role::inbox;
    for (std::size_t mbox = 0; mbox < bundle_.folders().size(); ++mbox) read(mbox);
    if (bundle_.stamps() != filing_.stamps)
      throw Error(ErrorKind::transient, "the archive changed while it was read", printable(path_));
    return std::move(filing_);
  }

 private:
  void read(std::size_t mbox) {
    const std::unique_ptr<Bytes> bytes = bundle_.open(mbox);
    IndexOptions options;
    options.now_seconds = now_ / 1'000'000'000;
    bool labelled = false;
    const bool good = index_mbox(*bytes, options, [&](Entry entry, std::string_view) {
      labelled = labelled || entry.labels;
      file(mbox, std::move(entry));
    });
    if (!good)
      throw Error(ErrorKind::local, "an mbox does not begin with `From `",
                  printable(path_ + ": " + bundle_.folders()[mbox].to_string()));
    if (!labelled) filing_.shelves[bundle_.folders()[mbox]];  // also one without mail
    bundle_.learned(mbox, *bytes);
  }

  void file(std::size_t mbox, Entry entry) {
    if (entry.google_id != 0 && !seen_.insert(entry.google_id).second) return;
    const std::size_t number = filing_.messages.size();
    if (entry.labels) {
      for (const Placement& place : places(*entry.labels)) {
        Shelf& shelf = filing_.shelves[place.folder];
        if (shelf.role == Role::none) shelf.role = place.role;
        shelf.items.push_back({number, sum(place.flags, entry.flags)});
      }
      entry.labels.reset();
    } else {
      filing_.shelves[bundle_.folders()[mbox]].items.push_back({number, entry.flags});
    }
    filing_.messages.push_back({mbox, std::move(entry)});
  }

  /// Most mail has one of a few sets of labels.
  const std::vector<Placement>& places(const std::string& field) {
    const auto [at, fresh] = places_.try_emplace(field);
    if (fresh) at->second = place_by_labels(parse_gmail_labels(field), labels_);
    return at->second;
  }

  Bundle& bundle_;
  LabelsAs labels_;
  const std::string& path_;
  files::Moment now_;
  Filing filing_;
  std::set<std::uint64_t> seen_;
  std::map<std::string, std::vector<Placement>> places_;
};

}  // namespace

class ExportIndex {
 public:
  ExportIndex(OpenBundle open, LabelsAs labels, std::string path)
      : open_(std::move(open)), labels_(labels), path_(std::move(path)) {}

  /// As the export is now: read through the first time, and after a change.
  std::shared_ptr<const Filing> look(files::Moment now) {
    const std::lock_guard lock(mutex_);
    if (!filing_ || filing_->bundle->stamps() != filing_->stamps)
      filing_ = std::make_shared<const Filing>(Filer(open_(), labels_, path_, now).run());
    return filing_;
  }
  const std::string& path() const { return path_; }

 private:
  OpenBundle open_;
  LabelsAs labels_;
  std::string path_;
  std::mutex mutex_;
  std::shared_ptr<const Filing> filing_;
};

namespace {

class Export final : public files::Archive {
 public:
  explicit Export(std::shared_ptr<ExportIndex> index) : index_(std::move(index)) {}

  std::vector<FolderInfo> list(files::Moment now) override {
    filing_ = index_->look(now);
    std::vector<FolderInfo> out;
    for (const auto& [name, shelf] : filing_->shelves) {
      FolderInfo& info = out.emplace_back();
      info.name = name;
      info.role = name.is_inbox() ? Role::inbox : shelf.role;
      info.numbers.messages = shelf.items.size();
    }
    return out;
  }

  std::optional<files::Look> open(const FolderName& folder, files::Moment now) override {
    filing_ = index_->look(now);
    bytes_.clear();
    const auto at = filing_->shelves.find(folder);
    if (at == filing_->shelves.end())
      throw Error(ErrorKind::rejected, "there is no such folder", "folder " + folder.to_string());
    shelf_ = &at->second;
    files::Look out;
    out.messages.reserve(shelf_->items.size());
    for (const Item& item : shelf_->items) {
      const Entry& entry = filing_->messages[item.message].entry;
      out.messages.push_back({entry.digest, entry.size_bytes, entry.date, item.flags});
    }
    return out;
  }

  std::unique_ptr<files::MessageReader> read(std::size_t index) override {
    if (filing_->bundle->stamps() != filing_->stamps) return nullptr;
    const Stored& stored = filing_->messages[shelf_->items[index].message];
    std::shared_ptr<Bytes>& bytes = bytes_[stored.mbox];
    if (!bytes) bytes = filing_->bundle->open(stored.mbox);
    return read_message(bytes, stored.entry);
  }

  bool remove(const std::vector<std::size_t>& indices, files::Moment) override {
    if (indices.empty()) return true;
    throw Error(ErrorKind::rejected, "nothing is removed from an export of mail",
                printable(index_->path()));
  }

 private:
  std::shared_ptr<ExportIndex> index_;
  std::shared_ptr<const Filing> filing_;
  const Shelf* shelf_ = nullptr;  // in it
  std::map<std::size_t, std::shared_ptr<Bytes>> bytes_;
};

}  // namespace

std::shared_ptr<ExportIndex> make_export_index(OpenBundle open, LabelsAs labels, std::string path) {
  return std::make_shared<ExportIndex>(std::move(open), labels, std::move(path));
}

std::unique_ptr<files::Archive> open_export(std::shared_ptr<ExportIndex> index) {
  return std::make_unique<Export>(std::move(index));
}

}  // namespace postferry::mbox
