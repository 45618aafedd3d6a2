// An mbox that is filled: what a killed process left is cut off, and nothing else ever is; flags
// change in place; UIDs last.
#include "connectors/mbox/target_file.h"

#include "tests/mbox/workshop.h"

using namespace postferry;
using namespace postferry::mbox;
using namespace postferry::mbox::test;

namespace {

constexpr Moment kNow = 1'700'000'000'000'000'000;
const std::string kMail = "Subject: x\r\n\r\nFrom here\r\n\r\nbody\r\n";

std::vector<Incoming> batch(const std::vector<std::string>& bytes) {
  std::vector<Incoming> out;
  for (const std::string& message : bytes) {
    Incoming& one = out.emplace_back();
    one.bytes = message;
    one.size_bytes = message.size();
    one.date = {1'700'000'000, 60};
  }
  return out;
}

struct Filled {
  Place place;
  std::string path = place / "mail";
  std::vector<std::string> mail{kMail, kMail + "2\r\n"};

  Filled() {
    write_file(path, "");
    add(mail);
  }
  std::vector<Uid> add(const std::vector<std::string>& bytes) const {
    TargetFile file(path);
    REQUIRE(file.refresh(kNow));
    const auto uids = file.append(batch(bytes), kNow);
    REQUIRE(uids);
    return *uids;
  }
  TargetFile look() const {
    TargetFile file(path);
    REQUIRE(file.refresh(kNow));
    return file;
  }
  std::vector<std::uint32_t> uids() const {
    std::vector<std::uint32_t> out;
    const TargetFile file = look();
    for (const Entry& entry : file.entries()) out.push_back(*entry.uid);
    return out;
  }
};

using Uids = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("an append that was killed anywhere leaves whole messages, and no half one") {
  Filled filled;
  const std::string before = read_file(filled.path);
  filled.add({"Subject: third\r\n\r\nbody\r\n", kMail});
  const std::string after = read_file(filled.path);
  const std::string second_from = "\nFrom postferry";
  const std::size_t fourth = after.find(second_from, before.size() + 1) + 1;
  for (std::size_t size = before.size(); size < after.size(); ++size) {
    INFO("killed after " << size << " of " << after.size() << " bytes");
    // The number of the last UID is written after all of it.
    write_file(filled.path, before + after.substr(before.size(), size - before.size()));
    const std::size_t whole = size + 1 >= after.size() ? 4 : size + 1 >= fourth ? 3 : 2;
    REQUIRE(filled.uids().size() == whole);
    filled.add({kMail});
    const auto kept = messages_in(read_file(filled.path));
    REQUIRE(kept.size() == whole + 1);
    CHECK(kept[0].bytes == filled.mail[0]);
    CHECK(kept[1].bytes == filled.mail[1]);
    CHECK(kept.back().bytes == kMail);
    CHECK(kept.back().uid == whole + 1);
  }
}

TEST_CASE("mail that somebody else added is never cut off, nor after half of ours") {
  Filled filled;
  const std::string others = "From bob Tue Nov 14 22:13:20 2023\nSubject: o\n\nF\n";
  append_file(filled.path, others);
  CHECK(filled.uids() == Uids{1, 2, 3});
  append_file(filled.path, "\nFrom");
  CHECK(filled.uids() == Uids{1, 2, 3});
  CHECK(read_file(filled.path).ends_with(others + "\nFrom"));
  filled.add({kMail});
  CHECK(filled.uids() == Uids{1, 2, 3, 4});
  const std::string now = read_file(filled.path);
  CHECK(messages_in(now.substr(now.rfind("\nFrom postferry") + 1)).back().bytes == kMail);
}

TEST_CASE("a first append that was killed leaves an empty file, or whole messages") {
  Filled filled;
  const std::string all = read_file(filled.path);
  const std::size_t second = all.find("\nFrom postferry", 1) + 1;
  const std::size_t digits = all.find("X-IMAPbase: ") + 23;
  std::string killed = all;
  killed.replace(digits, 10, "0000000000");
  for (std::size_t size = 0; size < all.size(); ++size) {
    INFO("killed after " << size << " bytes");
    write_file(filled.path, killed.substr(0, size));
    const std::size_t whole = size + 1 >= all.size() ? 2 : size + 1 >= second ? 1 : 0;
    REQUIRE(filled.uids().size() == whole);
  }
}

TEST_CASE("flags change where they stand, and by a new file where there is no room") {
  Filled filled;
  const auto inode = files::status_of(filled.path)->st_ino;
  Flags flags = Flags::parse("\\Seen \\Flagged Work");
  REQUIRE(filled.look().change_flags({Uid{1}}, flags, true, kNow));
  CHECK(files::status_of(filled.path)->st_ino == inode);
  CHECK(messages_in(read_file(filled.path))[0].flags == flags);
  Flags large;
  large.add(std::string(200, 'k'));
  REQUIRE(filled.look().change_flags({Uid{2}}, large, true, kNow));
  CHECK(files::status_of(filled.path)->st_ino != inode);
  const auto kept = messages_in(read_file(filled.path));
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].flags == flags);
  CHECK(kept[1].flags == large);
  CHECK(kept[0].bytes == filled.mail[0]);
  CHECK(kept[1].bytes == filled.mail[1]);
  CHECK(filled.uids() == Uids{1, 2});
}

TEST_CASE("the first message lists the keywords of all, as Dovecot wants it") {
  Filled filled;
  const auto listed = [&filled] {
    const std::string all = read_file(filled.path);
    const std::size_t at = all.find("X-IMAPbase: ") + 33;
    std::istringstream words(all.substr(at, all.find('\n', at) - at));
    return std::vector<std::string>(std::istream_iterator<std::string>(words), {});
  };
  using Words = std::vector<std::string>;
  const auto inode = files::status_of(filled.path)->st_ino;
  CHECK(listed() == Words{});
  REQUIRE(filled.look().change_flags({Uid{2}}, Flags::parse("Work"), true, kNow));
  CHECK(listed() == Words{"Work"});
  TargetFile file = filled.look();
  std::vector<Incoming> more(1);
  more[0].bytes = kMail;
  more[0].size_bytes = kMail.size();
  more[0].flags = Flags::parse("work $Forwarded");
  REQUIRE(file.append(more, kNow));
  CHECK(listed() == Words{"Work", "$Forwarded"});
  CHECK(files::status_of(filled.path)->st_ino == inode);  // there is room for it
  Flags many;
  for (int i = 0; i < 40; ++i) many.add_keyword("A-Keyword-Of-Some-Length-" + std::to_string(i));
  REQUIRE(file.change_flags({Uid{3}}, many, true, kNow));
  CHECK(listed().size() == 42);
  CHECK(filled.uids() == Uids{1, 2, 3});
  const auto kept = messages_in(read_file(filled.path));
  CHECK(kept[0].bytes == filled.mail[0]);
  CHECK(kept[2].flags.keywords.size() == 42);
  REQUIRE(filled.look().remove({Uid{1}}, kNow));
  CHECK(listed().size() == 42);
}

TEST_CASE("UIDs last: what is removed is never given again") {
  Filled filled;
  const auto validity = filled.look().numbers().uid_validity;
  filled.add({kMail});
  REQUIRE(filled.look().remove({Uid{1}, Uid{3}}, kNow));
  CHECK(filled.uids() == Uids{2});
  CHECK(filled.look().numbers().uid_validity == validity);
  CHECK(filled.add({kMail}) == std::vector<Uid>{Uid{4}});
  REQUIRE(filled.look().remove({Uid{2}, Uid{4}}, kNow));
  CHECK(read_file(filled.path).empty());
  CHECK(filled.look().numbers().uid_validity != validity);
}

TEST_CASE("an mbox of another program gets UIDs, and is else as it was") {
  Place place;
  const std::string path = place / "mail";
  const std::string text = "Subject: o\nX-Status: F\n\n>From a\nb\n\n",
                    from = "From bob Tue Nov 14 22:13:20 2023\n";
  write_file(path, from + text + from + "Content-Length: 4\n" + text);
  TargetFile file(path);
  REQUIRE(file.refresh(kNow));
  REQUIRE(file.entries().size() == 2);
  CHECK(file.entries()[0].flags == Flags::parse("\\Flagged"));
  const std::string now = read_file(path);
  CHECK(now.find("Subject: o\n\n>From a\nb\n\nFrom bob") != std::string::npos);
  CHECK(now.find("Content-Length: 4\nSubject: o\n\n>From a\nb\n\n") != std::string::npos);
  CHECK(now.find("X-IMAPbase: ") == from.size());
  const auto validity = file.numbers().uid_validity;
  TargetFile again(path);
  REQUIRE(again.refresh(kNow));
  CHECK(again.numbers().uid_validity == validity);
  CHECK(read_file(path) == now);
}

TEST_CASE("a lock that another program holds is waited for, not broken") {
  Filled filled;
  TargetFile file = filled.look();
  write_file(filled.path + ".lock", "1:elsewhere");
  CHECK_FALSE(file.refresh(kNow));
  CHECK_FALSE(file.append(batch({kMail}), kNow));
  CHECK_FALSE(file.remove({Uid{1}}, kNow));
  CHECK(std::filesystem::exists(filled.path + ".lock"));
  std::filesystem::remove(filled.path + ".lock");
  const auto reading = Lock::try_take(filled.path, Lock::For::reading);
  REQUIRE(reading);
  CHECK_FALSE(file.refresh(kNow));
}
