// Commands and text in, replies out, in order (RFC 5321, RFC 2033, RFC 2920, RFC 3030, RFC 9422).
#include "tests/sim/smtp_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "tests/sim/imap_command.h"

namespace postferry::sim {
namespace {

/// Dots at the beginnings of lines taken back; nothing while the end has not come.
std::optional<std::string> take_text(std::string& in) {
  std::size_t end = in.starts_with(".\r\n") ? 0 : in.find("\r\n.\r\n");
  if (end == std::string::npos) return std::nullopt;
  if (!in.starts_with(".\r\n")) end += 2;
  std::string out;
  for (std::size_t at = 0; at < end;) {
    if (in[at] == '.') ++at;
    const std::size_t line = in.find("\r\n", at) + 2;
    out += in.substr(at, line - at);
    at = line;
  }
  in.erase(0, end + 3);
  return out;
}

class SmtpSession final : public Served, public std::enable_shared_from_this<SmtpSession> {
 public:
  SmtpSession(SmtpServer& server, std::shared_ptr<Wire> wire)
      : server_(server), profile_(server.profile), wire_(std::move(wire)) {
    ++server_.open;
  }

  void begin() {
    const Mishap mishap = server_.misfortune.now(Moment::greeting);
    if (mishap == Mishap::refuse) return leave("554 5.7.1 you are not wanted here");
    if (mishap != Mishap::none || server_.open > profile_.max_sessions)
      return leave("421 4.3.2 not now, try again later");
    say("220 target.example ESMTP");
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

  /// One command, or one piece of text.
  void work() {
    working_ = false;
    if (ended_) return;
    const bool worked = text_ ? take_data() : chunk_ ? take_chunk() : take_command();
    flush();
    if (worked && !ended_) plan_work();
  }

  void say(const std::string& line) { out_ += line + "\r\n"; }
  /// With an enhanced code, where they are offered.
  void say(int code, const char* enhanced, const std::string& words) {
    say(profile_.enhanced ? fmt::format("{} {} {}", code, enhanced, words)
                          : fmt::format("{} {}", code, words));
  }
  void flush() {
    if (wire_ && !out_.empty()) wire_->send(std::exchange(out_, {}));
    out_.clear();
  }
  void leave(const std::string& line) {
    say(line);
    flush();
    ended_ = true;
    if (wire_) wire_->close();
    release();
  }
  void release() {
    if (std::exchange(counted_, false)) --server_.open;
  }
  void sin(const std::string& what) { server_.sins.push_back(what); }

  /// True where it has taken over: nothing more is to be said.
  bool line_breaks(Mishap mishap) {
    if (mishap == Mishap::cut) {
      if (wire_) wire_->cut();
      return ended_ = true;
    }
    if (mishap == Mishap::stall) {
      if (wire_) wire_->stall();
      return ended_ = true;
    }
    if (mishap == Mishap::bye) {
      leave("421 4.3.2 going down");
      return true;
    }
    return false;
  }

  bool take_command() {
    const std::size_t end = in_.find("\r\n");
    if (end == std::string::npos) return false;
    const std::string line = in_.substr(0, end);
    in_.erase(0, end + 2);
    if (!in_.empty() && !profile_.pipelining && upper(line.substr(0, 4)) != "BDAT")
      sin("commands in one go, where they are not offered: " + line);
    const Mishap mishap = server_.misfortune.now(Moment::command);
    if (line_breaks(mishap)) return false;
    if (mishap == Mishap::unavailable || mishap == Mishap::throttled) {
      // Some commands cannot fail (RFC 5321 4.3.2), and the chunk after BDAT comes all the same.
      const std::string verb = upper(line.substr(0, 4));
      troubled_ = verb == "BDAT" || verb == "RSET" || verb == "QUIT" || verb == "NOOP";
      if (!troubled_) {
        say(451, "4.3.0", "the storage is away");
        return true;
      }
    }
    obey(line);
    return true;
  }

  void obey(const std::string& line) {
    const std::string verb = upper(line.substr(0, std::min(line.find(' '), line.size())));
    if (verb == "QUIT") return leave("221 2.0.0 bye");
    if (verb == (profile_.lmtp ? "LHLO" : "EHLO")) return hello();
    if (verb == "HELO" && !profile_.lmtp) {
      greeted_ = true;
      return say("250 target.example");
    }
    if (!greeted_) return say(503, "5.5.1", "who are you?");
    if (verb == "MAIL") return mail(line);
    if (verb == "RCPT") return rcpt(line);
    if (verb == "DATA") return data();
    if (verb == "BDAT" && profile_.chunking) return bdat(line);
    if (verb == "RSET") {
      reset();
      return say(250, "2.0.0", "forgotten");
    }
    if (verb == "NOOP") return say(250, "2.0.0", "here");
    sin("an unknown command: " + line);
    say(500, "5.5.1", "what?");
  }

  void hello() {
    if (!profile_.ehlo) return say(502, "5.5.1", "that is not known here");
    greeted_ = true;
    std::vector<std::string> lines{"target.example"};
    if (profile_.pipelining) lines.push_back("PIPELINING");
    if (profile_.chunking) lines.push_back("CHUNKING");
    if (profile_.eightbitmime) lines.push_back("8BITMIME");
    if (profile_.dsn) lines.push_back("DSN");
    if (profile_.smtputf8) lines.push_back("SMTPUTF8");
    if (profile_.enhanced) lines.push_back("ENHANCEDSTATUSCODES");
    if (profile_.most_mails)
      lines.push_back(fmt::format("LIMITS MAILMAX={}", *profile_.most_mails));
    if (profile_.size)
      lines.push_back(profile_.most_bytes ? fmt::format("SIZE {}", *profile_.most_bytes) : "SIZE");
    for (std::size_t i = 0; i < lines.size(); ++i)
      say((i + 1 < lines.size() ? "250-" : "250 ") + lines[i]);
  }

  void reset() { sender_ = recipient_ = false; }

  void mail(const std::string& line) {
    if (sender_) {
      sin("MAIL within a transaction");
      return say(503, "5.5.1", "one at a time");
    }
    if (profile_.most_mails && ++mails_ > *profile_.most_mails) {
      sin("more messages than the server takes on a connection");
      return leave("421 4.7.0 no more");
    }
    check_parameters(line);
    if (std::exchange(troubled_, false)) return say(451, "4.3.0", "the storage is away");
    sender_ = true;
    say(250, "2.1.0", "who else");
  }

  /// Only what is offered may be said.
  void check_parameters(const std::string& line) {
    const std::string text = upper(line);
    const auto may = [&](const char* parameter, bool offered) {
      if (text.find(parameter) != std::string::npos && !offered)
        sin("a parameter that was not offered: " + line);
    };
    may(" SIZE=", profile_.size && profile_.ehlo);
    may(" BODY=", profile_.eightbitmime && profile_.ehlo);
    may(" RET=", profile_.dsn && profile_.ehlo);
    may(" NOTIFY=", profile_.dsn && profile_.ehlo);
    may(" SMTPUTF8", profile_.smtputf8 && profile_.ehlo);
    if (profile_.dsn && profile_.ehlo && text.starts_with("RCPT") &&
        text.find(" NOTIFY=NEVER") == std::string::npos)
      sin("a bounce is asked for: " + line);
  }

  void rcpt(const std::string& line) {
    if (!sender_) return say(503, "5.5.1", "MAIL comes first");
    check_parameters(line);
    if (line.find("<bob@target.example>") == std::string::npos) {
      sin("mail for somebody else: " + line);
      return say(550, "5.1.1", "no such user");
    }
    if (profile_.grey) {
      if (!server_.first_try) server_.first_try = server_.agenda.now();
      if (server_.agenda.now() - *server_.first_try < *profile_.grey)
        return say(450, "4.2.0", "greylisted, try again later");
    }
    recipient_ = true;
    say(250, "2.1.5", "for him, then");
  }

  void data() {
    if (!recipient_) return say(503, "5.5.1", "for whom?");
    text_ = true;
    say("354 go on");
  }

  bool take_data() {
    std::optional<std::string> message = take_text(in_);
    if (!message) return false;
    text_ = false;
    decide(*message);
    return true;
  }

  void bdat(const std::string& line) {
    std::size_t size = 0;
    const char* const at = line.data() + std::min<std::size_t>(5, line.size());
    std::from_chars(at, line.data() + line.size(), size);
    chunk_ = size;
    last_chunk_ = upper(line).ends_with(" LAST");
  }

  bool take_chunk() {
    if (in_.size() < *chunk_) return false;
    chunks_ += in_.substr(0, *chunk_);
    in_.erase(0, *chunk_);
    chunk_.reset();
    if (!recipient_) {
      chunks_.clear();
      say(503, "5.5.1", "for whom?");
    } else if (!last_chunk_) {
      say(250, "2.0.0", "more");
    } else {
      decide(std::exchange(chunks_, {}));
    }
    return true;
  }

  /// A whole message. What happens between here and its answer is what nobody else can know.
  void decide(const std::string& message) {
    reset();
    if (server_.on_message) server_.on_message(message);
    const Mishap before = server_.misfortune.now(Moment::before_append);
    if (line_breaks(before)) return;
    if (before == Mishap::refuse) return say(554, "5.6.0", "its content is not wanted");
    if (before == Mishap::over_quota) return say(552, "5.2.2", "the mailbox is full");
    if (before != Mishap::none) return say(451, "4.3.0", "the storage is away");
    server_.taken.push_back(message);
    server_.trace.say("-- message {} is taken", server_.taken.size());
    // No server says 421 of a message that it has taken.
    const Mishap after = server_.misfortune.now(Moment::after_append);
    if (line_breaks(after == Mishap::bye ? Mishap::cut : after)) return;
    say(250, "2.0.0", fmt::format("taken as {}", server_.taken.size()));
  }

  SmtpServer& server_;
  const SmtpProfile& profile_;
  std::shared_ptr<Wire> wire_;
  std::string in_, out_, chunks_;
  std::optional<std::size_t> chunk_;
  std::uint64_t mails_ = 0;
  bool last_chunk_ = false, text_ = false, troubled_ = false;
  bool greeted_ = false, sender_ = false, recipient_ = false;
  bool working_ = false, ended_ = false, counted_ = true;
};

}  // namespace

SmtpProfile random_smtp_profile(Dice& dice) {
  SmtpProfile profile;
  profile.lmtp = dice.one_in(4);
  profile.ehlo = profile.lmtp || !dice.one_in(10);
  // Without EHLO nothing is offered.
  const auto offered = [&](bool so) { return profile.ehlo && so; };
  profile.pipelining = offered(!dice.one_in(3));
  profile.chunking = offered(dice.one_in(3));
  profile.eightbitmime = offered(!dice.one_in(4));
  profile.size = offered(!dice.one_in(4));
  profile.dsn = offered(dice.one_in(2));
  profile.smtputf8 = offered(dice.one_in(2));
  profile.enhanced = offered(!dice.one_in(4));
  if (offered(dice.one_in(4))) profile.most_mails = 1 + dice.below(3);
  if (offered(dice.one_in(8)) && profile.size) profile.most_bytes = 1000 + dice.below(3000);
  if (dice.one_in(6)) profile.max_sessions = 1 + dice.below(2);
  if (dice.one_in(6)) profile.grey = std::chrono::seconds(60 + dice.below(3000));
  profile.name = fmt::format(
      "{}{}{}{}{}{}", profile.lmtp ? "lmtp" : "smtp", profile.pipelining ? " pipelining" : "",
      profile.chunking ? " chunking" : "", profile.grey ? " grey" : "",
      profile.most_mails ? " mailmax" : "", profile.enhanced ? "" : " plain codes");
  return profile;
}

std::shared_ptr<Served> SmtpServer::accept(std::shared_ptr<Wire> wire) {
  const auto session = std::make_shared<SmtpSession>(*this, std::move(wire));
  session->begin();
  return session;
}

}  // namespace postferry::sim
