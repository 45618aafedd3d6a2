// See world.h.
#include "tests/sim/world.h"

#include <fmt/format.h>

#include <algorithm>
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
    : dice(seed), agenda(executor), network(agenda, dice, trace), disk(the_disk), letters(dice) {
  trace.set_loud(loud);
}

World::~World() { executor.clear(); }

void World::open(Profile of_source, Profile of_target) {
  source = std::make_unique<ImapServer>(source_store, std::move(of_source), agenda, dice, trace);
  target = std::make_unique<ImapServer>(target_store, std::move(of_target), agenda, dice, trace);
  network.listen(kSourcePort, [this](auto wire) { return source->accept(std::move(wire)); });
  network.listen(kTargetPort, [this](auto wire) { return target->accept(std::move(wire)); });
  source_store.make("INBOX");
  target_store.make("INBOX");
}

MailFolder& World::source_folder(const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  return source_store.make(spelled(source->profile, name));
}

MailFolder* World::target_folder(const std::string& name) {
  return target_store.find(spelled(target->profile, name));
}

MailFolder& World::make_target_folder(const std::string& name) {
  return target_store.make(spelled(target->profile, name));
}

Outside World::outside() { return {executor, agenda, network, disk, dice, trace}; }

Start World::start() const {
  Start start;
  start.source_url = fmt::format("imap://ann@source.example:{}?tls=none&sessions={}", kSourcePort,
                                 source_sessions);
  start.target_url = fmt::format("imap://ann@target.example:{}?tls=none&sessions={}", kTargetPort,
                                 target_sessions);
  start.options = options;
  return start;
}

}  // namespace postferry::sim
