// Zip archives: read at any offset, and whatever is wrong with one is told before a byte is used.
#include "connectors/mbox/zip.h"

#include <catch2/catch.hpp>
#include <random>

#include "engine/error.h"
#include "tests/mbox/workshop.h"
#include "tests/mbox/zip_workshop.h"

using namespace postferry;
using namespace postferry::mbox;
using namespace postferry::mbox::test;

namespace {

bool any(const std::string&) { return true; }

/// Text that packs somewhat, and differs everywhere.
std::string text_of(std::size_t size) {
  std::mt19937 dice(7);
  std::string out;
  while (out.size() < size)
    out += "line " + std::to_string(dice()) + " of " + std::to_string(out.size()) + "\n";
  out.resize(size);
  return out;
}

std::string read_all(Bytes& bytes, std::size_t piece = 100'000) {
  std::string out;
  for (std::string part = bytes.read(0, piece); !part.empty(); part = bytes.read(out.size(), piece))
    out += part;
  return out;
}

std::string complaint(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::local);
    return error.what();
  }
  return "";
}

std::string complaint_about(const std::string& path) {
  return complaint([&path] {
    for (const ZipMember& member : list_zip(path, any)) {
      ZipBytes bytes(path, member);
      read_all(bytes);
    }
  });
}

}  // namespace

TEST_CASE(
    "a zip archive gives its files as they went in, packed or stored, with zip64 or without") {
  const Place place;
  const std::string path = place / "a.zip", text = text_of(300'000);
  write_zip(path, {{"deflated", text, true, false},
                   {"stored", text, false, false},
                   {"Takeout/Mail/deflated64", text, true, true},
                   {"stored64", text, false, true},
                   {"empty", "", true, false}});
  CHECK(is_zip(path));
  const std::vector<ZipMember> members = list_zip(path, any);
  REQUIRE(members.size() == 5);
  CHECK(members[2].name == "Takeout/Mail/deflated64");
  for (const ZipMember& member : members) {
    ZipBytes bytes(path, member);
    CHECK(read_all(bytes) == (member.name == "empty" ? "" : text));
  }
}

TEST_CASE("a packed file may be read in pieces of any size") {
  const Place place;
  const std::string path = place / "a.zip", text = text_of(3000) + std::string(500, 'x');
  write_zip(path, {{"a", text}});
  for (const std::size_t piece : {1u, 2u, 7u, 10u, 100u, 3333u}) {
    ZipBytes bytes(path, list_zip(path, any).at(0));
    CHECK(read_all(bytes, piece) == text);
  }
}

TEST_CASE("only files that are wanted are listed") {
  const Place place;
  write_zip(place / "a.zip", {{"a.mbox", "x"}, {"b.html", "y"}});
  const auto found =
      list_zip(place / "a.zip", [](const std::string& name) { return name.ends_with(".mbox"); });
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "a.mbox");
}

TEST_CASE("a packed file that was read once can be read anywhere") {
  const Place place;
  const std::string path = place / "a.zip", text = text_of(40 << 20);
  write_zip(path, {{"first", "x"}, {"large", text}});
  const ZipMember member = list_zip(path, any).at(1);
  ZipBytes first(path, member);
  REQUIRE(read_all(first, 1 << 20) == text);
  ZipBytes again(path, member, first.entry_points());
  std::mt19937 dice(3);
  for (int i = 0; i < 40; ++i) {
    const std::size_t at = dice() % text.size(), length = 1 + dice() % 100'000;
    REQUIRE(again.read(at, length) == text.substr(at, length));
  }
  CHECK(again.read(text.size(), 10).empty());
  CHECK(first.read(5, 10) == text.substr(5, 10));
}

TEST_CASE("an archive that lacks its end says so") {
  const Place place;
  const std::string path = place / "a.zip";
  write_zip(path, {{"a.mbox", text_of(100'000)}});
  const std::string whole = read_file(path);
  write_file(path, whole.substr(0, whole.size() / 2));
  CHECK(is_zip(path));
  CHECK_THAT(complaint_about(path), Catch::Contains("not all of one"));
  write_file(path, "no archive at all");
  CHECK_FALSE(is_zip(path));
}

TEST_CASE("a damaged file in an archive is told by its CRC") {
  const Place place;
  const std::string path = place / "a.zip";
  write_zip(path, {{"a.mbox", text_of(100'000), false}});
  std::string whole = read_file(path);
  whole[50'000] = static_cast<char>(whole[50'000] ^ 1);
  write_file(path, whole);
  CHECK_THAT(complaint_about(path), Catch::Contains("CRC") && Catch::Contains("a.mbox"));
}

TEST_CASE("a file that cannot be unpacked is told") {
  const Place place;
  const std::string path = place / "a.zip";
  write_zip(path, {{"a.mbox", text_of(100'000), true}});
  std::string whole = read_file(path);
  for (std::size_t i = 2000; i < 2400; ++i) whole[i] = '\xff';
  write_file(path, whole);
  CHECK_THAT(complaint_about(path), Catch::Contains("damaged"));
}

TEST_CASE("every flipped byte of an archive is told, or changes nothing") {
  const Place place;
  const std::string path = place / "a.zip", text = text_of(600);
  write_zip(path, {{"a.mbox", text, true}});
  const std::string whole = read_file(path);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 0x5a);
    write_file(path, broken);
    try {
      for (const ZipMember& member : list_zip(path, any)) {
        ZipBytes bytes(path, member);
        const std::string found = read_all(bytes);
        REQUIRE(found == text);
      }
    } catch (const Error& error) {
      REQUIRE(error.kind() == ErrorKind::local);
    }
  }
}

TEST_CASE("encrypted files are refused by name") {
  const Place place;
  const std::string path = place / "a.zip";
  write_zip(path, {{"a.mbox", "text", false}});
  std::string whole = read_file(path);
  // The flags of the directory's entry, and of the file's own header.
  whole[whole.find("PK\x01\x02") + 8] |= 1;
  whole[6] |= 1;
  write_file(path, whole);
  CHECK_THAT(complaint_about(path), Catch::Contains("a.mbox") && Catch::Contains("encrypted"));
}

TEST_CASE("names that lead out of an archive are refused") {
  const Place place;
  const std::string path = place / "a.zip";
  for (const char* name : {"../a.mbox", "/etc/a.mbox", "x/../../a.mbox", "a\\b.mbox"}) {
    write_zip(path, {{name, "text"}});
    CHECK_THAT(complaint_about(path), Catch::Contains("outside"));
  }
  write_zip(path, {{"x/..a.mbox", "text"}});
  CHECK(complaint_about(path).empty());
}

TEST_CASE("a zip bomb is refused before it is unpacked") {
  const Place place;
  const std::string path = place / "a.zip";
  write_zip(path, {{"a.mbox", std::string(100 << 20, 'x')}});
  CHECK_THAT(complaint([&path] { list_zip(path, any); }), Catch::Contains("that is no mail"));
}

TEST_CASE("files that share their bytes are refused") {
  const Place place;
  const std::string path = place / "a.zip", text = text_of(50'000);
  write_zip(path, {{"a.mbox", text}});
  const std::string whole = read_file(path);
  const std::size_t directory = whole.find("PK\x01\x02"), end = whole.find("PK\x05\x06");
  const std::string entry = whole.substr(directory, end - directory);
  std::string tail = whole.substr(end);
  std::string entries;
  constexpr unsigned kTimes = 20;
  for (unsigned i = 0; i < kTimes; ++i) entries += entry;
  const auto put = [&tail](std::size_t at, std::size_t bytes, std::size_t value) {
    for (std::size_t i = 0; i < bytes; ++i) tail[at + i] = static_cast<char>(value >> (8 * i));
  };
  put(8, 2, kTimes);
  put(10, 2, kTimes);
  put(12, 4, entries.size());
  write_file(path, whole.substr(0, directory) + entries + tail);
  CHECK_THAT(complaint_about(path), Catch::Contains("more bytes than it has"));
}
