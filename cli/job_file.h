// A job file, understood: every account as the options of its pair. All that is wrong is found
// before anything begins. Opens the files it names, and no connection.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/job_text.h"
#include "cli/options.h"

namespace postferry::cli {

/// The job file is wrong (exit 78): all faults, in the order of their lines.
class JobFileError : public std::runtime_error {
 public:
  explicit JobFileError(std::vector<JobFault> faults);
  const std::vector<JobFault>& faults() const { return faults_; }

 private:
  std::vector<JobFault> faults_;
};

/// "people.csv:7: what is wrong".
std::string fault_line(const JobFault& fault);

struct Job {
  std::string path;
  PairOptions whole;                  // options of the job as a whole; its ends mean nothing
  std::vector<PairOptions> accounts;  // each with its name; in the file's order
  std::vector<std::string> warnings;
  const std::string& journal() const { return *whole.journal; }
};

using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// Reads the job file and what it names; relative paths are relative to it. Throws JobFileError,
/// and UsageError for what the command line alone has wrong.
Job load_job(const JobRequest& request, const Environment& environment);

}  // namespace postferry::cli
