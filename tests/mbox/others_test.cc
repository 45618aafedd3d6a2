// What other programs do to mboxes while, before and after we read and fill them.
#include <set>

#include "connectors/mbox/source.h"
#include "connectors/mbox/target.h"
#include "connectors/mbox/target_file.h"
#include "connectors/mbox/tree.h"
#include "engine/async/manual_executor.h"
#include "tests/conformance/contract.h"
#include "tests/mbox/workshop.h"

using namespace postferry;
using namespace postferry::mbox::test;

namespace {

constexpr mbox::Moment kNow = 1'700'000'000'000'000'000;

std::string foreign(const std::string& subject, const std::string& fields = "") {
  return "From bob Tue Nov 14 22:13:20 2023\n" + fields + "Subject: " + subject + "\n\ntext\n\n";
}

struct Reading {
  ManualExecutor executor;
  InlineBlocking blocking;
  std::unique_ptr<Source> source;
  std::unique_ptr<SourceSession> session;
  Catalogue catalogue;

  explicit Reading(const std::string& path) {
    ConnectorContext context;
    context.blocking = &blocking;
    EndSetup setup;
    setup.endpoint = parse_endpoint("mbox:" + path);
    source = mbox::make_source(context, std::move(setup));
    session = block_on(executor, source->connect());
  }
  void open(const char* folder = "INBOX") {
    block_on(executor, session->select(FolderName::parse(folder)));
    catalogue = block_on(executor, session->catalogue());
  }
  conformance::Fetched fetch() {
    std::vector<Catalogue::Entry> wanted;
    for (std::size_t i = 0; i < catalogue.size(); ++i) wanted.push_back(catalogue[i]);
    return block_on(executor, conformance::fetch_and_keep([&](MessageSink& sink) {
                      return session->fetch(std::move(wanted), sink);
                    }));
  }
  std::vector<std::string> folders() {
    std::vector<std::string> out;
    for (const FolderInfo& info : block_on(executor, session->list()))
      out.push_back(info.name.to_string());
    return out;
  }
};

/// A batch of one, in a form of our own.
void fill(const std::string& path, const std::string& bytes, mbox::Form form = mbox::Form::lines,
          const Flags& flags = {}) {
  mbox::TargetFile file(path);
  std::vector<mbox::Incoming> batch(1);
  batch[0].bytes = bytes;
  batch[0].size_bytes = bytes.size();
  batch[0].form = form;
  batch[0].flags = flags;
  batch[0].date = {1'700'000'000, 60};
  REQUIRE(file.append(batch, kNow));
}

/// UID and text of each message.
std::vector<std::pair<std::uint32_t, std::string>> messages(const std::string& path) {
  mbox::TargetFile file(path);
  REQUIRE(file.refresh(kNow));
  std::vector<std::pair<std::uint32_t, std::string>> out;
  for (std::size_t i = 0; i < file.entries().size(); ++i) {
    const std::unique_ptr<files::MessageReader> reader = file.read(i);
    std::string bytes;
    for (std::string piece = reader->next(1000); !piece.empty(); piece = reader->next(1000))
      bytes += piece;
    out.emplace_back(*file.entries()[i].uid, bytes);
  }
  return out;
}

}  // namespace

TEST_CASE("an mbox that is written anew where it stands gives no message that is another's bytes") {
  const Place place;
  const std::string path = place / "mail";
  std::string before, after;
  for (int i = 0; i < 20; ++i) {
    before += foreign(std::to_string(i));
    after += foreign(std::to_string(i), "X-UID: 7\nStatus: RO\n");
  }
  write_file(path, before);
  Reading reading(path);
  reading.open();
  write_file(path, after);  // the same inode, and larger
  const conformance::Fetched fetched = reading.fetch();
  REQUIRE(fetched.messages.size() == 20);
  for (std::size_t i = 0; i < 20; ++i)
    CHECK(fetched.messages[i].bytes == "Subject: " + std::to_string(i) + "\r\n\r\ntext\r\n");
}

TEST_CASE("a message that changes while it is read is not given") {
  const Place place;
  const std::string path = place / "mail";
  const std::string large = foreign("large\n\n" + std::string(2 * kHoldLimit, 'x'));
  write_file(path, large);
  Reading reading(path);
  reading.open();
  const auto stamp = std::filesystem::last_write_time(path);
  std::string other = large;
  other[other.size() / 2] = 'y';
  write_file(path, other);
  std::filesystem::last_write_time(path, stamp);
  try {
    const conformance::Fetched fetched = reading.fetch();
    // Seen in time: it is another message now.
    CHECK(fetched.messages.empty());
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::transient);
  }
}

TEST_CASE(
    "while another program holds the lock a changed mbox is waited for, and nothing is gone") {
  const Place place;
  const std::string path = place / "mail";
  write_file(path, foreign("one"));
  Reading reading(path);
  reading.open();
  append_file(path, foreign("two"));
  const files::File file = files::open_file(path, O_RDWR);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  REQUIRE(::fcntl(file.descriptor(), F_OFD_SETLK, &lock) == 0);
  try {
    reading.fetch();
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::transient);
  }
}

TEST_CASE("half a message is cut off, whatever its line ends, and whatever came after it") {
  const Place place;
  const std::string path = place / "mail";
  write_file(path, "");
  fill(path, "Subject: first\r\n\r\nbody\r\n");
  const std::string before = read_file(path);
  const bool bare = GENERATE(false, true);
  std::string long_text = "Subject: second\r\n\r\n";
  for (int i = 0; i < 100; ++i) long_text += bare ? "a line\n" : "a line\r\n";
  fill(path, long_text, bare ? mbox::Form::raw : mbox::Form::lines);
  const std::string after = read_file(path);
  // The number of the last UID was not noted yet.
  const std::string half = before + after.substr(before.size(), after.size() - before.size() - 300);
  const bool followed = GENERATE(false, true);
  write_file(path, followed ? half + "\n\n" + foreign("third") : half);
  const auto found = messages(path);
  REQUIRE(found.size() == (followed ? 2 : 1));
  CHECK(found[0].second == "Subject: first\r\n\r\nbody\r\n");
  if (followed) CHECK(found[1].second == "Subject: third\r\n\r\ntext\r\n");
  fill(path, "Subject: fourth\r\n\r\n");
  CHECK(messages(path).back().second == "Subject: fourth\r\n\r\n");
  if (followed) CHECK(messages(path)[1] == found[1]);
}

TEST_CASE("our mail that others have edited is not taken for half of it") {
  const Place place;
  const std::string path = place / "mail";
  write_file(path, "");
  fill(path, "Subject: first\r\n\r\nbody\r\n");
  fill(path, "Subject: second\r\n\r\nbody that is long enough to be cut\r\n");
  std::string text = read_file(path);
  text.replace(text.rfind("that is long enough"), 19, "short");
  SECTION("the UID was given out") { write_file(path, text); }
  SECTION("the message that had the base is gone") {
    write_file(path, text.substr(text.find("\nFrom postferry") + 1));
  }
  CHECK(messages(path).back().second == "Subject: second\r\n\r\nbody short to be cut\r\n");
}

TEST_CASE("UIDs ascend and none is 0, whatever X-UID and X-IMAPbase mail arrives with") {
  const Place place;
  const std::string path = place / "mail";
  const std::string fields =
      GENERATE(as<std::string>(), "X-UID: 4294967295\n", "X-IMAPbase: 1 4294967295\n",
               "X-IMAPbase: 1 4294967295\nX-UID: 4294967294\n");
  write_file(path, foreign("theirs", fields) + foreign("theirs, too"));
  for (int i = 0; i < 3; ++i) fill(path, "Subject: ours\r\n\r\n" + std::to_string(i) + "\r\n");
  const auto found = messages(path);
  REQUIRE(found.size() == 5);
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i].first == i + 1);
  CHECK(messages(path) == found);
  const FolderNumbers numbers = mbox::TargetFile::glance(path);
  CHECK(numbers.uid_next == 6u);
}

TEST_CASE("the UID of others' mail stays when what stood before it is removed") {
  const Place place;
  const std::string path = place / "mail";
  write_file(path, "");
  fill(path, "Subject: first\r\n\r\n");
  fill(path, "Subject: second\r\n\r\n");
  append_file(path, foreign("theirs"));
  mbox::TargetFile file(path);
  REQUIRE(file.remove({Uid{2}}, kNow));
  const auto found = messages(path);
  REQUIRE(found.size() == 2);
  CHECK(found[1].first == 3);
}

TEST_CASE("more keywords than a head holds leave every message as it is") {
  const Place place;
  const std::string path = place / "mail";
  write_file(path, "");
  constexpr int kMessages = 1400;
  std::vector<std::string> bytes;
  for (int i = 0; i < kMessages; ++i) bytes.push_back("Subject: " + std::to_string(i) + "\r\n\r\n");
  std::vector<mbox::Incoming> batch(bytes.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    batch[i].bytes = bytes[i];
    batch[i].size_bytes = bytes[i].size();
    batch[i].flags.add("\\Seen");
    batch[i].flags.add("keyword-of-some-length-" + std::string(60, 'k') + std::to_string(i));
  }
  REQUIRE(mbox::TargetFile(path).append(batch, kNow));
  mbox::TargetFile again(path);
  REQUIRE(again.remove({Uid{2}}, kNow));  // by a new file, with a new head for the first
  REQUIRE(again.change_flags({Uid{1}}, Flags::parse("\\Flagged"), true, kNow));
  mbox::TargetFile file(path);
  REQUIRE(file.refresh(kNow));
  REQUIRE(file.entries().size() == kMessages - 1);
  for (int i : {0, 2, kMessages - 1}) {
    INFO(i);
    const auto at = static_cast<std::size_t>(i == 0 ? 0 : i - 1);
    const auto reader = file.read(at);
    CHECK(reader->next(100) == "Subject: " + std::to_string(i) + "\r\n\r\n");
    CHECK(file.entries()[at].flags.keywords.size() == 1);
    CHECK((file.entries()[at].flags.system & Flags::seen) != 0);
  }
}

TEST_CASE("two files that spell one name are two folders") {
  const Place place;
  for (const char* directory : {"Archive", "Archive.sbd", "Work.mbox"})
    std::filesystem::create_directories(place / directory);
  for (const char* file : {"INBOX", "Inbox", "Archive/2019", "Archive.sbd/2019", "Work",
                           "Work.mbox/mbox", "Entw&APw-rfe", "Entw\xc3\xbcrfe"})
    write_file(place / file, foreign(file));
  Reading reading(place.path());
  std::set<std::string> subjects;
  const std::vector<std::string> folders = reading.folders();
  CHECK(folders.size() == 8);
  for (const std::string& folder : folders) {
    reading.open(folder.c_str());
    for (const auto& message : reading.fetch().messages) subjects.insert(message.bytes);
  }
  CHECK(subjects.size() == 8);
}

TEST_CASE("links are followed, but not back up, and what is removed is removed behind them") {
  const Place place;
  std::filesystem::create_directories(place / "spool");
  std::filesystem::create_directories(place / "mail");
  write_file(place / "spool/ann", foreign("one") + foreign("two"));
  std::filesystem::create_symlink(place / "spool/ann", place / "mail/INBOX");
  std::filesystem::create_directory_symlink(place.path(), place / "mail/up");
  std::filesystem::create_symlink(place / "nowhere", place / "mail/broken");
  Reading reading(place / "mail");
  CHECK(reading.folders() == std::vector<std::string>{"INBOX"});
  reading.open();
  REQUIRE(reading.catalogue.size() == 2);
  block_on(reading.executor, reading.session->remove({reading.catalogue.key(0)}));
  CHECK(std::filesystem::is_symlink(place / "mail/INBOX"));
  CHECK(read_file(place / "spool/ann") == foreign("two"));
}

TEST_CASE("a folder whose name is too long for a file is found again") {
  const Place place;
  std::string level;
  while (level.size() < 240) level += "a\xc3\xa9";
  const FolderName folder({level});
  const mbox::Tree tree(place.path());
  write_file(tree.path_for(folder), "");
  CHECK(tree.find(folder) == tree.path_for(folder));
}

TEST_CASE("who only looks at a target changes nothing") {
  const Place place;
  const std::string path = place / "mail";
  const std::string text = foreign("theirs") + foreign("too", "X-UID: 4294967295\n");
  write_file(path, text);
  mbox::TargetFile file(path, true);
  REQUIRE(file.refresh(kNow));
  CHECK(file.entries().size() == 2);
  CHECK(read_file(path) == text);
  mbox::TargetFile nothing(place / "none", true);
  REQUIRE(nothing.refresh(kNow));
  CHECK(nothing.numbers().messages == 0u);
  CHECK(maildir::test::names_in(place.path()) == std::vector<std::string>{"mail"});
}
