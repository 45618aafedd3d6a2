#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "cli/descriptor.h"
#include "cli/output.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {
namespace {

/// A name that no server can choose: letters, digits and a hash that keeps names apart.
std::string file_name_of(const FailedMessage& message) {
  const std::string whole = message.folder.to_string() + "\n" + message.row.key.to_string();
  std::string name;
  for (const char c : message.folder.to_string() + "-" + message.row.key.to_string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain ? c : '-';
    if (name.size() == 60) break;
  }
  const Sha256 hash = sha256(whole);
  name += '-';
  for (std::size_t i = 0; i < 4; ++i) name += fmt::format("{:02x}", hash[i]);
  return name + ".eml";
}

[[noreturn]] void fail(const std::string& path) {
  throw Error(ErrorKind::local, std::strerror(errno), path);
}

/// Writes each message to a file of its own, for the owner alone; one that is there stays.
class ExportSink final : public MessageSink {
 public:
  ExportSink(TaskGroup& group, std::string directory, std::map<MessageKey, FailedMessage*>& wanted)
      : group_(group), directory_(std::move(directory)), wanted_(wanted) {}

  Task<void> message(Message message) override {
    FailedMessage& failed = *wanted_.at(message.key);
    if (message.body.streamed()) {
      group_.spawn(write(std::move(message), directory_ + "/" + file_name_of(failed), failed));
    } else {
      co_await write(std::move(message), directory_ + "/" + file_name_of(failed), failed);
    }
  }
  Task<void> missing(MessageKey key, bool gone, std::string reason) override {
    wanted_.at(key)->not_exported = gone ? "no longer at the source" : reason;
    co_return;
  }

 private:
  static Task<void> write(Message message, std::string path, FailedMessage& failed) {
    const Descriptor file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0) fail(path);
    const int fd = file.get();
    co_await message.body.write_to([fd, &path](std::string_view bytes) -> Task<void> {
      if (!write_all(fd, bytes)) fail(path);
      co_return;
    });
    failed.exported_to = path;
  }

  TaskGroup& group_;
  std::string directory_;
  std::map<MessageKey, FailedMessage*>& wanted_;
};

Task<void> export_folder(SourceSession& session, FolderName folder, std::string directory,
                         std::map<MessageKey, FailedMessage*>& wanted) {
  co_await session.select(folder);
  const Catalogue catalogue = co_await session.catalogue();
  std::vector<Catalogue::Entry> entries;
  for (auto& [key, failed] : wanted) {
    if (const auto at = catalogue.find(key)) {
      entries.push_back(catalogue[*at]);
    } else {
      failed->not_exported = "no longer at the source";
    }
  }
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    ExportSink sink(group, directory, wanted);
    co_await session.fetch(std::move(entries), sink);
    co_await group.join();
  });
}

Task<void> export_all(Source& source, std::string directory, std::vector<FailedMessage>& failed) {
  constexpr std::chrono::seconds kGoodbye{5};
  std::map<FolderName, std::map<MessageKey, FailedMessage*>> by_folder;
  for (FailedMessage& message : failed) {
    const std::string path = directory + "/" + file_name_of(message);
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0) {
      message.not_exported = path + " is there already";
    } else {
      by_folder[message.folder].emplace(message.row.key, &message);
    }
  }
  if (by_folder.empty()) co_return;
  const std::unique_ptr<SourceSession> session = co_await source.connect();
  for (auto& [folder, wanted] : by_folder)
    co_await export_folder(*session, folder, directory, wanted);
  try {
    co_await with_timeout(kGoodbye, session->logout());
  } catch (const TimedOut&) {
    co_return;  // all is written
  }
}

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail(path);
}

}  // namespace

Report run_failed(const PairOptions& options, Terminal& terminal, Observer& log) {
  const std::string path = journal_path(options);
  std::unique_ptr<Journal> journal = open_pair_journal(path);
  if (options.accept) {
    journal.reset();
    journal = open_journal(path);
  }
  net::UvExecutor executor;
  if (options.accept) block_on(executor, accept_all(*journal, options));
  Report report;
  report.source = options.source.to_string();
  report.target = options.target.to_string();
  report.ledger.account = account_name(options);
  report.failed = block_on(executor, failed_messages(*journal, options));
  if (options.export_to && !report.failed->empty()) {
    make_directory(*options.export_to);
    Wiring wiring(options, log, WiredEnds::source);
    StopRequest stop;
    const SignalWatch signals(wiring.executor(), options, terminal, log, stop);
    block_on(wiring.executor(), export_all(wiring.source(), *options.export_to, *report.failed));
  }
  for (const FailedMessage& failed : *report.failed)
    if (!failed.row.accepted || !failed.not_exported.empty())
      report.ledger.outcome = Outcome::partial;
  return report;
}

}  // namespace postferry::cli
