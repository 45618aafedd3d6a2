// What the tests of the journal share: a directory that goes away, and short ways to make rows.
#pragma once

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/error.h"
#include "engine/journal.h"
#include "state/sqlite_journal.h"

namespace postferry::tests {

/// A fresh directory, removed with everything in it.
class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "postferry-state-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline mode_t mode_of(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

/// Runs journal calls one by one.
class Runner {
 public:
  template <class T>
  T operator()(Task<T> task) {
    return block_on(executor_, std::move(task));
  }
  ManualExecutor& executor() { return executor_; }

 private:
  ManualExecutor executor_;
};

/// The error that a callable throws; fails by std::logic_error when it throws none.
template <class F>
Error error_of(F call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  throw std::logic_error("no error was thrown");
}

inline FolderName name(const std::string& text) { return FolderName::parse(text); }
inline MessageKey key(std::uint32_t uid) { return MessageKey(Uid{uid}); }
inline MessageKey key(const char* uidl) { return MessageKey(std::string(uidl)); }

inline MessageRow row(MessageKey of, std::uint32_t target_uid) {
  MessageRow row;
  row.key = std::move(of);
  row.size_bytes = 1234;
  Sha256 digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<unsigned char>(i * 7 + target_uid);
  }
  row.sha256 = digest;
  row.flags.add("\\Seen");
  row.target_uid = Uid{target_uid};
  row.date = InternalDate{1'700'000'000, 120};
  row.run = RunId{1};
  row.copied_at = 1'700'000'100;
  return row;
}

inline bool same(const MessageRow& a, const MessageRow& b) {
  return a.key == b.key && a.size_bytes == b.size_bytes && a.sha256 == b.sha256 &&
         a.flags == b.flags && a.target_uid == b.target_uid && a.date == b.date && a.run == b.run &&
         a.origin == b.origin && a.copied_at == b.copied_at && a.state == b.state &&
         a.listed_bytes == b.listed_bytes && a.header == b.header && a.repairs == b.repairs;
}

/// An account with one folder and a run, the least that a crossing needs.
struct Crossing {
  AccountId account;
  RunId run;
  FolderRecord folder;
};

inline Crossing begin_crossing(Runner& run, Journal& journal, const std::string& account = "ann",
                               const std::string& folder = "INBOX") {
  Crossing crossing;
  crossing.account = run(
      journal.account(account, "imap://" + account + "@old.example", "imap://team@new.example"));
  crossing.run = run(journal.begin_run(crossing.account, 1'700'000'000, "copy"));
  crossing.folder = run(journal.folder(crossing.account, name(folder), name(folder)));
  return crossing;
}

inline Record record_of(const Crossing& crossing, std::vector<MessageRow> rows) {
  Record record;
  record.folder = crossing.folder.id;
  record.target_folder = crossing.folder.target_folder;
  record.rows = std::move(rows);
  return record;
}

inline std::vector<std::uint32_t> numbers(const std::vector<Uid>& uids) {
  std::vector<std::uint32_t> numbers;
  for (const Uid uid : uids) numbers.push_back(uid.value);
  return numbers;
}

/// Both kinds of journal must behave alike.
struct AnyJournal {
  TempDirectory directory;
  std::unique_ptr<Journal> journal;
  explicit AnyJournal(bool in_file) {
    journal = in_file ? open_journal(directory / "journal.db") : open_journal_in_memory();
  }
  Journal* operator->() { return journal.get(); }
};

}  // namespace postferry::tests
