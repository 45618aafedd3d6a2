// What a session of the model server does with folders.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/imap_session.h"

namespace postferry::sim {

namespace {

/// So that what is told stays above 1, however far behind it is.
constexpr std::uint64_t kWrongFrom = 100;

}  // namespace

std::uint64_t ImapSession::highest_modseq(const MailFolder& folder) const {
  if (profile_.tracks_nothing) return 1;
  const std::uint64_t highest = folder.highest_modseq;
  switch (profile_.modseq) {
    case Modseq::exact:
      return highest;
    case Modseq::behind:
      return kWrongFrom + highest - 3;
    case Modseq::arrivals:
      return kWrongFrom + folder.uid_next;
    case Modseq::still:
      return kWrongFrom;
    case Modseq::erratic:
      return kWrongFrom + highest - server_.more.below(std::min<std::uint64_t>(highest, 8));
  }
  return highest;
}

std::uint64_t ImapSession::modseq(const Mail& mail) const {
  switch (profile_.modseq) {
    case Modseq::exact:
      return mail.modseq;
    case Modseq::arrivals:
      return kWrongFrom + mail.uid;
    default:
      return kWrongFrom + mail.modseq;
  }
}

std::string ImapSession::status_line(const MailFolder& folder,
                                     const std::vector<std::string>& items) const {
  std::string out;
  const auto add = [&out](const std::string& name, std::uint64_t value) {
    out += fmt::format("{}{} {}", out.empty() ? "" : " ", name, value);
  };
  for (const std::string& item : items) {
    if (item == "MESSAGES") add(item, folder.mails.size());
    if (item == "UIDNEXT" && profile_.uidnext_in_status) add(item, folder.uid_next);
    if (item == "UIDVALIDITY" && profile_.uidvalidity) add(item, folder.uid_validity);
    if (item == "HIGHESTMODSEQ") add(item, highest_modseq(folder));
  }
  return "* STATUS " + quote(folder.wire) + " (" + out + ")";
}

void ImapSession::list(const ClientCommand& command) {
  const std::vector<Token>& arguments = command.arguments;
  if (arguments.size() < 2 || !arguments[0].is_string()) return sin(command, "two arguments");
  const std::string delimiter = quote(std::string(1, profile_.delimiter));
  if (arguments[1].text.empty()) {
    say("* LIST (\\Noselect) " + delimiter + " \"\"");
    return ok(command.tag, "done");
  }
  bool subscribed = false, special = command.verb == "XLIST", with_status = false;
  std::vector<std::string> items;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string word = upper(arguments[i].text);
    subscribed = subscribed || word == "SUBSCRIBED";
    special = special || word == "SPECIAL-USE";
    if (with_status && arguments[i].kind == Token::Kind::atom) items.push_back(word);
    with_status = with_status || word == "STATUS";
  }
  if (arguments.size() > 2 && !profile_.offers("LIST-EXTENDED") && !profile_.offers("LIST-STATUS"))
    return sin(command, "LIST takes two arguments here");
  if (with_status && !profile_.offers("LIST-STATUS")) return sin(command, "no STATUS in LIST here");
  if (special && command.verb == "LIST" && !profile_.offers("SPECIAL-USE"))
    return sin(command, "no SPECIAL-USE here");
  const bool lsub = command.verb == "LSUB";
  for (const MailFolder& folder : server_.store.folders) {
    if (lsub && !folder.subscribed) continue;
    std::string attributes = folder.attributes;
    if (!special && !profile_.offers("SPECIAL-USE")) attributes.clear();
    if (subscribed && folder.subscribed)
      attributes += attributes.empty() ? "\\Subscribed" : " \\Subscribed";
    say(fmt::format("* {} ({}) {} {}", command.verb, attributes, delimiter, quote(folder.wire)));
    if (with_status) say(status_line(folder, items));
  }
  ok(command.tag, "done");
}

void ImapSession::status(const ClientCommand& command) {
  if (command.arguments.size() < 4) return sin(command, "a mailbox and items");
  const MailFolder* folder = server_.store.find(command.arguments[0].text);
  if (!folder) return no(command.tag, "[NONEXISTENT] no such mailbox");
  std::vector<std::string> items;
  for (const Token& token : command.arguments)
    if (token.kind == Token::Kind::atom) items.push_back(upper(token.text));
  say(status_line(*folder, items));
  ok(command.tag, "done");
}

void ImapSession::select(const ClientCommand& command, bool examine) {
  if (command.arguments.size() != 1) return sin(command, "a mailbox");
  state_ = State::member;
  folder_ = nullptr;
  MailFolder* folder = server_.store.find(command.arguments[0].text);
  if (!folder) return no(command.tag, "[NONEXISTENT] no such mailbox");
  if (folder->barred) return no(command.tag, "[NOPERM] not any more");
  state_ = State::selected;
  folder_ = folder;
  generation_ = folder->generation;
  read_only_ = examine;
  view_.clear();
  for (const Mail& mail : folder->mails) view_.push_back(mail.uid);
  say("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)");
  say(fmt::format("* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft{})] flags",
                  profile_.keywords ? " \\*" : ""));
  say(fmt::format("* {} EXISTS", view_.size()));
  say("* 0 RECENT");
  if (profile_.uidvalidity) say(fmt::format("* OK [UIDVALIDITY {}] ok", folder->uid_validity));
  if (profile_.uidnext_on_select) say(fmt::format("* OK [UIDNEXT {}] ok", folder->uid_next));
  if (profile_.offers("CONDSTORE"))
    say(fmt::format("* OK [HIGHESTMODSEQ {}] ok", highest_modseq(*folder)));
  ok(command.tag, examine ? "[READ-ONLY] open" : "[READ-WRITE] open");
  if (examine && profile_.examine_changes_validity) ++folder->uid_validity;
}

void ImapSession::create(const ClientCommand& command) {
  const std::vector<Token>& arguments = command.arguments;
  if (arguments.empty()) return sin(command, "a mailbox");
  if (arguments.size() > 1 && !profile_.offers("CREATE-SPECIAL-USE"))
    return sin(command, "CREATE takes one argument here");
  if (server_.store.find(arguments[0].text))
    return no(command.tag, "[ALREADYEXISTS] the mailbox exists");
  MailFolder& folder = server_.store.make(arguments[0].text);
  for (const Token& token : arguments)
    if (token.kind == Token::Kind::atom && token.text.starts_with('\\'))
      folder.attributes = token.text;
  ok(command.tag, "done");
}

}  // namespace postferry::sim
