// Mboxes on a disk for tests, and a way around the connector: files as other programs make them.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <sstream>
#include <string>

#include "engine/model.h"
#include "tests/maildir/workshop.h"

namespace postferry::mbox::test {

using maildir::test::on_disk;
using maildir::test::Place;
using maildir::test::read_file;
using maildir::test::write_file;

inline void append_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file << bytes;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

/// `Wed Nov 15 03:43:20 2023 +0530`, by other code than the connector's.
inline std::string from_date(const InternalDate& date) {
  const std::time_t local = date.seconds + date.zone_minutes * 60;
  std::tm parts{};
  ::gmtime_r(&local, &parts);
  char text[64], zone[16];
  std::strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts);
  const int minutes = std::abs(date.zone_minutes);
  std::snprintf(zone, sizeof zone, " %c%02d%02d", date.zone_minutes < 0 ? '-' : '+', minutes / 60,
                minutes % 60);
  return std::string(text) + zone;
}

/// Lines with LF, `From ` quoted as mboxrd does, the line between messages at the end.
inline std::string quoted(const std::string& message) {
  std::string out;
  std::string text = on_disk(message);
  if (!text.ends_with('\n')) text += '\n';
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at) + 1;
    const std::string line = text.substr(at, end - at);
    const std::size_t marks = std::min(line.find_first_not_of('>'), line.size());
    if (line.compare(marks, 5, "From ") == 0) out += '>';
    out += line;
    at = end;
  }
  return out + "\n";
}

/// A message of ours as a file has it, read by other code than the connector's.
struct Kept {
  std::uint32_t uid = 0;  // 0: none
  std::string bytes;
  Flags flags;
  InternalDate date;
};

inline std::vector<Kept> messages_in(const std::string& file) {
  std::vector<Kept> out;
  std::istringstream lines(file);
  std::string line;
  std::size_t size = 0;
  bool top = false;
  const auto close = [&] {
    if (!out.empty()) out.back().bytes.resize(std::min(size, out.back().bytes.size()));
  };
  while (std::getline(lines, line)) {
    if (line.starts_with("From ")) {
      close();
      Kept& kept = out.emplace_back();
      size = std::stoul(line.substr(line.find('=') + 1));
      std::tm parts{};
      const char* zone =
          ::strptime(line.c_str() + line.find(' ', 5), " %a %b %d %H:%M:%S %Y ", &parts);
      const int hhmm = std::stoi(zone);
      kept.date.zone_minutes = static_cast<std::int16_t>(hhmm / 100 * 60 + hhmm % 100);
      kept.date.seconds = ::timegm(&parts) - kept.date.zone_minutes * 60;
      top = true;
      continue;
    }
    Kept& kept = out.back();
    const std::size_t colon = line.find(": ");
    const std::string name = line.substr(0, colon);
    const std::string value = colon == std::string::npos ? "" : line.substr(colon + 2);
    const auto has = [&value](char c) { return value.find(c) != std::string::npos; };
    if (top && name == "X-UID") kept.uid = static_cast<std::uint32_t>(std::stoul(value));
    if (top && name == "Status" && has('R')) kept.flags.system |= Flags::seen;
    if (top && name == "X-Status") {
      if (has('A')) kept.flags.system |= Flags::answered;
      if (has('F')) kept.flags.system |= Flags::flagged;
      if (has('T')) kept.flags.system |= Flags::draft;
      if (has('D')) kept.flags.system |= Flags::deleted;
    }
    if (top && line.starts_with("X-Keywords:")) {
      std::istringstream words(line.substr(11));
      for (std::string word; words >> word;) kept.flags.add(word);
      top = false;
      continue;
    }
    if (top) continue;
    const std::size_t marks = std::min(line.find_first_not_of('>'), line.size());
    if (marks > 0 && line.compare(marks, 5, "From ") == 0) line.erase(0, 1);
    kept.bytes += line + "\r\n";
  }
  close();
  return out;
}

inline std::string status_fields(const Flags& flags) {
  const auto letter = [&flags](Flags::System flag, const char* c) {
    return (flags.system & flag) != 0 ? c : "";
  };
  std::string out = std::string("Status: ") + letter(Flags::seen, "R") + "O\nX-Status: ";
  out += letter(Flags::answered, "A");
  out += letter(Flags::flagged, "F");
  out += letter(Flags::draft, "T");
  out += letter(Flags::deleted, "D");
  out += "\nX-Keywords:";
  for (const std::string& word : flags.keywords) out += " " + word;
  return out + "\n";
}

}  // namespace postferry::mbox::test
