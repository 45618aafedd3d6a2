// A zip archive may be anything. What is read twice is the same, and no more of it than it claims.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "connectors/mbox/zip.h"
#include "engine/error.h"

using namespace postferry;
using namespace postferry::mbox;

namespace {

constexpr std::size_t kMostRead = 4 << 20;

void require(bool held) {
  if (!held) std::abort();
}

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const File file(data, size);
  try {
    (void)is_zip(file.path());
    for (const ZipMember& member : list_zip(file.path(), [](const std::string&) { return true; })) {
      ZipBytes bytes(file.path(), member);
      const std::string all = read_some(bytes);
      require(all.size() <= member.size_bytes);
      ZipBytes again(file.path(), member, bytes.entry_points());
      require(again.read(all.size() / 2, 10) == all.substr(all.size() / 2, 10) ||
              all.size() >= kMostRead);
    }
  } catch (const Error&) {
    // Told, and nothing used of it.
  }
  return 0;
}
