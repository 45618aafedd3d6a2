#include "engine/counted.h"

#include <algorithm>

#include "engine/error.h"

namespace postferry {

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3;) {
    i -= 3;
    text.insert(i, 1, ',');
  }
  return text;
}

std::string counted(std::uint64_t number, std::string_view one, std::string_view many) {
  return with_commas(number) + ' ' + std::string(number == 1 ? one : many);
}

std::string some_of(const std::vector<MessageKey>& keys) {
  constexpr std::size_t kNamed = 10;
  std::string out;
  for (std::size_t i = 0; i < std::min(keys.size(), kNamed); ++i) {
    if (i == 0) {
      out = printable(keys[i].to_string());
    } else {
      const MessageKey& key = keys[i];
      out += ", " + (key.is_uid() ? std::to_string(key.uid().value) : printable(key.uidl()));
    }
  }
  return out + (keys.size() > kNamed ? ", ..." : "");
}

}  // namespace postferry
