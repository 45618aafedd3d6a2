// Two servers in memory, a journal in memory, and crossings between them in simulated time.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "connectors/memory/source.h"
#include "connectors/memory/target.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/crossing/crossing.h"
#include "state/sqlite_journal.h"

namespace postferry {

class NotingObserver final : public Observer {
 public:
  void note(Level, const std::string& text) override { notes.push_back(text); }
  bool said(const std::string& words) const {
    return std::ranges::any_of(
        notes, [&](const std::string& note) { return note.find(words) != std::string::npos; });
  }
  std::vector<std::string> notes;
};

/// A whole message with everything by which it can be recognised.
inline std::string letter(const std::string& id, const std::string& text = "text") {
  return "Received: from a by b; " + id + "\r\nMessage-ID: <" + id +
         "@example>\r\nDate: Mon, 7 Nov 2016 10:00:00 +0100\r\n"
         "From: ann@example\r\nSubject: letter " +
         id + "\r\nTo: bob@example\r\n\r\n" + text + "\r\n";
}

/// A POP3 source: one session, and keys that are UIDLs.
inline MemoryOptions pop3() {
  MemoryOptions options;
  options.uidl_keys = true;
  options.max_sessions = 1;
  return options;
}

/// A server that tracks its changes (CONDSTORE).
inline MemoryOptions modern() {
  MemoryOptions options;
  options.condstore = true;
  return options;
}

/// A source that tells what has changed since (CONDSTORE).
inline MemoryOptions telling() {
  MemoryOptions options;
  options.condstore = true;
  options.tells_changes = true;
  return options;
}

struct Pair {
  explicit Pair(MemoryOptions source_options = {}, MemoryOptions target_options = {})
      : source(std::move(source_options)), target(of_its_own(std::move(target_options))) {
    options.sessions = 1;
  }

  /// Puts `count` letters into a source folder.
  void fill(const char* folder, int count, const std::string& prefix = "m") {
    for (int i = 0; i < count; ++i) add(folder, letter(prefix + std::to_string(i)));
  }
  Uid add(const char* folder, const std::string& bytes, const char* flags = "\\Seen") {
    return source.folder(folder).add(bytes, Flags::parse(flags),
                                     InternalDate{1'000'000 + serial_++, 60});
  }

  Ledger run() {
    const auto from = make_memory_source(source);
    const auto to = make_memory_target(target);
    const Ledger ledger =
        block_on(executor, cross_account({*from, *to, *journal, observer},
                                         {"ann", "source", "target"}, options, stop));
    CHECK(ledger.messages().balances());
    return ledger;
  }

  /// What a folder holds: bytes, flags, instant; sorted.
  using Content = std::vector<std::tuple<std::string, std::string, std::int64_t>>;
  static Content content(MemoryServer& server, const FolderName& name) {
    Content out;
    if (const MemoryFolder* folder = server.find(name))
      for (const MemoryMessage& message : folder->messages)
        out.emplace_back(message.bytes, message.flags.to_string(),
                         message.date ? message.date->seconds : 0);
    std::ranges::sort(out);
    return out;
  }
  /// Every source folder is on the target, message for message, once each.
  bool equal() {
    return std::ranges::all_of(source.folders(), [&](const MemoryFolder& folder) {
      return content(source, folder.name) == content(target, folder.name);
    });
  }
  std::size_t on_target(const char* folder) {
    return content(target, FolderName::parse(folder)).size();
  }

  ManualExecutor executor;
  MemoryServer source, target;
  std::unique_ptr<Journal> journal = open_journal_in_memory();
  NotingObserver observer;
  CrossingOptions options;
  StopRequest stop;

 private:
  /// A mailbox made at another second than the source's.
  static MemoryOptions of_its_own(MemoryOptions options) {
    options.uid_validity = 2026;
    return options;
  }

  std::int64_t serial_ = 0;
};

}  // namespace postferry
