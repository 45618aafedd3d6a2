#include "cli/job_file.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <tuple>

#include "cli/job_ends.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::uintmax_t kMostBytes = 64u << 20;  // of a job file or a table

/// Keys of an account that are no options of a run.
constexpr const char* kAccountKeys[] = {"name",
                                        "source_url",
                                        "source_user",
                                        "source_preset",
                                        "source_daily",
                                        "source_password",
                                        "target_url",
                                        "target_user",
                                        "target_preset",
                                        "target_daily",
                                        "target_password",
                                        "source_password_file",
                                        "source_password_command",
                                        "target_password_file",
                                        "target_password_command"};
/// Options of a run that one account may have to itself; the others are the job's.
constexpr const char* kAccountOptions[] = {
    "folder",   "exclude",         "map",        "since",           "before",
    "max_size", "deletions",       "after_copy", "sessions",        "timeout",
    "retries",  "force_deletions", "recipient",  "envelope_sender", "resent"};

template <class List>
bool among(const List& list, const std::string& key) {
  return std::ranges::any_of(list, [&](const char* one) { return key == one; });
}

class Loader {
 public:
  Loader(const JobRequest& request, const Environment& environment)
      : request_(request),
        environment_(environment),
        directory_(std::filesystem::absolute(request.path).parent_path()) {}

  Job load() {
    job_.path = request_.path;
    const auto text = read_file(request_.path, {request_.path, 1});
    if (text) {
      text_ = read_job_text(*text, request_.path);
      faults_ = std::move(text_.faults);
      warn_of_mode(request_.path, 0);
      read_table();
      understand();
    }
    if (!faults_.empty()) {
      std::ranges::stable_sort(faults_, {}, [this](const JobFault& fault) {
        return std::tuple(fault.place.file != request_.path, fault.place.file, fault.place.line);
      });
      throw JobFileError(std::move(faults_));
    }
    return std::move(job_);
  }

 private:
  void fault(const Place& place, std::string text) { faults_.push_back({place, std::move(text)}); }

  std::string path_from(const std::string& path) const { return (directory_ / path).string(); }

  std::optional<std::string> read_file(const std::string& path, const Place& named_at) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (!error && size > kMostBytes) {
      fault(named_at, fmt::format("{} is larger than 64 MiB", printable(path)));
      return std::nullopt;
    }
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (error || !file || !(text << file.rdbuf())) {
      fault(named_at, fmt::format("cannot read {}: {}", printable(path),
                                  error ? error.message() : std::strerror(errno)));
      return std::nullopt;
    }
    return text.str();
  }

  /// The CSV that the key `accounts` names.
  void read_table() {
    const auto at = text_.top.keys.find("accounts");
    if (at == text_.top.keys.end()) return;
    const std::string path = path_from(at->second.text());
    const auto text = read_file(path, at->second.place);
    if (!text) return;
    const std::size_t before = text_.accounts.size();
    read_job_table(*text, at->second.text(), text_);
    faults_.insert(faults_.end(), text_.faults.begin(), text_.faults.end());
    warn_of_mode(path, before);
  }

  /// Where `path` holds passwords of accounts from the `first` on.
  void warn_of_mode(const std::string& path, std::size_t first) {
    const auto has_password = [](const Section& account) {
      return account.keys.contains("source_password") || account.keys.contains("target_password");
    };
    if (std::none_of(text_.accounts.begin() + static_cast<std::ptrdiff_t>(first),
                     text_.accounts.end(), has_password))
      return;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || (status.st_mode & (S_IRGRP | S_IROTH)) == 0) return;
    job_.warnings.push_back(fmt::format(
        "{} holds passwords and can be read by others; `chmod 600` it", printable(path)));
  }

  void understand() {
    PairOptions defaults = request_.options;
    defaults.command = Command::run;
    take_options(text_.top.keys, defaults, [this](const std::string& key) {
      const bool password = key.find("_password_") != std::string::npos;
      if (password)
        fault(text_.top.keys.at(key).place,
              "passwords belong into [source], [target] or an account");
      return password || key == "accounts";
    });
    take_arguments(defaults);
    job_.whole = defaults;
    job_.whole.command = request_.options.command;
    if (!job_.whole.journal) {
      job_.whole.journal = std::filesystem::path(request_.path).replace_extension(".db").string();
    } else if (!given_on_command_line("--journal=")) {
      job_.whole.journal = path_from(*job_.whole.journal);
    }
    for (const std::string& key : unknown_end_keys(text_.source.keys))
      fault(text_.source.keys.at(key).place,
            fmt::format("[source] has no key {}", printable(key, 80)));
    for (const std::string& key : unknown_end_keys(text_.target.keys))
      fault(text_.target.keys.at(key).place,
            fmt::format("[target] has no key {}", printable(key, 80)));
    if (text_.accounts.empty() && faults_.empty()) {
      fault(text_.top.place,
            "there is no account; write [[account]] tables, or accounts = \"FILE.csv\"");
    }
    for (const Section& section : text_.accounts) understand_account(section, defaults);
  }

  bool given_on_command_line(const char* option) const {
    return std::ranges::any_of(request_.arguments, [option](const std::string& argument) {
      return argument.starts_with(option);
    });
  }

  /// Keys that are options, except those that `known` says are something else.
  template <class Known>
  void take_options(const Keys& keys, PairOptions& options, Known known) {
    for (const auto& [key, given] : keys) {
      if (known(key)) continue;
      try {
        add_options(options, arguments_of(key, given));
      } catch (const UsageError& error) {
        const std::string text = error.what();
        const bool of_table = given.place.file != request_.path;
        fault(given.place, text.starts_with("there is no option")
                               ? fmt::format("there is no key {}", printable(key, 80))
                           : of_table ? fmt::format("{}: {}", key, kNotShown)
                                      : text);
      }
    }
  }

  /// `max_size = "25M"` as the command line has it; a flag is true or false.
  static std::vector<std::string> arguments_of(const std::string& key, const Given& given) {
    std::string name = "--" + key;
    std::ranges::replace(name, '_', '-');
    static constexpr const char* kFlags[] = {
        "same_account", "dry_run", "force_deletions", "no_wait", "quiet",
        "resent",       "json",    "no_progress",     "failed",  "skip_complete"};
    if (among(kFlags, key)) {
      if (given.text() == "false") return {};
      if (given.text() == "true") return {name};
      throw UsageError(fmt::format("{} is true or false", key));
    }
    std::vector<std::string> arguments;
    for (const std::string& text : given.texts) arguments.push_back(name + "=" + text);
    return arguments;
  }

  void take_arguments(PairOptions& options) {
    const Command command = options.command;
    options.command = request_.options.command;
    add_options(options, request_.arguments);
    options.command = command;
  }

  void understand_account(const Section& section, const PairOptions& defaults) {
    PairOptions account = defaults;
    account.command = Command::run;
    const bool of_table = section.place.file != request_.path;
    bool any_option = false;
    for (const auto& [key, given] : section.keys) {
      if (among(kAccountKeys, key)) continue;
      any_option = any_option || among(kAccountOptions, key);
      if (among(kAccountOptions, key)) continue;
      // A table without its header would show a password here.
      const std::string text = of_table
                                   ? "the header names a column that is unknown"
                                   : fmt::format("[[account]] has no key {}", printable(key, 80));
      if (!of_table || unknown_columns_.insert(key).second)
        fault(of_table ? Place{section.place.file, 1} : given.place, text);
    }
    if (any_option) {
      take_options(section.keys, account,
                   [](const std::string& key) { return !among(kAccountOptions, key); });
      take_arguments(account);
    }
    account.command = job_.whole.command;
    account.journal = job_.whole.journal;
    const Command command = job_.whole.command;
    const bool looks_back = command == Command::status || command == Command::report ||
                            (command == Command::failed && !account.export_to);
    JobEnds ends{text_.source, text_.target,        section,
                 of_table,     directory_.string(), !looks_back,
                 environment_, request_.arguments,  faults_};
    const std::size_t faults_before = faults_.size();
    understand_ends(ends, account);
    if (faults_.size() == faults_before) check_account(section, account);
    if (!account.account.empty()) job_.accounts.push_back(std::move(account));
  }

  void check_account(const Section& section, PairOptions& account) {
    try {
      check_relaying(account);
      check_together(account);
    } catch (const UsageError& error) {
      fault(section.place, error.what());
    }
    if (!names_.insert(account.account).second)
      fault(section.place,
            fmt::format("a second account is named {}", printable(account.account, 80)));
    if (!pairs_.insert(account.source.identity() + "\n" + account.target.identity()).second)
      fault(section.place,
            fmt::format("another account has the ends of {}, too", printable(account.account, 80)));
  }

  const JobRequest& request_;
  const Environment& environment_;
  std::filesystem::path directory_;
  JobText text_;
  Job job_;
  std::vector<JobFault> faults_;
  std::set<std::string> names_, pairs_, unknown_columns_;
};

std::string all_of(const std::vector<JobFault>& faults) {
  std::string text;
  for (const JobFault& fault : faults) text += (text.empty() ? "" : "\n") + fault_line(fault);
  return text;
}

}  // namespace

JobFileError::JobFileError(std::vector<JobFault> faults)
    : std::runtime_error(all_of(faults)), faults_(std::move(faults)) {}

std::string fault_line(const JobFault& fault) {
  return fmt::format("{}:{}: {}", printable(fault.place.file), fault.place.line, fault.text);
}

Job load_job(const JobRequest& request, const Environment& environment) {
  return Loader(request, environment).load();
}

}  // namespace postferry::cli
