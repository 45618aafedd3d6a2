// What a session of the model server does with messages: APPEND, FETCH, STORE, EXPUNGE.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "tests/sim/imap_session.h"

namespace postferry::sim {
namespace {

constexpr std::size_t kMostLiteral = 64 << 20;

/// The flags of a parenthesised list that begins at arguments[at]; `at` goes behind it.
Flags read_flags(const std::vector<Token>& arguments, std::size_t& at) {
  Flags flags;
  for (++at; at < arguments.size() && arguments[at].kind != Token::Kind::close; ++at)
    flags.add(arguments[at].text);
  ++at;
  return flags;
}

/// The named fields of a header, and the blank line.
std::string header_fields(std::string_view bytes, std::string_view wanted) {
  std::string out;
  bool taking = false;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find("\r\n");
    const std::string_view line =
        bytes.substr(0, end == std::string_view::npos ? bytes.size() : end + 2);
    bytes.remove_prefix(line.size());
    if (line == "\r\n") break;
    if (line[0] != ' ' && line[0] != '\t') {
      const std::string name = upper(line.substr(0, line.find(':')));
      taking = (" " + std::string(wanted) + " ").find(" " + name + " ") != std::string::npos;
    }
    if (taking) out += line;
  }
  return out + "\r\n";
}

bool has_longer_line(const Mail& mail, const Profile& profile) {
  std::size_t length = 0;
  for (const char c : mail.text()) {
    length = c == '\n' ? 0 : length + 1;
    if (profile.longest_line > 0 && length > profile.longest_line) return true;
  }
  return false;
}

}  // namespace

std::string as_stored(const Profile& profile, std::string bytes) {
  constexpr std::string_view kMessageId = "Message-ID: <";
  const std::size_t id = bytes.find(kMessageId);
  if (profile.rewrites_message_id && id < bytes.find("\r\n\r\n")) {
    const std::size_t domain = bytes.find('@', id);
    bytes.replace(domain + 1, bytes.find('>', domain) - domain - 1, "domino.example");
  }
  if (!profile.munges_8bit) return bytes;
  const std::size_t end = std::min(bytes.find("\r\n\r\n"), bytes.size());
  for (std::size_t i = 0; i < end; ++i)
    if (static_cast<unsigned char>(bytes[i]) >= 0x80) bytes[i] = 'X';
  return bytes;
}

/// EXPUNGE and EXISTS, so that the client sees the folder as it is.
void ImapSession::show_changes() {
  if (!folder_) return;
  for (std::size_t i = 0; i < view_.size();) {
    if (folder_->find(view_[i])) {
      ++i;
      continue;
    }
    view_.erase(view_.begin() + static_cast<std::ptrdiff_t>(i));
    say(fmt::format("* {} EXPUNGE", i + 1));
  }
  const std::size_t before = view_.size();
  for (const Mail& mail : folder_->mails)
    if (view_.empty() || mail.uid > view_.back()) view_.push_back(mail.uid);
  if (view_.size() != before) say(fmt::format("* {} EXISTS", view_.size()));
}

void ImapSession::literal_waits(const LiteralWaits& literal) {
  const std::string tag = literal.so_far.substr(0, literal.so_far.find(' '));
  if (literal.size > kMostLiteral || (server_.store.quota && *server_.store.quota < literal.size)) {
    no(tag, "[OVERQUOTA] there is no room for it");
    reader_.refuse();
    return;
  }
  say("+ go ahead");
  reader_.go_ahead();
}

void ImapSession::append(const ClientCommand& command) {
  const std::vector<Token>& arguments = command.arguments;
  if (reader_.plus_used() && !profile_.offers("LITERAL+") &&
      !(profile_.offers("LITERAL-") && reader_.largest_unasked() <= 4096))
    return sin(command, "a literal that does not wait is not offered here");
  std::vector<Mail> mails;
  std::uint64_t bytes = 0;
  for (std::size_t at = 1; at < arguments.size(); ++at) {
    Mail mail;
    mail.maker = Maker::client;
    if (arguments[at].kind == Token::Kind::open) mail.flags = read_flags(arguments, at);
    if (at < arguments.size() && arguments[at].kind == Token::Kind::quoted) {
      mail.date = read_date(arguments[at].text);
      if (!mail.date) return sin(command, "no date: " + arguments[at].text);
      ++at;
    }
    if (at >= arguments.size() || arguments[at].kind != Token::Kind::literal)
      return sin(command, "a message must be a literal");
    mail.bytes = std::make_shared<const std::string>(as_stored(profile_, arguments[at].text));
    bytes += mail.bytes->size();
    mails.push_back(std::move(mail));
  }
  if (mails.empty()) return sin(command, "no message");
  if (mails.size() > 1 && !profile_.offers("MULTIAPPEND"))
    return sin(command, "one message a command");
  const std::uint64_t refusals = server_.refusals;
  const bool met = meet(Moment::before_append, command.tag);
  if (server_.refusals != refusals && mails.size() == 1) server_.refused.insert(*mails[0].bytes);
  if (met || ended_) return;
  const auto too_long = [this](const Mail& mail) { return has_longer_line(mail, profile_); };
  if (std::ranges::any_of(mails, too_long)) {
    say(command.tag + " BAD Command Argument Error. 11");
    if (++errors_ == profile_.errors_borne) goodbye("Connection is closed. 14");
    return;
  }
  MailFolder* folder = server_.store.find(arguments[0].text);
  if (!folder) return no(command.tag, "[TRYCREATE] no such mailbox");
  auto& quota = server_.store.quota;
  if (quota && *quota < bytes) return no(command.tag, "[OVERQUOTA] the mailbox is full");
  if (quota) *quota -= bytes;
  std::vector<std::uint32_t> uids;
  for (Mail& mail : mails) {
    if (!profile_.keywords) mail.flags.keywords.clear();
    if (profile_.loses_flagged) mail.flags.system &= static_cast<std::uint8_t>(~Flags::flagged);
    if (!mail.date) {
      const auto now =
          server_.agenda.now().time_since_epoch() + ManualExecutor::kEpoch.time_since_epoch();
      mail.date = InternalDate{std::chrono::duration_cast<std::chrono::seconds>(now).count(), 0};
    }
    const auto same = std::ranges::find_if(
        folder->mails, [&](const Mail& other) { return *other.bytes == *mail.bytes; });
    if (profile_.folds_duplicates && same != folder->mails.end()) {
      uids.push_back(same->uid);
      continue;
    }
    ++server_.store.appended;
    mail.age = server_.store.age;
    mail.late = !wire_;
    if (mail.late) ++folder->late[*mail.bytes];
    uids.push_back(folder->add(std::move(mail)).uid);
    server_.trace.say("-- appended {} UID {}", folder->wire, uids.back());
  }
  if (meet(Moment::after_append, command.tag) || ended_) return;
  if (folder == folder_ && !profile_.append_needs_noop) show_changes();
  ok(command.tag, profile_.offers("UIDPLUS")
                      ? fmt::format("[APPENDUID {} {}] done", folder->uid_validity, write_set(uids))
                      : "done");
}

std::optional<UidSet> ImapSession::set_of(const ClientCommand& command) {
  if (command.arguments.size() < 1) return std::nullopt;
  auto set = read_set(command.arguments[0].text, view_.empty() ? 0 : view_.back());
  if (set && set->descending && profile_.refuses_descending_sets) {
    server_.store.sins.push_back("a descending set: " + command.arguments[0].text);
    return std::nullopt;
  }
  return set;
}

void ImapSession::fetch(const ClientCommand& command) {
  const auto set = set_of(command);
  if (!set || command.arguments.size() < 2) return sin(command, "a set and items");
  std::vector<std::string> items;
  for (std::size_t i = 1; i < command.arguments.size(); ++i)
    if (command.arguments[i].kind == Token::Kind::atom)
      items.push_back(upper(command.arguments[i].text));
  const bool bodies = std::ranges::find(items, "BODY.PEEK[]") != items.end();
  std::uint64_t since = 0;
  if (const auto at = std::ranges::find(items, "CHANGEDSINCE"); at != items.end()) {
    if (!profile_.offers("CONDSTORE")) return sin(command, "CONDSTORE is not offered");
    if (std::next(at) == items.end()) return sin(command, "since when");
    since = std::strtoull(std::next(at)->c_str(), nullptr, 10);
  }
  const bool listing = std::ranges::find(items, "RFC822.SIZE") != items.end() && since == 0 &&
                       command.arguments[0].text == "1:*";
  Dice& dice = server_.dice;
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < view_.size(); ++i) {
    if (!set->contains(view_[i])) continue;
    const Mail* mail = folder_->find(view_[i]);
    if (!mail || (since > 0 && modseq(*mail) <= since)) continue;
    // What is asked for alone, it gives.
    if (bodies && profile_.skips_fetch && command.arguments[0].text != std::to_string(view_[i]) &&
        dice.one_in(6))
      continue;
    if (listing && server_.skips_listed && server_.more.one_in(4)) continue;
    lines.push_back(fetch_line(i + 1, *mail, items));
    if (profile_.repeats_fetch && dice.one_in(5)) {
      const std::size_t other = dice.below(view_.size());
      if (const Mail* unasked = folder_->find(view_[other]))
        lines.push_back(fetch_line(other + 1, *unasked, {"FLAGS"}));
      lines.push_back(lines[dice.below(lines.size())]);
    }
  }
  if (profile_.unordered_fetch)
    for (std::size_t i = lines.size(); i > 1; --i) std::swap(lines[i - 1], lines[dice.below(i)]);
  for (const std::string& line : lines) {
    if (bodies && (meet(Moment::fetch, command.tag) || ended_)) return;
    say(line);
  }
  ok(command.tag, "done");
}

std::string ImapSession::fetch_line(std::size_t number, const Mail& mail,
                                    const std::vector<std::string>& items) const {
  std::string out = fmt::format("UID {}", mail.uid);
  for (const std::string& item : items) {
    if (item == "FLAGS") out += " FLAGS (" + mail.flags.to_string() + ")";
    if (item == "INTERNALDATE" && mail.date)
      out += " INTERNALDATE " + quote(write_date(*mail.date, profile_.two_digit_day));
    if (item == "RFC822.SIZE")
      out += fmt::format(" RFC822.SIZE {}",
                         mail.bytes->size() + (profile_.wrong_sizes ? 1 + mail.uid % 5 : 0));
    if (item == "BODY.PEEK[]")
      out += fmt::format(" BODY[] {{{}}}\r\n{}", mail.bytes->size(), *mail.bytes);
    if (item.starts_with("BODY.PEEK[HEADER.FIELDS (")) {
      const std::size_t open = item.find('(');
      const std::string fields =
          header_fields(*mail.bytes, item.substr(open + 1, item.find(')') - open - 1));
      out += fmt::format(" BODY[{} {{{}}}\r\n{}", item.substr(10), fields.size(), fields);
    }
  }
  return fmt::format("* {} FETCH ({})", number, out);
}

void ImapSession::store(const ClientCommand& command) {
  const auto set = set_of(command);
  if (!set || command.arguments.size() < 4) return sin(command, "a set, an item and flags");
  if (read_only_) return sin(command, "the mailbox is read-only");
  const std::string item = upper(command.arguments[1].text);
  std::size_t at = 2;
  const Flags flags = read_flags(command.arguments, at);
  const bool source = server_.store.on_removal != nullptr;
  if (source && !(item[0] == '+' && flags == Flags::parse("\\Deleted")))
    server_.store.sins.push_back("flags are changed at the source");
  if (!item.starts_with('+') && !item.starts_with('-'))
    server_.store.sins.push_back("flags are replaced: " + item);
  for (const std::uint32_t uid : view_) {
    Mail* mail = set->contains(uid) ? folder_->find(uid) : nullptr;
    if (!mail) continue;
    if (item[0] == '+' && (flags.system & Flags::deleted) && mail->maker == Maker::owner && !source)
      server_.store.sins.push_back(fmt::format("UID {} is not ours to remove", uid));
    Flags changed = mail->flags;
    if (item[0] == '+') {
      for (const std::string& flag : flags.names())
        if (profile_.keywords || flag.starts_with('\\')) changed.add(flag);
    } else {
      changed = changed.minus(flags);
    }
    mail->stored = true;
    folder_->set_flags(*mail, std::move(changed));
  }
  ok(command.tag, "done");
}

void ImapSession::expunge(const ClientCommand& command) {
  const auto set = set_of(command);
  if (!set) return sin(command, "a set");
  for (const std::uint32_t uid : std::vector<std::uint32_t>(view_)) {
    const Mail* mail = set->contains(uid) ? folder_->find(uid) : nullptr;
    if (!mail || !(mail->flags.system & Flags::deleted)) continue;
    if (server_.store.on_removal) server_.store.on_removal(*folder_, *mail);
    folder_->remove(uid);
  }
  show_changes();
  ok(command.tag, "done");
}

/// `[RETURN (ALL)] ALL` or `[RETURN (ALL)] UID set`.
void ImapSession::search(const ClientCommand& command) {
  const std::vector<Token>& arguments = command.arguments;
  const bool extended = !arguments.empty() && upper(arguments[0].text) == "RETURN";
  if (extended && !profile_.offers("ESEARCH")) return sin(command, "ESEARCH is not offered");
  std::optional<UidSet> wanted;
  if (arguments.size() >= 2 && upper(arguments[arguments.size() - 2].text) == "UID") {
    wanted = read_set(arguments.back().text, view_.empty() ? 0 : view_.back());
    if (!wanted) return sin(command, "no set: " + arguments.back().text);
  }
  std::vector<std::uint32_t> found;
  for (const std::uint32_t uid : view_)
    if (folder_->find(uid) && (!wanted || wanted->contains(uid))) found.push_back(uid);
  if (extended) {
    const std::string all = found.empty() ? "" : " ALL " + write_set(found);
    say(fmt::format("* ESEARCH (TAG {}) UID{}", quote(command.tag), all));
  } else {
    say(fmt::format("* SEARCH{}{}", found.empty() ? "" : " ", fmt::join(found, " ")));
  }
  ok(command.tag, "done");
}

}  // namespace postferry::sim
