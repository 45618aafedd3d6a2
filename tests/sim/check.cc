// Counts copies, and compares what has none but ours.
#include "tests/sim/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace postferry::sim {
namespace {

/// All letters of one folder that are the same, byte for byte.
struct Copies {
  std::size_t source = 0;            // to be on the target
  std::size_t removed = 0;           // of those, by the program from the source
  std::size_t let_go = 0;            // of those, because the user said that they may go
  std::size_t earlier = 0;           // on the target, but perhaps the same ones
  std::size_t again = 0;             // the same, perhaps more of them
  std::size_t gone = 0;              // perhaps on the target
  std::size_t alike_gone = 0;        // of other bytes, that have the same name and size
  std::size_t taken = 0;             // perhaps no longer
  std::size_t owners = 0, ours = 0;  // on the target
  std::size_t late = 0;              // stored there for a client whose line was down
  std::size_t told = 0;              // there, and the program has said that they are too many
  bool touched = false;              // on the target
  bool reflagged = false;            // on either side
  bool wavered = false;              // at the source, and more than once
  bool stored = false;               // on the target, by the program
  bool late_first = false;           // a late one came before any that was on time, of that date
  bool lost = false;                 // came before what the journal knew of it was lost
  bool refused = false;              // at first
  bool comparable = true;
  std::set<std::int64_t> on_time;          // on the target, by the program, which was told: dates
  std::vector<std::string> wanted, found;  // flags and date
};

std::string attributes(const Mail& mail, const Copies& copies, const World& world) {
  const Profile& target = world.target->profile;
  const std::optional<InternalDate>& date = mail.date;
  Flags flags = mail.flags;
  if (!target.keywords || copies.refused) flags.keywords.clear();
  // What the server left out of an APPEND, nobody whose row is lost can give back.
  if (target.loses_flagged && copies.lost)
    flags.system &= static_cast<std::uint8_t>(~Flags::flagged);
  // Nobody sets \\Deleted here but the program, where a source lets it do no more.
  flags.system &= static_cast<std::uint8_t>(~Flags::deleted);
  // A change whose answer was lost, and that the source took back before it was made again, is one
  // that nobody knows of.
  if (copies.wavered && copies.stored && world.late_commits) flags = {};
  return fmt::format("({}) {} {}", flags.to_string(), date ? date->seconds : 0,
                     date ? date->zone_minutes : 0);
}

/// Whether only their bodies tell them apart.
bool look_alike(const std::string& a, const std::string& b) {
  const auto header = [](std::string_view bytes) {
    return bytes.substr(0, bytes.find("\r\n\r\n"));
  };
  return a.size() == b.size() && header(a) == header(b);
}

/// What of a letter tells a reader which one it is, on one line.
std::string heading(const std::string& bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 400))
    if (c == '\n') {
      out += " | ";
    } else if (c != '\r') {
      out += c;
    }
  return out.substr(0, out.find("xxx"));
}

std::string wrong_with(const std::string& bytes, Copies& copies, const World& world,
                       const World::Renamed& renamed) {
  const Guarantee guarantee = world.target->profile.guarantee;
  const std::size_t found = copies.owners + copies.ours;
  std::size_t least = std::max({copies.source, copies.earlier, copies.owners});
  const std::size_t most = std::max(copies.source + copies.earlier + copies.again + copies.gone,
                                    copies.owners + copies.taken);
  if (guarantee == Guarantee::once_or_more) least = std::min<std::size_t>(least, 1);
  least -= std::min(least, copies.taken + copies.alike_gone);
  // Where bytes and size are changed on the way nothing tells that a copy, its UID void, is that of
  // what has left. It may pass for one that is at the source still, and then that one stays there.
  if (world.target->profile.rewrites_message_id && renamed.target_ever)
    least -= std::min(
        least, std::max(copies.let_go, std::min(copies.removed, copies.source - copies.removed)));
  // A late copy is only proved to be ours while the first one is as it was sent, and has its row,
  // and that a name by which to find it, and is not the later of the two; and in a folder that was
  // not replaced since. What is not proved stays; but it is told, each of them.
  const bool unproved = guarantee == Guarantee::twins_remain || copies.reflagged ||
                        copies.late_first || renamed.too_much || world.forgot ||
                        renamed.target_ever || !world.target->profile.uidvalidity;
  const std::size_t told = world.target->profile.shows_copies() ? copies.told : copies.late;
  // Equal mail without dates, and no batch that tells what was sent: one we appended is as good as
  // a late one of another.
  const bool undated = world.forgot && world.from_pop3();
  const bool late = unproved && found <= most + (undated ? told : std::min(copies.late, told));
  // Without a name of its own nor noted bytes it is nobody's, each time both ends are renamed.
  const bool anew = renamed.too_much && world.from_pop3() && found <= (1 + renamed.times) * most &&
                    bytes.find("Message-ID:") == std::string::npos;
  // The same once, when its owner has taken its copy, and a backup brings that back.
  const bool back = renamed.source_ever && renamed.target_ever && world.from_pop3() &&
                    found <= most + copies.taken && bytes.find("Message-ID:") == std::string::npos;
  // The second copy of the one that goes ahead is nobody's if its UID becomes void just then, or
  // somebody deletes the journal, or its user changes it before we hear that it came.
  const bool changed = copies.reflagged && !world.target->profile.shows_copies();
  const bool ahead = (renamed.target_meanwhile || world.forgot || changed) && world.from_pop3() &&
                     world.options.remove_after && found == most + 1;
  // Nor is a late copy anybody's, once somebody has deleted the journal and the source has it no
  // more.
  const bool left = copies.removed + copies.earlier > 0 || (copies.source == 0 && copies.gone > 0);
  const bool nobodys = world.forgot && left && found <= most + copies.late;
  // Of equal mail a late copy of one may be known as the other's, where bytes and size are changed
  // on the way; the other's own is then told.
  const bool traded = world.target->profile.rewrites_message_id && copies.source > 1 &&
                      found <= most + std::min(copies.late, told);
  const bool more_allowed = late || nobodys || traded || anew || back || ahead ||
                            (world.pop3 && world.pop3->profile.no_identity());
  if (found < least || (found > most && !more_allowed)) {
    return fmt::format("{} copies instead of {}{} ({} late, {} told) of: {}", found, least,
                       most > least ? fmt::format(" to {}", most) : "", copies.late, copies.told,
                       heading(bytes));
  }
  if (!copies.comparable || copies.touched || copies.taken > 0 || copies.owners > 0 ||
      copies.gone > 0 || found != copies.source)
    return "";
  // Nobody has heard of the change.
  if (copies.reflagged && world.source && !world.source->profile.tells_flag_changes()) return "";
  // What is found again without its row counts as somebody else's: its flags are let alone, and
  // nothing tells equal ones apart.
  if (copies.lost && (copies.reflagged || copies.source > 1)) return "";
  std::ranges::sort(copies.wanted);
  std::ranges::sort(copies.found);
  if (copies.wanted == copies.found) return "";
  for (std::size_t i = 0; i < copies.wanted.size(); ++i)
    if (copies.wanted[i] != copies.found[i])
      return fmt::format("flags and date are {} instead of {} of: {}", copies.found[i],
                         copies.wanted[i], heading(bytes));
  return "";
}

std::string check_folder(World& world, const std::string& name) {
  const World::Renamed& renamed = world.renamed[name];
  std::map<std::string, Copies> all;
  for (const Mail& mail : world.source_folder(name).mails) {
    Copies& copies = all[world.stored(*mail.bytes)];
    ++copies.source;
    copies.reflagged = copies.reflagged || mail.touched > 0;
    copies.wavered = copies.wavered || mail.touched > 1;
  }
  for (const std::string& bytes : world.crossed[name]) {
    Copies& copies = all[world.stored(bytes)];
    ++copies.source;
    ++copies.removed;
    copies.comparable = false;
  }
  for (const std::string& bytes : world.let_go[name]) ++all[bytes].let_go;
  for (const std::string& bytes : world.earlier[name]) {
    Copies& copies = all[world.stored(bytes)];
    ++copies.earlier;
    copies.comparable = false;
  }
  for (const std::string& bytes : world.again[name]) ++all[world.stored(bytes)].again;
  for (const std::string& bytes : world.gone[name]) ++all[world.stored(bytes)].gone;
  if (world.pop3 && world.pop3->profile.named_by_look())
    for (const std::string& left : world.gone[name])
      for (const Mail& mail : world.source_folder(name).mails)
        if (look_alike(left, *mail.bytes)) ++all[world.stored(*mail.bytes)].alike_gone;
  for (const std::string& bytes : world.taken[name]) ++all[bytes].taken;
  MailFolder* there = world.target_folder(name);
  if (!there) return "the folder is missing";
  for (const auto& [bytes, count] : there->late) all[bytes].late = count;
  for (const Mail& mail : there->mails) {
    Copies& copies = all[*mail.bytes];
    ++(mail.maker == Maker::owner ? copies.owners : copies.ours);
    copies.touched = copies.touched || mail.touched > 0;
    copies.reflagged = copies.reflagged || mail.touched > 0;
    const std::int64_t date = mail.date ? mail.date->seconds : 0;
    copies.late_first = copies.late_first || (mail.late && !copies.on_time.contains(date));
    if (mail.maker == Maker::client && !mail.late) copies.on_time.insert(date);
    copies.stored = copies.stored || mail.stored;
    copies.told += mail.told;
    copies.lost = copies.lost || mail.age < std::max(world.forgot, renamed.past);
    copies.refused = world.target->refused.contains(*mail.bytes);
  }
  for (const Mail& mail : world.source_folder(name).mails) {
    Copies& copies = all[world.stored(*mail.bytes)];
    copies.wanted.push_back(attributes(mail, copies, world));
  }
  for (const Mail& mail : there->mails) {
    Copies& copies = all[*mail.bytes];
    copies.found.push_back(attributes(mail, copies, world));
  }
  for (auto& [bytes, copies] : all) {
    if (world.from_pop3()) copies.comparable = false;
    const std::string wrong = wrong_with(bytes, copies, world, renamed);
    if (!wrong.empty()) return wrong;
  }
  for (const Mail& mail : there->mails) {
    const Copies& copies = all[*mail.bytes];
    const bool foreign =
        mail.maker == Maker::owner && copies.source + copies.earlier + copies.gone == 0;
    if (foreign && !(mail.flags == mail.left_with))
      return fmt::format("flags of foreign mail are ({}) instead of ({}): {}",
                         mail.flags.to_string(), mail.left_with.to_string(), heading(*mail.bytes));
  }
  return "";
}

/// Nothing may be where no source folder leads.
std::string check_others(World& world) {
  for (const MailFolder& folder : world.target_store.folders) {
    const bool known = std::ranges::any_of(world.names, [&](const std::string& name) {
      const MailFolder* there = world.target_folder(name);
      return there == &folder ||
             (there && there->wire.starts_with(folder.wire + world.target->profile.delimiter));
    });
    const bool there_before = folder.wire == "INBOX";
    if (!known && !there_before) return "folder " + folder.wire + " was made for nothing";
    for (const Mail& mail : folder.mails)
      if (!known && mail.maker != Maker::owner)
        return "a message in folder " + folder.wire + ": " + heading(*mail.bytes);
  }
  return "";
}

}  // namespace

std::string check(World& world) {
  for (const Mailstore* store : {&world.source_store, &world.target_store})
    if (!store->sins.empty()) return "the client must not: " + store->sins.front();
  if (world.source_store.appended != 0) return "something was appended to the source";
  for (const auto& [port, of_end] : {std::pair(kSourcePort, world.source_sessions),
                                     std::pair(kTargetPort, world.target_sessions)})
    if (world.network.most_open(port) >
        static_cast<std::size_t>(std::min(world.options.sessions, of_end)))
      return "more connections than sessions were allowed";
  for (const std::string& name : world.names) {
    const std::string wrong = check_folder(world, name);
    if (!wrong.empty()) return "folder " + name + ": " + wrong;
  }
  return check_others(world);
}

}  // namespace postferry::sim
