// Response codes: whole ones, and the broken ones that servers send with good answers.
#include <catch2/catch.hpp>

#include "connectors/imap/codec/response_code.h"

using namespace postferry::imap;

TEST_CASE("A code is a name and its arguments") {
  const ResponseCode code = parse_response_code("uidvalidity 1478509872");
  CHECK(code.code == Code::kUidValidity);
  CHECK(code.name == "UIDVALIDITY");
  CHECK(code.args == "1478509872");
  CHECK(code_number(code) == 1478509872u);
  CHECK(parse_response_code("").code == Code::kOther);
  CHECK(parse_response_code("X-NEW a b").code == Code::kOther);
  CHECK(parse_response_code("X-NEW a b").args == "a b");
  CHECK(parse_response_code("READ-ONLY").code == Code::kReadOnly);
}

TEST_CASE("A number that is none is absent") {
  CHECK_FALSE(code_number(parse_response_code("UIDNEXT")));
  CHECK_FALSE(code_number(parse_response_code("UIDNEXT x")));
  CHECK(code_number(parse_response_code("UIDVALIDITY 0")) == 0u);
  CHECK(code_number(parse_response_code("HIGHESTMODSEQ 18446744073709551615")) == UINT64_MAX);
  CHECK_FALSE(code_number(parse_response_code("HIGHESTMODSEQ 18446744073709551616")));
}

TEST_CASE("APPENDUID gives the UIDs in the order of the messages") {
  const auto got = code_append_uid(parse_response_code("APPENDUID 38505 3955:3957,7"));
  REQUIRE(got);
  CHECK(got->uid_validity == 38505);
  CHECK(std::vector<std::uint32_t>(got->uids.begin(), got->uids.end()) ==
        std::vector<std::uint32_t>{3955, 3956, 3957, 7});
  for (const auto* text : {"APPENDUID", "APPENDUID 1", "APPENDUID 1 ", "APPENDUID x 1",
                           "APPENDUID 1 *", "APPENDUID 1 2 3"}) {
    CHECK_FALSE(code_append_uid(parse_response_code(text)));
  }
}

TEST_CASE("COPYUID pairs source and target, or is nothing") {
  const auto got = code_copy_uid(parse_response_code("COPYUID 38505 304,319:320 3956:3958"));
  REQUIRE(got);
  CHECK(got->source.count() == 3);
  CHECK(got->target.count() == 3);
  for (const auto* text : {"COPYUID 14  ", "COPYUID 14 1:2 1", "COPYUID", "COPYUID 14 a b"}) {
    CHECK_FALSE(code_copy_uid(parse_response_code(text)));
  }
}

TEST_CASE("PERMANENTFLAGS needs its list") {
  CHECK(code_flags(parse_response_code("PERMANENTFLAGS ()")) == std::vector<std::string>{});
  CHECK(code_flags(parse_response_code("PERMANENTFLAGS(\\Seen)")) ==
        std::vector<std::string>{"\\Seen"});
  CHECK_FALSE(code_flags(parse_response_code("PERMANENTFLAGS")));
}

TEST_CASE("MAILBOXID and MESSAGELIMIT are read") {
  CHECK(code_mailbox_id(parse_response_code("MAILBOXID (F2212ea8-6a)")) == "F2212ea8-6a");
  CHECK_FALSE(code_mailbox_id(parse_response_code("MAILBOXID F22")));
  const auto limit = code_message_limit(parse_response_code("MESSAGELIMIT 1000 23221"));
  REQUIRE(limit);
  CHECK(limit->count == 1000);
  CHECK(limit->uid == 23221u);
  CHECK_FALSE(code_message_limit(parse_response_code("MESSAGELIMIT 1000"))->uid);
  CHECK_FALSE(code_message_limit(parse_response_code("MESSAGELIMIT x")));
}
