#include "engine/body.h"

#include "engine/error.h"

namespace postferry {

std::uint64_t Body::size_bytes() const {
  switch (data_.index()) {
    case 0:
      return bytes().size();
    case 1:
      return pipe().size_bytes();
    default:
      return std::get<2>(data_)->size_bytes();
  }
}

void throw_body_cut_short(std::uint64_t got, std::uint64_t expected) {
  throw Error(ErrorKind::transient, "the message ended after " + std::to_string(got) + " of " +
                                        std::to_string(expected) + " bytes");
}

}  // namespace postferry
