#include "cli/kept_originals.h"

#include <sys/stat.h>

#include "cli/commands/pair.h"
#include "cli/eml_files.h"
#include "engine/digest.h"

namespace postferry::cli {

KeptOriginals::KeptOriginals(const PairOptions& options)
    : directory_(journal_path(options) + ".originals"), in_job_(!options.account.empty()) {
  if (in_job_) directory_ += "/" + safe_name(options.account);
}

Task<void> KeptOriginals::keep(FolderName folder, MessageKey key, Body body) {
  if (in_job_) make_directory(directory_.substr(0, directory_.rfind('/')));
  make_directory(directory_);
  // A key may come to mean another message: the bytes have a part in the name.
  const Sha256 digest = sha256(body.bytes());
  const std::string bytes(digest.begin(), digest.end());
  const std::string path = directory_ + "/" +
                           safe_name(folder.to_string() + "\n" + key.to_string() + "\n" + bytes) +
                           ".eml";
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) co_await write_eml(std::move(body), path);
  kept_[{std::move(folder), std::move(key)}] = path;
}

void KeptOriginals::crossed(const FolderName& folder, const MessageKey& key, Repairs repairs) {
  repaired_.push_back({folder, key, repairs, kept_.at({folder, key})});
}

}  // namespace postferry::cli
