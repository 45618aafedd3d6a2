// Who is recognised by what, and what refusals mean.
#include <catch2/catch.hpp>

#include "connectors/imap/errors.h"
#include "connectors/imap/quirks.h"

using namespace postferry;
using namespace postferry::imap;

TEST_CASE("servers are recognised by greeting, ID or capability") {
  const IdData nobody;
  IdData cyrus;
  cyrus.fields = {{"name", "Cyrus IMAPD"}, {"version", "3.6"}};
  CHECK(recognise("", {}, cyrus).munges_8bit);
  CHECK(recognise("mail Cyrus IMAP 3.6.1 server ready", {}, nobody).software == "Cyrus");
  CHECK(recognise("", Capabilities({"X-GM-EXT-1"}), nobody).folds_duplicates);
  CHECK(recognise("The Microsoft Exchange IMAP4 service is ready.", {}, nobody).stub_bodies);
  CHECK(recognise("Courier-IMAP ready.", {}, nobody).select_not_examine);
  CHECK(recognise("hello", Capabilities({"IMAP4REV1"}), nobody).software.empty());
}

TEST_CASE("codes that say it all are not talked over by the words behind them") {
  StatusResponse no;
  no.status = Status::kNo;
  no.text = "Permission denied: Temporary";
  no.code = ResponseCode{Code::kNoPerm, "NOPERM", ""};
  CHECK(judge(no).kind == ErrorKind::rejected);
  no.text = "Mailbox is full, delete something or try again later";
  no.code = ResponseCode{Code::kOverQuota, "OVERQUOTA", ""};
  CHECK(judge(no).kind == ErrorKind::quota);
  no.text = "Account exceeded command or bandwidth limits";
  CHECK(judge(no).kind == ErrorKind::throttled);
}

TEST_CASE("LIMIT is about our pace, but for a command that stores something") {
  StatusResponse no;
  no.status = Status::kNo;
  no.text = "Too much work just now";
  no.code = ResponseCode{Code::kLimit, "LIMIT", ""};
  CHECK(judge_read(no).kind == ErrorKind::throttled);
  CHECK(judge(no).kind == ErrorKind::rejected);
  CHECK(blames_message(no));
  no.code = ResponseCode{Code::kNoPerm, "NOPERM", ""};
  CHECK(judge_read(no).kind == ErrorKind::rejected);
}

TEST_CASE("a NO to APPEND blames the message, unless it is the folder, the quota or the server") {
  StatusResponse no;
  no.status = Status::kNo;
  no.text = "Message contains NUL characters";
  CHECK(blames_message(no));
  no.code = ResponseCode{Code::kNoPerm, "NOPERM", ""};
  CHECK(!blames_message(no));
  no.code = ResponseCode{Code::kTooBig, "TOOBIG", ""};
  CHECK(blames_message(no));
  no.code = ResponseCode{Code::kOverQuota, "OVERQUOTA", ""};
  CHECK(!blames_message(no));
  no.code.reset();
  no.text = "You exceeded your mail quota.";
  CHECK(!blames_message(no));
  StatusResponse bad;
  bad.status = Status::kBad;
  bad.text = "Command Argument Error. 11";
  CHECK(blames_message(bad));
  bad.text = "Request is throttled. Suggested Backoff Time: 1 milliseconds";
  CHECK(!blames_message(bad));
}
