// A whole mbox may hold anything. What the index says of each message, its place, its size and its
// digest, is what a reader finds there; and the index of all of it is the same, whatever else is
// asked of it.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/mbox/index.h"
#include "engine/digest.h"
#include "tests/fuzz/require.h"

using namespace postferry;
using namespace postferry::fuzz;
using namespace postferry::mbox;

namespace {

class TextBytes final : public Bytes {
 public:
  TextBytes(std::string_view text, std::size_t most) : text_(text), most_(most) {}
  std::string read(std::uint64_t offset, std::size_t limit) override {
    if (offset >= text_.size()) return {};
    return std::string(text_.substr(static_cast<std::size_t>(offset), std::min(limit, most_)));
  }

 private:
  std::string_view text_;
  const std::size_t most_;
};

std::vector<Entry> index(std::string_view text, std::size_t most, const IndexOptions& options,
                         bool& is_mbox) {
  std::vector<Entry> entries;
  TextBytes bytes(text, most);
  std::uint64_t end = options.start;
  is_mbox = index_mbox(bytes, options, [&](Entry entry, std::string_view header) {
    require(entry.offset >= end && entry.content > entry.offset && entry.end >= entry.content);
    require(entry.end <= text.size() && header.size() <= (256 << 10));
    end = entry.end;
    entries.push_back(std::move(entry));
  });
  return entries;
}

void check_reader(std::string_view text, const Entry& entry) {
  const auto reader = read_message(std::make_shared<TextBytes>(text, 1000), entry);
  std::string all;
  for (std::string piece = reader->next(7); !piece.empty(); piece = reader->next(100)) all += piece;
  require(all.size() == entry.size_bytes && reader->size_bytes() == entry.size_bytes);
  require(sha256(all) == entry.digest);
}

bool same(const Entry& a, const Entry& b) {
  return a.offset == b.offset && a.content == b.content && a.end == b.end && a.form == b.form &&
         a.size_bytes == b.size_bytes && a.date == b.date && a.flags == b.flags && a.uid == b.uid &&
         a.labels == b.labels;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = text_of(data, size);
  const unsigned how = take_byte(text);
  IndexOptions options;
  options.trust_own = (how & 1) == 0;
  options.headers = (how & 2) != 0;
  options.now_seconds = 1'700'000'000;
  bool whole_is = false, parts_is = false;
  const std::vector<Entry> whole = index(text, text.size() + 1, options, whole_is);
  for (const Entry& entry : whole) check_reader(text, entry);
  options.headers = !options.headers;
  options.digests = false;
  const std::vector<Entry> parts = index(text, 1 + (how >> 2), options, parts_is);
  require(whole_is == parts_is && whole.size() == parts.size());
  for (std::size_t i = 0; i < whole.size(); ++i) require(same(whole[i], parts[i]));
  return 0;
}
