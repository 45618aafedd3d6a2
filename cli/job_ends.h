// Where an account of a job comes from and goes to: what [source], [target] and the account say of
// its two ends, put together. Opens nothing but to see whether a password file is there.
#pragma once

#include <string>
#include <vector>

#include "cli/job_file.h"

namespace postferry::cli {

/// What is said in place of what is wrong with a value in a table, where a comma too many puts a
/// password, or a part of one, into another column.
constexpr const char* kNotShown =
    "it is not one that can be used (what a table holds is not shown: it may be a password)";

struct JobEnds {
  const Section &source, &target, &account;
  bool of_table;          // the account is a row of a table: see kNotShown
  std::string directory;  // of the job file
  bool log_in;            // so that passwords are needed
  const Environment& environment;
  const std::vector<std::string>& arguments;  // of the command line, which win
  std::vector<JobFault>& faults;
};

/// Sets the account's name, ends and passwords; what is wrong is added to the faults.
void understand_ends(const JobEnds& ends, PairOptions& account);

/// Keys that [source] and [target] do not have.
std::vector<std::string> unknown_end_keys(const Keys& keys);

}  // namespace postferry::cli
