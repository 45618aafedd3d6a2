// A Maildir on a disk for tests, and a way around the connector: files as other programs make and
// read them.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "engine/model.h"

namespace postferry::maildir::test {

/// A directory that goes with it.
class Place {
 public:
  Place() {
    std::string name = (std::filesystem::temp_directory_path() / "postferry-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

inline void make_folder(const std::string& directory) {
  for (const char* part : {"/cur", "/new", "/tmp"}) {
    std::filesystem::create_directories(directory + part);
  }
}

/// As the file of a program that keeps lines with LF.
inline std::string on_disk(std::string bytes) {
  for (std::size_t at = 0; (at = bytes.find("\r\n", at)) != std::string::npos;) bytes.erase(at, 1);
  return bytes;
}

inline void set_time(const std::string& path, std::int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) throw std::runtime_error("no time");
}

/// The names in a directory, sorted.
inline std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

/// UIDs by base name, read by other code than the connector's.
inline std::map<std::string, std::uint32_t> uids_of(const std::string& directory) {
  std::map<std::string, std::uint32_t> uids;
  std::istringstream list(read_file(directory + "/dovecot-uidlist"));
  std::string line;
  std::getline(list, line);
  while (std::getline(list, line)) {
    uids[line.substr(line.find(" :") + 2)] = static_cast<std::uint32_t>(std::stoul(line));
  }
  return uids;
}

inline std::map<char, std::string> letters_of(const std::string& directory) {
  std::map<char, std::string> letters{{'S', "\\Seen"},
                                      {'R', "\\Answered"},
                                      {'F', "\\Flagged"},
                                      {'D', "\\Draft"},
                                      {'T', "\\Deleted"}};
  std::istringstream file(read_file(directory + "/dovecot-keywords"));
  int number = 0;
  std::string name;
  while (file >> number >> name) letters[static_cast<char>('a' + number)] = name;
  return letters;
}

}  // namespace postferry::maildir::test
