// What other programs leave in Maildirs, and do to them while we read.
#include <set>

#include "connectors/maildir/source.h"
#include "connectors/maildir/target.h"
#include "engine/async/manual_executor.h"
#include "tests/conformance/contract.h"
#include "tests/maildir/workshop.h"

using namespace postferry;
using namespace postferry::maildir::test;

namespace {

struct Reading {
  ManualExecutor executor;
  InlineBlocking blocking;
  ConnectorContext context;
  EndSetup setup;
  std::unique_ptr<Source> source;
  std::unique_ptr<SourceSession> session;

  explicit Reading(const std::string& path, const std::string& options = "") {
    context.blocking = &blocking;
    setup.endpoint = parse_endpoint("maildir:" + path + options);
    source = maildir::make_source(context, setup);
    session = block_on(executor, source->connect());
  }
  std::set<std::string> folders() {
    std::set<std::string> out;
    for (const FolderInfo& info : block_on(executor, session->list()))
      out.insert(info.name.to_string());
    return out;
  }
  Catalogue open(const std::string& folder = "INBOX") {
    block_on(executor, session->select(FolderName::parse(folder)));
    return block_on(executor, session->catalogue());
  }
  conformance::Fetched fetch(const Catalogue& catalogue) {
    std::vector<Catalogue::Entry> wanted;
    for (std::size_t i = 0; i < catalogue.size(); ++i) wanted.push_back(catalogue[i]);
    return block_on(executor, conformance::fetch_and_keep([&](MessageSink& sink) {
                      return session->fetch(std::move(wanted), sink);
                    }));
  }
};

void deliver(const std::string& folder, const std::string& name, const std::string& bytes) {
  make_folder(folder);
  write_file(folder + "/cur/" + name, bytes);
}

}  // namespace

TEST_CASE("two directories that spell one name are two folders") {
  const Place place;
  for (const char* name : {"", "/.INBOX", "/.Inbox", "/.Entw\xc3\xbcrfe", "/.Entw&APw-rfe"})
    deliver(place.path() + name, "1.a.host:2,", std::string("Subject: ") + name + "\n\n");
  Reading reading(place.path());
  const std::set<std::string> folders = reading.folders();
  CHECK(folders.size() == 5);
  CHECK(folders.contains("Entw\xc3\xbcrfe"));
  std::set<std::string> seen;
  for (const std::string& folder : folders)
    for (const auto& message : reading.fetch(reading.open(folder)).messages)
      seen.insert(message.bytes);
  CHECK(seen.size() == 5);
}

TEST_CASE("an INBOX that other programs keep in a directory of its own is the INBOX") {
  const Place place;
  deliver(place / "INBOX", "1.a.host:2,S", "Subject: x\n\n");
  Reading reading(place.path(), "?layout=fs");
  CHECK(reading.open().size() == 1);
  const std::unique_ptr<Target> target = maildir::make_target(reading.context, reading.setup);
  const auto session = block_on(reading.executor, target->connect());
  const FolderNumbers numbers =
      block_on(reading.executor, session->select(FolderName::parse("INBOX")));
  CHECK(numbers.messages == 1u);
  CHECK_FALSE(std::filesystem::exists(place / "cur"));
}

TEST_CASE("a message that was packed is told, and not taken for mail") {
  const Place place;
  deliver(place.path(), "1.a.host,S=100:2,", std::string("\x1f\x8b\x08\0\0\0\0\0rest", 12));
  deliver(place.path(), "2.b.host:2,", "Subject: x\n\n");
  Reading reading(place.path());
  const conformance::Fetched fetched = reading.fetch(reading.open());
  REQUIRE(fetched.messages.size() == 1);
  REQUIRE(fetched.missing.size() == 1);
  CHECK_FALSE(fetched.missing[0].second);  // it is there
}

TEST_CASE("while another program holds the list, files that were renamed are waited for") {
  const Place place;
  deliver(place.path(), "1.a.host:2,", "Subject: x\n\n");
  Reading reading(place.path());
  const Catalogue catalogue = reading.open();
  std::filesystem::rename(place / "cur/1.a.host:2,", place / "cur/1.a.host:2,S");
  deliver(place.path(), "2.b.host:2,", "Subject: y\n\n");
  write_file(place / "dovecot-uidlist.lock", "");
  try {
    reading.fetch(catalogue);
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::transient);
  }
  std::filesystem::remove(place / "dovecot-uidlist.lock");
  CHECK(reading.fetch(catalogue).messages.size() == 1);
}

TEST_CASE("who only looks changes nothing") {
  const Place place;
  deliver(place.path(), "1.a.host:2,S", "Subject: x\n\n");
  Reading reading(place.path());
  reading.setup.look_only = true;
  const auto source = maildir::make_source(reading.context, reading.setup);
  const auto session = block_on(reading.executor, source->connect());
  const FolderNumbers numbers =
      block_on(reading.executor, session->select(FolderName::parse("INBOX")));
  CHECK(block_on(reading.executor, session->catalogue()).size() == 1);
  // UIDVALIDITY holds while nothing changes.
  const auto again = block_on(reading.executor, source->connect());
  CHECK(block_on(reading.executor, again->select(FolderName::parse("INBOX"))).uid_validity ==
        numbers.uid_validity);
  CHECK(names_in(place.path()) == std::vector<std::string>{"cur", "new", "tmp"});
  const std::string nowhere = place / "nowhere";
  reading.setup.endpoint = parse_endpoint("maildir:" + nowhere);
  const auto target = maildir::make_target(reading.context, reading.setup);
  const auto there = block_on(reading.executor, target->connect());
  CHECK(block_on(reading.executor, there->select(FolderName::parse("INBOX"))).messages == 0u);
  CHECK(block_on(reading.executor, there->look(Uid{1})).empty());
  CHECK_FALSE(std::filesystem::exists(nowhere));
}
