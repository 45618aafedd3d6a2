// See world.h.
#include "tests/sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace postferry::sim {
namespace {

std::string spelled(const Profile& profile, const std::string& name) {
  if (name == "INBOX") return name;
  std::string wire = profile.prefix + name;
  std::ranges::replace(wire, '/', profile.delimiter);
  return wire;
}

}  // namespace

World::World(std::uint64_t seed, bool loud, Disk& the_disk)
    : dice(seed),
      more(dice.fork()),
      newest(Dice(seed ^ 0xa0761d6478bd642f)),
      agenda(executor),
      network(agenda, dice, trace),
      disk(the_disk),
      letters(dice) {
  trace.set_loud(loud);
  source_store.make("INBOX");
  target_store.make("INBOX");
  source_store.on_removal = [this](const MailFolder& folder, const Mail& mail) {
    look_at_removal(folder, mail);
  };
}

World::~World() { executor.clear(); }

void World::open_source(Profile profile) {
  source = std::make_unique<ImapServer>(source_store, std::move(profile), agenda, dice, trace);
  network.listen(kSourcePort, [this](auto wire) { return source->accept(std::move(wire)); });
}

void World::open_source(Pop3Profile profile) {
  pop3 = std::make_unique<Pop3Server>(source_store, std::move(profile), agenda, dice, trace);
  network.listen(kSourcePort, [this](auto wire) { return pop3->accept(std::move(wire)); });
}

void World::open_target(Profile profile) {
  target = std::make_unique<ImapServer>(target_store, std::move(profile), agenda, dice, trace);
  network.listen(kTargetPort, [this](auto wire) { return target->accept(std::move(wire)); });
}

std::string World::describe() const {
  return fmt::format("{} to {}", pop3 ? pop3->profile.name : source->profile.name,
                     target->profile.name);
}

void World::clear_skies() {
  if (source) source->misfortune.clear();
  if (source) source->skips_listed = false;
  if (pop3) pop3->misfortune.clear();
  target->misfortune.clear();
  network.fate = nullptr;
  disk.set_room(std::nullopt);
  target_store.quota.reset();
}

MailFolder& World::source_folder(const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  return source_store.make(source ? spelled(source->profile, name) : name);
}

MailFolder* World::target_folder(const std::string& name) {
  return target_store.find(spelled(target->profile, name));
}

MailFolder& World::make_target_folder(const std::string& name) {
  return target_store.make(spelled(target->profile, name));
}

std::string World::stored(std::string_view bytes) const {
  return as_stored(target->profile, std::string(bytes));
}

Mail World::letter(std::string bytes) {
  Mail mail;
  mail.bytes = std::make_shared<const std::string>(std::move(bytes));
  mail.flags = mail.left_with = letters.flags();
  mail.date = letters.date();
  return mail;
}

void World::deliver(const std::string& name, std::string bytes) {
  MailFolder& folder = source_folder(name);
  if (dice.one_in(6)) folder.uid_next += static_cast<std::uint32_t>(1 + dice.below(4));
  // UIDs given once more are known by UIDNEXT alone, which is lower than it was until then.
  const std::uint32_t before = renamed[name].source_next_before;
  if (source && !source->profile.tells_reuse() && folder.uid_next + 1 >= before)
    folder.uid_next = std::max(folder.uid_next, before);
  Mail mail = letter(std::move(bytes));
  mail.uidl = fmt::format("u{}", ++delivered);
  folder.add(std::move(mail));
}

void World::deliver_to_target(const std::string& name, std::string bytes) {
  make_target_folder(name).add(letter(stored(bytes)));
}

void World::remove_at_source(const std::string& name) {
  MailFolder& folder = source_folder(name);
  if (folder.mails.empty()) return;
  const Mail& mail = folder.mails[dice.below(folder.mails.size())];
  gone[name].push_back(*mail.bytes);
  folder.remove(mail.uid);
}

void World::reflag_at_source(const std::string& name) {
  MailFolder& folder = source_folder(name);
  if (folder.mails.empty() || from_pop3()) return;
  Mail& mail = folder.mails[dice.below(folder.mails.size())];
  ++mail.touched;
  folder.set_flags(mail, letters.flags());
}

void World::remove_at_target(const std::string& name) {
  MailFolder* folder = target_folder(name);
  if (!folder || folder->mails.empty()) return;
  const Mail& mail = folder->mails[dice.below(folder->mails.size())];
  // Nothing else may show that a restored folder gave this UID once more.
  const Renamed& state = renamed[name];
  if (state.restored && mail.uid >= state.next_after && mail.uid < state.next_before) return;
  taken[name].push_back(*mail.bytes);
  folder->remove(mail.uid);
}

void World::reflag_at_target(const std::string& name) {
  MailFolder* folder = target_folder(name);
  if (!folder || folder->mails.empty()) return;
  Mail& mail = folder->mails[dice.below(folder->mails.size())];
  ++mail.touched;
  folder->set_flags(mail, letters.flags());
  mail.left_with = mail.flags;
}

void World::rename(const std::string& name, bool at_source) {
  trace.say("-- {} is rebuilt or restored at the {}", name, at_source ? "source" : "target");
  Renamed& state = renamed[name];
  (at_source ? state.source : state.target) = true;
  (at_source ? state.source_ever : state.target_ever) = true;
  state.late = !complete;
  MailFolder* there = target_folder(name);
  const bool came_late = there && std::ranges::any_of(there->mails, [&](const Mail& mail) {
                           return mail.late && mail.uid >= state.next_seen;
                         });
  const bool under_way = !complete || target->at_work_alone > 0 || came_late;
  state.target_meanwhile = state.target_meanwhile || (!at_source && under_way);
  if ((state.source && state.target) || (at_source && under_way)) {
    ++state.times;
    state.too_much = state.unsettled = true;
  }
}

void World::note_loss() { forgot = ++target_store.age; }

void World::rebuild_source(const std::string& name) {
  source_folder(name).rebuild();
  rename(name, true);
}

void World::rebuild_target(const std::string& name) {
  if (MailFolder* folder = target_folder(name)) folder->rebuild();
  rename(name, false);
}

void World::restore_source(const std::string& name) {
  MailFolder& folder = source_folder(name);
  renamed[name].source_next_before = std::max(renamed[name].source_next_before, folder.uid_next);
  const std::size_t lost = dice.below(folder.mails.size() + 1);
  for (std::size_t i = folder.mails.size() - lost; i < folder.mails.size(); ++i)
    gone[name].push_back(*folder.mails[i].bytes);
  folder.restore_backup(lost);
  rename(name, true);
}

void World::rename_uidls() {
  std::deque<Mail>& mails = source_folder("INBOX").mails;
  uidls_ += mails.size();
  for (std::size_t i = 0; i < mails.size(); ++i) mails[i].uidl = fmt::format("n{}", uidls_ - i);
  rename("INBOX", true);
}

void World::restore_target(const std::string& name) {
  if (!dice.one_in(2)) return restore_target_folder(name);
  for (const std::string& each : names) restore_target_folder(each);
}

void World::restore_target_folder(const std::string& name) {
  MailFolder* folder = target_folder(name);
  if (!folder) return;
  Renamed& state = renamed[name];
  state.next_before = std::max(state.next_before, folder->uid_next);
  state.restored = true;
  const std::size_t lost = dice.below(folder->mails.size() + 1);
  note_lost(name, *folder, lost);
  folder->restore_backup(lost);
  state.next_after = folder->uid_next;
  rename(name, false);
}

/// What has gone from the source as well has no way back.
void World::note_lost(const std::string& name, const MailFolder& folder, std::size_t lost) {
  std::vector<std::string> removed;
  for (const Letters* left : {&crossed, &earlier})
    if (const auto at = left->find(name); at != left->end())
      for (const std::string& bytes : at->second) removed.push_back(stored(bytes));
  for (std::size_t i = folder.mails.size() - lost; i < folder.mails.size(); ++i) {
    const auto at = std::ranges::find(removed, *folder.mails[i].bytes);
    if (at == removed.end()) continue;
    taken[name].push_back(*at);
    removed.erase(at);
  }
}

bool World::delivery_would_hide(const std::string& name) {
  // A volley of flags tells of no change, where HIGHESTMODSEQ does not.
  const bool passed_over = source != nullptr;
  const auto below = [this](const std::string& each) {
    const MailFolder* folder = target_folder(each);
    return renamed[each].restored && folder && folder->uid_next < renamed[each].next_before;
  };
  // The program may not have looked since the last whole run.
  const auto would_reach = [this](const std::string& each) {
    const Renamed& state = renamed[each];
    return target_folder(each)->uid_next + 1 >= std::min(state.next_before, state.next_seen);
  };
  // One folder that the program sees to have gone back speaks for all.
  const auto gives_away = [&](const std::string& each) {
    const MailFolder* folder = target_folder(each);
    return each != name && below(each) && folder->uid_next < renamed[each].next_seen;
  };
  return passed_over && below(name) && would_reach(name) && std::ranges::none_of(names, gives_away);
}

std::uint64_t World::may_come_back() const {
  std::uint64_t count = 0;
  if (pop3 && !pop3->profile.sure())
    for (const auto& [name, copies] : taken) count += copies.size();
  return count;
}

void World::forget_journal(const Disk::Files& empty) {
  trace.say("-- somebody deletes the journal");
  disk.reset(empty);
  note_loss();
  for (auto& [name, removed] : std::exchange(crossed, {})) {
    std::vector<std::string>& before = earlier[name];
    std::ranges::sort(before);
    std::ranges::sort(removed);
    std::vector<std::string> both;
    std::ranges::set_union(before, removed, std::back_inserter(both));
    std::ranges::set_intersection(before, removed, std::back_inserter(again[name]));
    before = std::move(both);
  }
}

void World::note_end(bool whole) {
  complete = whole;
  for (auto& [name, state] : renamed) {
    if (state.unsettled) state.past = ++target_store.age;
    state.unsettled = state.unsettled && !whole;
  }
  if (!whole) return;
  for (const std::string& name : names)
    if (const MailFolder* there = target ? target_folder(name) : nullptr)
      renamed[name].next_seen = there->uid_next;
  for (auto& [name, state] : renamed) {
    if (std::exchange(state.late, false)) continue;
    state.source = state.target = state.restored = false;
    state.next_before = state.source_next_before = 0;
  }
}

/// A source message goes: its copies must all be there, and the journal must know it for good.
void World::look_at_removal(const MailFolder& folder, const Mail& mail) {
  const auto name = std::ranges::find_if(names, [&](const std::string& candidate) {
    return source_store.find(source ? spelled(source->profile, candidate) : candidate) == &folder;
  });
  if (name == names.end()) return;
  if (!options.remove_after) source_store.sins.push_back("a removal nobody asked for");
  crossed[*name].push_back(*mail.bytes);
  const std::string bytes = stored(*mail.bytes);
  const auto due = std::ranges::count(crossed[*name], *mail.bytes);
  const auto lost = std::ranges::count(taken[*name], bytes);
  const MailFolder* there = target_folder(*name);
  const auto found =
      there ? std::ranges::count_if(there->mails, [&](const Mail& m) { return *m.bytes == bytes; })
            : 0;
  // Its owner may have taken the one copy of several just before.
  const auto needed = target->profile.folds_duplicates ? (lost > 0 ? 0 : 1) : due - lost;
  // What a user lets go has another's copy at most.
  if (accepting && target->profile.rewrites_message_id) {
    let_go[*name].push_back(bytes);
  } else if (found < needed) {
    source_store.sins.push_back(
        fmt::format("remove a message that has no copy: {} of {}", found, needed));
  }
  const MessageKey key = pop3 ? MessageKey(mail.uidl) : MessageKey(Uid{mail.uid});
  if (unsynced.rows.contains(Unsynced::name(*name, key)))
    source_store.sins.push_back("remove a message whose row is not durable");
}

Outside World::outside() {
  const auto told = [this](const std::string& name, std::uint32_t uid) {
    MailFolder* folder = target ? target_folder(name) : nullptr;
    Mail* mail = folder ? folder->find(uid) : nullptr;
    if (mail) mail->told = true;
  };
  return {executor, agenda, network, disk, dice, trace, unsynced, told};
}

Start World::start() const {
  Start start;
  start.source_url = fmt::format("{}://ann@source.example:{}?tls=none&sessions={}",
                                 pop3 ? "pop3" : "imap", kSourcePort, source_sessions);
  start.target_url = fmt::format("imap://ann@target.example:{}?tls=none&sessions={}", kTargetPort,
                                 target_sessions);
  start.options = options;
  return start;
}

}  // namespace postferry::sim
