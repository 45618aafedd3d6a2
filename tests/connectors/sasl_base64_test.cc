// Base64 by the vectors of RFC 4648 10, and what is not base64.
#include <catch2/catch.hpp>
#include <string>

#include "connectors/base64.h"

using postferry::base64_decode;
using postferry::base64_encode;

TEST_CASE("base64 agrees with the vectors of RFC 4648") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    CHECK(base64_encode(bytes) == text);
    CHECK(base64_decode(text) == bytes);
  }
}

TEST_CASE("every byte survives base64, at every length") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes += static_cast<char>(i * 37);
    CHECK(base64_decode(base64_encode(bytes)) == bytes);
  }
}

TEST_CASE("missing padding is forgiven, rubbish is not") {
  CHECK(base64_decode("Zg") == "f");
  CHECK(base64_decode("Zm8= ") == "fo");
  for (const char* text :
       {"Z", "Zm9v=", "====", "=", "Zg=", "Z===", "Zm 9v", "Zh==", "Zm9v\n", "Zm9-", "Zg==Zg=="}) {
    INFO(text);
    CHECK_FALSE(base64_decode(text));
  }
}
