// An mbox may hold anything. The first bytes say where it is split and as what it is read; however
// it is split, it holds the same messages, and what is written comes back.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/mbox/codec/decoder.h"
#include "connectors/mbox/codec/encoder.h"
#include "connectors/mbox/codec/head.h"
#include "connectors/mbox/codec/splitter.h"
#include "tests/fuzz/require.h"

using namespace postferry::fuzz;
using namespace postferry::mbox;

namespace {

std::vector<std::string> cut(const std::vector<std::string_view>& pieces) {
  std::vector<std::string> out;
  std::uint64_t last_end = 0;
  Splitter splitter({[&](const FromLine&, std::uint64_t offset, std::uint64_t content) {
                       require(offset >= last_end && content > offset);
                       out.emplace_back();
                     },
                     [&](std::string_view bytes) { out.back() += bytes; },
                     [&](std::uint64_t end) { last_end = end; }});
  for (const std::string_view piece : pieces) splitter.feed(piece);
  splitter.finish();
  return out;
}

std::string decode(const std::vector<std::string_view>& pieces, Form form, std::uint64_t size,
                   bool& intact) {
  Decoder decoder(form, size);
  std::string out;
  for (const std::string_view piece : pieces) decoder.feed(piece, out);
  decoder.finish(out);
  intact = decoder.intact();
  if (intact) require(decoder.size_bytes() == out.size());
  (void)decoder.envelope().uid();
  (void)decoder.envelope().base();
  (void)decoder.envelope().flags();
  require(decoder.envelope().keywords().size() <= 1024);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t split = bytes.empty() ? 0 : data[0] % (bytes.size() + 1);
  const std::vector<std::string_view> whole = {bytes};
  const std::vector<std::string_view> halves = {bytes.substr(0, split), bytes.substr(split)};
  const std::vector<std::string> messages = cut(whole);
  require(messages == cut(halves));

  bool intact = false, intact_halves = false;
  for (const Form form : {Form::foreign, Form::lines, Form::raw}) {
    const std::string out = decode(whole, form, data[1], intact);
    require(out == decode(halves, form, data[1], intact_halves) && intact == intact_halves);
  }

  // As a message of ours, it comes back.
  FormFinder finder;
  for (const std::string_view piece : halves) finder.feed(piece);
  Head head;
  head.uid = 1;
  std::string stored = format_head(head);
  Encoder encoder(finder.form());
  for (const std::string_view piece : halves) encoder.feed(piece, stored);
  encoder.finish(stored);
  require(decode({stored}, finder.form(), bytes.size(), intact) == bytes && intact);
  require(cut({format_from_line(finder.form(), bytes.size(), {}) + stored}).size() == 1);
  return 0;
}
