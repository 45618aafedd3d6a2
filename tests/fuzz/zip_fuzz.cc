// A zip archive may be anything. What is read twice is the same, and no more of it than it claims;
// as an export of mail, each message is what its folder says of it.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "connectors/mbox/export.h"
#include "connectors/mbox/zip.h"
#include "engine/digest.h"
#include "engine/error.h"
#include "tests/fuzz/require.h"

using namespace postferry;
using namespace postferry::fuzz;
using namespace postferry::mbox;

namespace {

constexpr std::size_t kMostRead = 4 << 20;
constexpr std::size_t kMostMessages = 100;
constexpr files::Moment kNow = 4'000'000'000'000'000'000;  // no change is younger

/// A file in memory, whose path is that of its descriptor.
class File {
 public:
  File(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("zip", 0)) {
    require(descriptor_ >= 0);
    require(::write(descriptor_, data, size) == static_cast<ssize_t>(size));
  }
  ~File() { ::close(descriptor_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

std::string read_some(Bytes& bytes) {
  std::string out;
  while (out.size() < kMostRead) {
    const std::string piece = bytes.read(out.size(), 10'000);
    if (piece.empty()) break;
    out += piece;
  }
  return out;
}

void check_members(const std::string& path) {
  for (const ZipMember& member : list_zip(path, [](const std::string&) { return true; })) {
    ZipBytes bytes(path, member);
    const std::string all = read_some(bytes);
    require(all.size() <= member.size_bytes);
    ZipBytes again(path, member, bytes.entry_points());
    require(again.read(all.size() / 2, 10) == all.substr(all.size() / 2, 10) ||
            all.size() >= kMostRead);
  }
}

void check_message(files::Archive& archive, std::size_t index, const files::Filed& filed) {
  const std::unique_ptr<files::MessageReader> reader = archive.read(index);
  require(reader != nullptr);
  std::string all;
  for (std::string piece = reader->next(1000); !piece.empty(); piece = reader->next(1000))
    all += piece;
  require(all.size() == filed.size_bytes && sha256(all) == filed.digest);
}

void check_export(const std::string& path) {
  for (const LabelsAs labels : {LabelsAs::keywords, LabelsAs::folders}) {
    const auto open = [&path] { return open_zip_bundle(path); };
    const auto archive = open_export(make_export_index(open, labels, "an export"));
    for (const FolderInfo& info : archive->list(kNow)) {
      require(!info.name.empty());
      const std::optional<files::Look> look = archive->open(info.name, kNow);
      require(look && look->messages.size() == info.numbers.messages);
      for (std::size_t i = 0; i < std::min(look->messages.size(), kMostMessages); ++i)
        check_message(*archive, i, look->messages[i]);
    }
  }
}

template <class Check>
void unless_damaged(Check check, const std::string& path) {
  try {
    check(path);
  } catch (const Error& error) {  // told, and nothing used of it
    require(error.kind() == ErrorKind::local || error.kind() == ErrorKind::usage);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const File file(data, size);
  const std::string path = file.path();
  (void)is_zip(path);
  unless_damaged(check_members, path);
  unless_damaged(check_export, path);
  return 0;
}
