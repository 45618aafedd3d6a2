// The loop of a session, and the commands that need no folder.
#include "tests/sim/imap_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace postferry::sim {
namespace {

constexpr std::size_t kMostUnread = 256 << 10;

}  // namespace

std::shared_ptr<Served> ImapServer::accept(std::shared_ptr<Wire> wire) {
  const auto session = std::make_shared<ImapSession>(*this, std::move(wire));
  session->begin();
  return session;
}

void ImapSession::begin() {
  const bool coded = profile_.greeting.starts_with('[');
  const Mishap mishap = server_.misfortune.now(Moment::greeting);
  if (mishap != Mishap::none) return goodbye("[UNAVAILABLE] not now, try again later");
  wire_->send("* OK " + (coded ? "" : "[CAPABILITY " + profile_.stranger + "] ") +
              profile_.greeting + "\r\n");
}

void ImapSession::received(std::string_view bytes) {
  if (ended_) return;
  reader_.feed(bytes);
  plan_work();
}

void ImapSession::drained() {
  if (std::exchange(blocked_, false)) plan_work();
}

/// The server goes on with what it has got, unless it gives up at once.
void ImapSession::hung_up() {
  wire_.reset();
  if (counted_) --server_.sessions;
  counted_ = false;
  if (ended_) return;
  Dice& dice = server_.dice;
  if (dice.one_in(server_.lateness.gives_up_one_in)) return end();
  ++server_.at_work_alone;
  alone_ = true;
  not_before_ = server_.agenda.now() + dice.us_below(server_.lateness.pause_us);
  blocked_ = false;
  plan_work();
}

void ImapSession::plan_work() {
  if (std::exchange(working_, true)) return;
  const std::uint64_t most = wire_ ? server_.think_us : server_.lateness.step_us;
  const TimePoint when = std::max(server_.agenda.now(), not_before_) + server_.dice.us_below(most);
  server_.agenda.at(when, [self = shared_from_this()] { self->work(); });
}

void ImapSession::end_fetch() {
  if (wire_ && !running_.empty()) wire_->send(running_);
  running_.clear();
}

void ImapSession::work() {
  working_ = false;
  if (ended_) return;
  if (server_.agenda.now() < not_before_) return plan_work();
  if (wire_ && wire_->unread() > kMostUnread) {
    blocked_ = true;
    return;
  }
  const auto event = reader_.next();
  if (!event) {
    end_fetch();
    if (!wire_) end();
    return;
  }
  const auto* command = std::get_if<ClientCommand>(&*event);
  if (!command || (command->verb != "CREATE" && command->verb != "SUBSCRIBE")) end_fetch();
  if (command) {
    obey(*command);
    if (command->verb == "UID FETCH" && profile_.create_overtakes_fetch && !ended_)
      running_ = std::exchange(out_, {});
  } else if (const auto* literal = std::get_if<LiteralWaits>(&*event)) {
    literal_waits(*literal);
  } else {
    const std::string& text = std::get<Nonsense>(*event).text;
    server_.store.sins.push_back("the client sent nonsense: " + text);
    goodbye("what is that?");
  }
  if (wire_ && !out_.empty()) wire_->send(std::exchange(out_, {}));
  out_.clear();
  if (!ended_) plan_work();
}

void ImapSession::say(const std::string& line) {
  if (wire_) out_ += line + "\r\n";
}
void ImapSession::ok(const std::string& tag, const std::string& text) { say(tag + " OK " + text); }
void ImapSession::no(const std::string& tag, const std::string& text) { say(tag + " NO " + text); }

void ImapSession::sin(const ClientCommand& command, const std::string& why) {
  server_.store.sins.push_back(command.verb + ": " + why);
  say(command.tag + " BAD " + why);
}

void ImapSession::goodbye(const std::string& words) {
  if (wire_) {
    wire_->send(std::exchange(out_, {}) + "* BYE " + words + "\r\n");
    wire_->close();
  }
  end();
}

void ImapSession::end() {
  ended_ = true;
  if (std::exchange(alone_, false)) --server_.at_work_alone;
}

/// True: something went wrong here, and has been said.
bool ImapSession::meet(Moment moment, const std::string& tag) {
  const Mishap mishap = server_.misfortune.now(moment);
  if (mishap != Mishap::none)
    server_.trace.say("-- mishap {} at moment {}", static_cast<int>(mishap),
                      static_cast<int>(moment));
  switch (mishap) {
    case Mishap::none:
      return false;
    case Mishap::cut:
      if (wire_) wire_->cut();
      return moment == Moment::after_append;
    case Mishap::stall:
      if (wire_) wire_->stall();
      return moment == Moment::after_append;
    case Mishap::bye:
      goodbye("Session expired, please login again.");
      return true;
    case Mishap::unavailable:
      no(tag, "[UNAVAILABLE] the storage is away, try again later");
      return true;
    case Mishap::throttled:
      no(tag, "[THROTTLED] slower, please");
      return true;
    case Mishap::over_quota:
      if (moment == Moment::after_append) return false;  // a definite NO stores nothing (RFC 3502)
      no(tag, "[OVERQUOTA] the mailbox is full");
      return true;
    case Mishap::refuse:
      ++server_.refusals;
      no(tag, "not this one");
      return true;
    case Mishap::rebuild:
      if (folder_) folder_->rebuild();
      return false;
  }
  return false;
}

void ImapSession::obey(const ClientCommand& command) {
  if (folder_ && folder_->generation != generation_) return goodbye("the mailbox was rebuilt");
  if (command.line_octets > profile_.command_octets) {
    server_.store.sins.push_back(fmt::format("a command of {} octets", command.line_octets));
    return goodbye("the line is too long");
  }
  const bool opens = command.verb == "SELECT" || command.verb == "EXAMINE";
  if (opens) {  // whatever comes of it, the folder that was open is so no longer
    if (state_ == State::selected) state_ = State::member;
    folder_ = nullptr;
    opened_in_vain_ = true;
  }
  if (command.verb != "APPEND" && meet(Moment::command, command.tag)) return;
  if (ended_) return;
  const std::string& verb = command.verb;
  if (verb == "CAPABILITY") return capability(command.tag);
  if (verb == "LOGOUT") {
    say("* BYE see you");
    ok(command.tag, "done");
    if (wire_) {
      wire_->send(std::exchange(out_, {}));
      wire_->close();
    }
    return end();
  }
  if (verb == "NOOP") {
    show_changes();
    return ok(command.tag, "done");
  }
  if (verb == "ID" && profile_.offers("ID")) {
    say("* ID " + (profile_.id.empty() ? "NIL" : profile_.id));
    return ok(command.tag, "done");
  }
  if (state_ == State::stranger) {
    if (verb == "LOGIN") return login(command);
    return sin(command, "log in first");
  }
  if (verb == "NAMESPACE" && profile_.offers("NAMESPACE")) {
    say(fmt::format("* NAMESPACE (({} {})) NIL NIL", quote(profile_.prefix),
                    quote(std::string(1, profile_.delimiter))));
    return ok(command.tag, "done");
  }
  if (verb == "LIST" || verb == "LSUB" || (verb == "XLIST" && profile_.offers("XLIST")))
    return list(command);
  if (verb == "STATUS") return status(command);
  if (opens) {
    select(command, verb == "EXAMINE");
    opened_in_vain_ = state_ != State::selected;
    return;
  }
  if (verb == "CREATE") return create(command);
  if (verb == "SUBSCRIBE") {
    MailFolder* folder = server_.store.find(command.arguments.at(0).text);
    if (!folder) return no(command.tag, "no such mailbox");
    folder->subscribed = true;
    return ok(command.tag, "done");
  }
  if (verb == "APPEND") return append(command);
  if (state_ != State::selected) {
    // What only reads may have been sent before the refusal was heard; what changes, never.
    if (opened_in_vain_ && (verb == "UID FETCH" || verb == "UID SEARCH"))
      return say(command.tag + " BAD select first");
    return sin(command, "select first");
  }
  if (verb == "UID FETCH") return fetch(command);
  if (verb == "UID STORE") return store(command);
  if (verb == "UID SEARCH") return search(command);
  if (verb == "UID EXPUNGE" && profile_.offers("UIDPLUS")) return expunge(command);
  sin(command, "no such command here");
}

void ImapSession::capability(const std::string& tag) {
  say("* CAPABILITY " + (state_ == State::stranger ? profile_.stranger : profile_.member));
  ok(tag, "done");
}

void ImapSession::login(const ClientCommand& command) {
  if (command.arguments.size() != 2) return sin(command, "a name and a password");
  if (server_.sessions >= profile_.max_sessions)
    return no(command.tag, "[LIMIT] too many simultaneous connections");
  if (wire_) ++server_.sessions;
  counted_ = wire_ != nullptr;
  state_ = State::member;
  ok(command.tag, profile_.tells_member ? "[CAPABILITY " + profile_.member + "] in" : "in");
}

}  // namespace postferry::sim
