// Mailboxes in memory, as a server keeps them, with what only a simulation knows: where each
// message came from, and what no client may do. Must not know any protocol.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace postferry::sim {

enum class Maker { owner, client };  // put there by its owner's doing, or appended by the program

struct Mail {
  std::uint32_t uid = 0;
  std::shared_ptr<const std::string> bytes;
  Flags flags;
  std::optional<InternalDate> date;
  std::uint64_t modseq = 0;
  Maker maker = Maker::owner;
  std::string uidl;       // POP3
  int touched = 0;        // how often its owner has changed its flags since it came
  bool stored = false;    // the program has changed them, too
  bool late = false;      // it came for a client whose line was down
  std::uint64_t age = 0;  // the store's when it came
  Flags left_with;        // the flags that its owner last gave it
  bool told = false;      // the program has said that it equals another, and stays

  std::string_view text() const { return *bytes; }
};

struct MailFolder {
  std::string wire;  // its name as the protocol spells it
  std::string attributes;
  bool subscribed = false;
  bool barred = false;  // listed, and never opened
  std::uint32_t uid_validity = 1;
  std::uint32_t uid_next = 1;
  std::uint64_t highest_modseq = 1;
  std::uint64_t generation = 0;  // counts rebuilds of its index
  std::deque<Mail> mails;        // ascending UIDs
  /// By bytes, how many were stored for a client whose line was down.
  std::map<std::string, std::size_t> late;

  Mail* find(std::uint32_t uid);
  Mail& add(Mail mail);
  void remove(std::uint32_t uid);
  /// As it was some messages ago, UIDNEXT and all: a server restored from its backup.
  void restore_backup(std::size_t lost);
  void set_flags(Mail& mail, Flags flags);
  /// Another UIDVALIDITY, and new UIDs from 1 on in the same order.
  void rebuild();
};

class Mailstore {
 public:
  std::deque<MailFolder> folders;

  MailFolder* find(std::string_view wire);
  MailFolder& make(std::string wire);
  std::uint64_t stored_bytes() const;

  /// Bytes that may still be stored; unset: any.
  std::optional<std::uint64_t> quota;
  /// The program has a message removed for good: told just before.
  std::function<void(const MailFolder&, const Mail&)> on_removal;
  /// Rises when something is lost that only the program knew; see World.
  std::uint64_t age = 0;
  /// Messages that the program appended, twins and all.
  std::uint64_t appended = 0;
  /// What the program did that it must never do.
  std::vector<std::string> sins;
};

}  // namespace postferry::sim
