// One session of the model server: its place in the protocol. Private to the server's files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/imap_command.h"
#include "tests/sim/imap_server.h"
#include "tests/sim/imap_text.h"

namespace postferry::sim {

class ImapSession final : public Served, public std::enable_shared_from_this<ImapSession> {
 public:
  ImapSession(ImapServer& server, std::shared_ptr<Wire> wire)
      : server_(server), profile_(server.profile), wire_(std::move(wire)) {}
  void begin();

  void received(std::string_view bytes) override;
  void hung_up() override;
  void drained() override;

 private:
  enum class State { stranger, member, selected };

  // The loop.
  void plan_work();
  void end_fetch();
  void work();
  void obey(const ClientCommand& command);
  bool meet(Moment moment, const std::string& tag);
  void say(const std::string& line);
  void ok(const std::string& tag, const std::string& text);
  void no(const std::string& tag, const std::string& text);
  void sin(const ClientCommand& command, const std::string& why);
  void goodbye(const std::string& words);
  void end();

  // Commands: imap_session.cc and, for folders, imap_folders.cc.
  void capability(const std::string& tag);
  void login(const ClientCommand& command);
  void list(const ClientCommand& command);
  void status(const ClientCommand& command);
  void select(const ClientCommand& command, bool examine);
  void create(const ClientCommand& command);
  std::uint64_t highest_modseq(const MailFolder& folder) const;
  std::uint64_t modseq(const Mail& mail) const;
  std::string status_line(const MailFolder& folder, const std::vector<std::string>& items) const;

  // Messages: imap_messages.cc.
  void literal_waits(const LiteralWaits& literal);
  void append(const ClientCommand& command);
  void fetch(const ClientCommand& command);
  std::string fetch_line(std::size_t number, const Mail& mail,
                         const std::vector<std::string>& items) const;
  void store(const ClientCommand& command);
  void expunge(const ClientCommand& command);
  void search(const ClientCommand& command);
  void show_changes();
  std::optional<UidSet> set_of(const ClientCommand& command);

  ImapServer& server_;
  const Profile& profile_;
  std::shared_ptr<Wire> wire_;  // gone with the line
  CommandReader reader_;
  State state_ = State::stranger;
  MailFolder* folder_ = nullptr;
  std::uint64_t generation_ = 0;  // of the folder, when it was opened
  bool read_only_ = false;
  int errors_ = 0;                   // messages refused for what they are
  bool opened_in_vain_ = false;      // the last SELECT or EXAMINE was refused
  std::vector<std::uint32_t> view_;  // UIDs by message number
  std::string out_;
  std::string running_;  // a FETCH's answer, while what stands behind it may be answered first
  TimePoint not_before_{};
  bool working_ = false, blocked_ = false, ended_ = false, counted_ = false, alone_ = false;
};

}  // namespace postferry::sim
