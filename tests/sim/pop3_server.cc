// Lines in, replies out, over a copy of the maildrop as it was at the login.
#include "tests/sim/pop3_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "tests/sim/imap_command.h"

namespace postferry::sim {
namespace {

std::string stuffed(std::string_view bytes) {
  std::string out;
  bool fresh = true;
  for (const char c : bytes) {
    if (fresh && c == '.') out += '.';
    out += c;
    fresh = c == '\n';
  }
  if (!out.ends_with("\r\n")) out += "\r\n";
  return out + ".\r\n";
}

std::optional<std::size_t> number(std::string_view text) {
  std::size_t value = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || at != text.data() + text.size()) return std::nullopt;
  return value;
}

class Pop3Session final : public Served, public std::enable_shared_from_this<Pop3Session> {
 public:
  Pop3Session(Pop3Server& server, std::shared_ptr<Wire> wire)
      : server_(server), profile_(server.profile), wire_(std::move(wire)) {}

  void begin() {
    if (server_.misfortune.now(Moment::greeting) != Mishap::none) {
      say("-ERR [SYS/TEMP] not now, try again later");
      return leave();
    }
    say("+OK POP3 ready");
    flush();
  }

  void received(std::string_view bytes) override {
    in_.append(bytes);
    plan_work();
  }
  void drained() override {}
  void hung_up() override {
    wire_.reset();
    release();
  }

 private:
  void plan_work() {
    if (std::exchange(working_, true)) return;
    server_.agenda.after(server_.dice.us_below(server_.think_us),
                         [self = shared_from_this()] { self->work(); });
  }

  void work() {
    working_ = false;
    const std::size_t end = in_.find("\r\n");
    if (!wire_ || ended_ || end == std::string::npos) return;
    const std::string line = in_.substr(0, end);
    in_.erase(0, end + 2);
    if (in_.find("\r\n") != std::string::npos && !profile_.pipelining)
      server_.store.sins.push_back("commands in one go, where they are not offered: " + line);
    if (!meet(Moment::command)) obey(line);
    flush();
    if (!ended_) plan_work();
  }

  void say(const std::string& line) { out_ += line + "\r\n"; }
  void flush() {
    if (wire_ && !out_.empty()) wire_->send(std::exchange(out_, {}));
    out_.clear();
  }
  void leave() {
    flush();
    ended_ = true;
    if (wire_) wire_->close();
    release();
  }
  void release() {
    if (std::exchange(holds_, false)) server_.locked = false;
  }

  bool meet(Moment moment) {
    switch (server_.misfortune.now(moment)) {
      case Mishap::cut:
        if (wire_) wire_->cut();
        return true;
      case Mishap::stall:
        if (wire_) wire_->stall();
        return true;
      case Mishap::bye:
        say("-ERR idle for too long");
        leave();
        return true;
      case Mishap::unavailable:
      case Mishap::throttled:
        if (!holds_) return false;
        say("-ERR [SYS/TEMP] the storage is away");
        return true;
      default:
        return false;
    }
  }

  void obey(const std::string& line) {
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string verb = upper(line.substr(0, space));
    const std::string rest = line.substr(std::min(space + 1, line.size()));
    if (verb == "CAPA" && profile_.capa) return capabilities();
    if (verb == "QUIT") return quit();
    if (!holds_) {
      if (verb == "USER") return say("+OK");
      if (verb == "PASS") return log_in();
      return say("-ERR no");
    }
    if (verb == "STAT") return say(fmt::format("+OK {} {}", drop_.size(), total()));
    if (verb == "LIST") return list(rest);
    if (verb == "UIDL" && profile_.uidl != Pop3Profile::Uidl::absent) return uidl();
    if (verb == "RETR") return retrieve(rest);
    if (verb == "TOP" && profile_.top) return top(rest);
    if (verb == "DELE") return remove(rest);
    say("-ERR unknown command");
  }

  void capabilities() {
    say("+OK");
    say("USER");
    if (profile_.uidl != Pop3Profile::Uidl::absent) say("UIDL");
    if (profile_.top) say("TOP");
    if (profile_.pipelining) say("PIPELINING");
    say("RESP-CODES");
    say(".");
  }

  void log_in() {
    if (profile_.locks && server_.locked) return say("-ERR [IN-USE] the maildrop is locked");
    server_.locked = holds_ = true;
    ++server_.logins;
    for (const Mail& mail : server_.store.make("INBOX").mails) drop_.push_back(mail);
    if (profile_.shuffles)
      for (std::size_t i = drop_.size(); i > 1; --i)
        std::swap(drop_[i - 1], drop_[server_.dice.below(i)]);
    say("+OK");
  }

  std::size_t size(const Mail& mail) const {
    return mail.bytes->size() + (profile_.wrong_sizes ? mail.uid % 7 : 0);
  }
  std::size_t total() const {
    std::size_t bytes = 0;
    for (const Mail& mail : drop_) bytes += size(mail);
    return bytes;
  }

  void list(const std::string& rest) {
    if (!rest.empty()) {
      const Mail* mail = find(rest);
      return say(mail ? fmt::format("+OK {} {}", rest, size(*mail)) : "-ERR no such message");
    }
    say("+OK");
    for (std::size_t i = 0; i < drop_.size(); ++i) say(fmt::format("{} {}", i + 1, size(drop_[i])));
    say(".");
  }

  void uidl() {
    say("+OK");
    for (std::size_t i = 0; i < drop_.size(); ++i) {
      std::string uid = drop_[i].uidl;
      if (profile_.uidl == Pop3Profile::Uidl::repeated) uid = fmt::format("r{}", drop_[i].uid % 2);
      if (profile_.uidl == Pop3Profile::Uidl::blank) uid.clear();
      if (profile_.uidl == Pop3Profile::Uidl::renumbered)
        uid = fmt::format("{}.{}", server_.logins, i);
      say(fmt::format("{} {}", i + 1, uid));
    }
    say(".");
  }

  const Mail* find(std::string_view text) const {
    const auto at = number(text);
    return at && *at >= 1 && *at <= drop_.size() ? &drop_[*at - 1] : nullptr;
  }

  void retrieve(const std::string& rest) {
    const Mail* mail = find(rest);
    if (!mail) return say("-ERR no such message");
    if (meet(Moment::fetch)) return;
    say("+OK");
    out_ += stuffed(mail->text());
  }

  void remove(const std::string& rest) {
    const Mail* mail = find(rest);
    if (!mail) return say("-ERR no such message");
    if (meet(Moment::deletion)) return;
    doomed_.push_back(mail->uid);
    say("+OK");
  }

  /// What was marked goes now (RFC 1939 §6), whether or not the answer arrives.
  void quit() {
    MailFolder& folder = server_.store.make("INBOX");
    for (const std::uint32_t uid : doomed_) {
      const Mail* mail = folder.find(uid);
      if (!mail) continue;
      if (server_.store.on_removal) server_.store.on_removal(folder, *mail);
      folder.remove(uid);
    }
    if (meet(Moment::deletion)) return;
    say("+OK");
    leave();
  }

  void top(const std::string& rest) {
    const Mail* mail = find(rest.substr(0, rest.find(' ')));
    if (!mail) return say("-ERR no such message");
    say("+OK");
    const std::size_t end = mail->text().find("\r\n\r\n");
    out_ += stuffed(mail->text().substr(0, end == std::string_view::npos ? end : end + 4));
  }

  Pop3Server& server_;
  const Pop3Profile& profile_;
  std::shared_ptr<Wire> wire_;
  std::string in_, out_;
  std::vector<Mail> drop_;
  std::vector<std::uint32_t> doomed_;
  bool working_ = false, ended_ = false, holds_ = false;
};

}  // namespace

Pop3Profile random_pop3_profile(Dice& dice) {
  Pop3Profile profile;
  profile.capa = !dice.one_in(5);
  profile.pipelining = dice.one_in(2);
  profile.top = !dice.one_in(4);
  if (dice.one_in(3)) {
    constexpr Pop3Profile::Uidl kOdd[] = {Pop3Profile::Uidl::absent, Pop3Profile::Uidl::blank,
                                          Pop3Profile::Uidl::repeated};
    profile.uidl = kOdd[dice.below(3)];
  }
  profile.shuffles = dice.one_in(4);
  profile.wrong_sizes = dice.one_in(4);
  return profile;
}

std::shared_ptr<Served> Pop3Server::accept(std::shared_ptr<Wire> wire) {
  const auto session = std::make_shared<Pop3Session>(*this, std::move(wire));
  session->begin();
  return session;
}

}  // namespace postferry::sim
