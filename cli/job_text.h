// A job file as it is written: keys, values and the lines they stand on, from TOML and CSV.
// Must not know what any key means.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace postferry::cli {

/// Where something stands.
struct Place {
  std::string file;
  int line = 0;
};

/// One value; an array has several texts.
struct Given {
  std::vector<std::string> texts;
  Place place;
  const std::string& text() const { return texts.front(); }
};

using Keys = std::map<std::string, Given>;

struct Section {
  Keys keys;
  Place place;
};

/// Something wrong in a job file. `text` never holds a password.
struct JobFault {
  Place place;
  std::string text;
};

struct JobText {
  Section top, source, target;
  std::vector<Section> accounts;  // of [[account]] and of the CSV, in order
  std::vector<JobFault> faults;
};

/// Reads the TOML file's text, `name` being what faults call it; `accounts` is among the top's keys
/// if it names a CSV.
JobText read_job_text(const std::string& text, const std::string& name);

/// Reads a table of accounts: a header row, then one row an account; fields parted by `,` or, where
/// the header has it, `;`, quoted as in RFC 4180. Empty fields are not there.
void read_job_table(const std::string& text, const std::string& name, JobText& into);

}  // namespace postferry::cli
