// SHA-256, the only piece of OpenSSL that the engine knows.
#pragma once

#include <array>
#include <memory>
#include <string_view>

namespace postferry {

using Sha256 = std::array<unsigned char, 32>;

/// Feed it, then finish() once.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  void update(std::string_view bytes);
  Sha256 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256 sha256(std::string_view bytes);

}  // namespace postferry
