// Labels of Google's exports: whatever the field says, a message has a place, names are UTF-8 and
// keywords are atoms.
#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/mail/encoded_words.h"
#include "connectors/mail/header_scan.h"
#include "connectors/mail/mod_utf7.h"
#include "connectors/mbox/codec/gmail_labels.h"
#include "tests/fuzz/require.h"

using namespace postferry;
using namespace postferry::fuzz;
using namespace postferry::mbox;

namespace {

void check(const Placement& place) {
  require(!place.folder.empty());
  for (const std::string& level : place.folder.levels())
    require(!level.empty() && level.find('/') == std::string::npos && mail::is_utf8(level));
  for (const std::string& word : place.flags.keywords) {
    require(!word.empty() && word.size() <= mail::kMaxKeywordBytes);
    for (const char c : word)
      require(c > ' ' && c < 0x7f && !std::string_view("(){}%*\"\\]").contains(c));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view field(reinterpret_cast<const char*>(data), size);
  require(mail::is_utf8(mail::decode_encoded_words(field)));
  const std::vector<std::string> labels = parse_gmail_labels(field);
  require(labels.size() <= kMostLabels);
  for (const std::string& label : labels)
    require(!label.empty() && label.size() <= kMostLabelBytes && mail::is_utf8(label));
  const std::vector<Placement> one = place_by_labels(labels, LabelsAs::keywords);
  require(one.size() == 1);
  check(one.front());
  const std::vector<Placement> all = place_by_labels(labels, LabelsAs::folders);
  require(!all.empty() && all.front().folder == one.front().folder);
  for (const Placement& place : all) check(place);
  return 0;
}
