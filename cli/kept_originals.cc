#include "cli/kept_originals.h"

#include <fmt/core.h>

#include "cli/commands/pair.h"
#include "cli/eml_files.h"
#include "engine/digest.h"
#include "engine/error.h"

namespace postferry::cli {

std::string originals_of(const PairOptions& options) {
  const std::string all = journal_path(options) + ".originals";
  return options.account.empty() ? all : all + "/" + safe_name(options.account);
}

KeptOriginals::KeptOriginals(const PairOptions& options)
    : directory_(originals_of(options)), in_job_(!options.account.empty()) {}

Task<void> KeptOriginals::keep(FolderName folder, MessageKey key, Body body) {
  if (in_job_) make_directory(directory_.substr(0, directory_.rfind('/')));
  make_directory(directory_);
  // A key may come to mean another message: the bytes have a part in the name.
  std::string bytes;
  for (const unsigned char byte : sha256(body.bytes())) bytes += fmt::format("{:02x}", byte);
  const std::string path = directory_ + "/" +
                           safe_name(folder.to_string() + "\n" + key.to_string() + "\n" + bytes) +
                           ".eml";
  const bool kept = co_await write_eml(std::move(body), path);
  if (!kept) throw Error(ErrorKind::local, "another file is there already", path);
  kept_[{std::move(folder), std::move(key)}] = path;
}

void KeptOriginals::crossed(const FolderName& folder, const MessageKey& key, Repairs repairs) {
  repaired_.push_back({folder, key, repairs, kept_.at({folder, key})});
}

}  // namespace postferry::cli
