#include "connectors/mail/encoded_words.h"

#include <catch2/catch.hpp>

using postferry::mail::decode_encoded_words;

TEST_CASE("encoded words become UTF-8") {
  CHECK(decode_encoded_words("=?UTF-8?Q?Ge=C3=B6ffnet,a_b?=") == "Geöffnet,a b");
  CHECK(decode_encoded_words("=?utf-8?B?w5xiZXI=?=") == "Über");
  CHECK(decode_encoded_words("=?utf-8*de?b?w5xiZXI?=") == "Über");
  CHECK(decode_encoded_words("=?ISO-8859-1?q?Caf=E9?=") == "Café");
}

TEST_CASE("white space between encoded words is no part of the text, other white space is") {
  CHECK(decode_encoded_words("=?UTF-8?Q?a?= =?UTF-8?Q?b?=") == "ab");
  CHECK(decode_encoded_words("=?UTF-8?Q?a?=\r\n =?UTF-8?Q?b?= c") == "ab c");
  CHECK(decode_encoded_words("x =?UTF-8?Q?a?= y") == "x a y");
  CHECK(decode_encoded_words("=?UTF-8?Q?a?= ") == "a ");
}

TEST_CASE("a character that is split between two encoded words is put together") {
  CHECK(decode_encoded_words("=?UTF-8?Q?=C3?= =?UTF-8?Q?=B6?=") == "ö");
}

TEST_CASE("what is no encoded word stays as it is") {
  for (const char* text : {"", "=?", "=?UTF-8?", "=?UTF-8?Q?", "=?UTF-8?X?a?=", "=?UTF-8?Q?=G0?=",
                           "=?UTF-8?B?*?=", "=?UTF-8?Q?a b?=", "a=b?c", "Inbox,Opened"})
    CHECK(decode_encoded_words(text) == text);
}

TEST_CASE("text that is no UTF-8 is read as Latin-1") {
  CHECK(decode_encoded_words("Caf\xe9") == "Café");
  CHECK(decode_encoded_words("=?UTF-8?Q?=E9?=") == "é");
}
