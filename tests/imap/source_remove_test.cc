// --after-copy at an IMAP source: just the messages that were copied go, never any other.
#include <catch2/catch.hpp>

#include "connectors/imap/remover.h"
#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

Dialogue opened(int uid_validity, const std::string& also = "") {
  Dialogue d;
  d.c("A1 SELECT \"Box\"").s("* 9 EXISTS");
  d.s("* OK [UIDVALIDITY " + std::to_string(uid_validity) + "] ok").s("* OK [UIDNEXT 80] ok");
  if (!also.empty()) d.s(also);
  return d.s("A1 OK [READ-WRITE] done");
}

std::optional<Removal> remove_by(const Dialogue& dialogue, std::vector<std::string> capabilities,
                                 std::optional<Error>& error) {
  std::optional<Removal> removal;
  converse(dialogue, logged_in(std::move(capabilities), [&](Session& session) -> Task<void> {
             Selected folder = folder_selected("Box");
             std::vector<MessageKey> keys{MessageKey(Uid{5}), MessageKey(Uid{3}),
                                          MessageKey(Uid{4})};
             try {
               removal = co_await remove_messages(session, folder, std::move(keys));
             } catch (const Error& failure) {
               error = failure;
             }
           }));
  return removal;
}

}  // namespace

TEST_CASE("with UIDPLUS just these messages are expunged") {
  Dialogue d = opened(7);
  d.c("A2 UID STORE 3:5 +FLAGS.SILENT (\\Deleted)").c("A3 UID EXPUNGE 3:5");
  d.s("A2 OK").s("* 3 EXPUNGE").s("* 3 EXPUNGE").s("* 3 EXPUNGE").s("A3 OK");
  std::optional<Error> error;
  const auto removal = remove_by(d, {"UIDPLUS"}, error);
  REQUIRE(removal);
  CHECK(removal->how == Removal::How::removed);
  CHECK(removal->keys.size() == 3);
  CHECK_FALSE(removal->session_over);
}

TEST_CASE("without UIDPLUS, or where UIDs do not stay, they are only marked") {
  const bool plus = GENERATE(true, false);
  Dialogue d = opened(7, plus ? "* NO [UIDNOTSTICKY] beware" : "");
  d.c("A2 UID STORE 3:5 +FLAGS.SILENT (\\Deleted)").s("A2 OK");
  std::optional<Error> error;
  const auto removal =
      remove_by(d, plus ? std::vector<std::string>{"UIDPLUS"} : std::vector<std::string>{}, error);
  REQUIRE(removal);
  CHECK(removal->how == Removal::How::marked);
}

TEST_CASE("the command that was refused is the one that is told") {
  const bool store = GENERATE(true, false);
  Dialogue d = opened(7);
  d.c("A2 UID STORE 3:5 +FLAGS.SILENT (\\Deleted)").c("A3 UID EXPUNGE 3:5");
  d.s(store ? "A2 NO not yours" : "A2 OK").s(store ? "A3 OK" : "A3 NO not yours");
  std::optional<Error> error;
  CHECK_FALSE(remove_by(d, {"UIDPLUS"}, error));
  REQUIRE(error);
  CHECK(error->message() ==
        std::string(store ? "UID STORE" : "UID EXPUNGE") + " was refused: NO not yours");
}

TEST_CASE("under another UIDVALIDITY nothing is removed") {
  std::optional<Error> error;
  CHECK_FALSE(remove_by(opened(8), {"UIDPLUS"}, error));
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::transient);
}
