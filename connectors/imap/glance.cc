// A writer and a reader, as in a listing: the server may answer the first folder before it has
// heard of the last.
#include "connectors/imap/glance.h"

#include <deque>

#include "connectors/imap/scan.h"
#include "engine/async/event.h"
#include "engine/async/task_group.h"

namespace postferry::imap {
namespace {

struct Asked {
  Opening opening;
  std::string newest, flags;  // tags
};

/// Nothing where the folder is refused.
Task<std::optional<Opened>> answer_to(Session& session, Asked asked) {
  std::optional<Opened> opened(std::in_place);
  try {
    opened->numbers = (co_await finish_opening(session, std::move(asked.opening))).numbers;
  } catch (const Error& failure) {
    if (failure.kind() != ErrorKind::rejected) throw;
    opened.reset();
  }
  Catalogue catalogue;
  std::uint32_t newest = 0;
  for (std::string* tag : {&asked.newest, &asked.flags}) {
    const auto take = [&](Response& response) {
      const auto* fetch = std::get_if<FetchData>(&response);
      if (!fetch || !fetch->uid || *fetch->uid == newest || !fetch->flags) return;
      if (fetch->rfc822_size) newest = *fetch->uid;
      catalogue.add(MessageKey(Uid{*fetch->uid}), fetch->rfc822_size.value_or(0),
                    date_of(fetch->internal_date), flags_of(*fetch->flags));
    };
    const StatusResponse status = co_await session.finish(std::move(*tag), take);
    if (status.status != Status::kOk) opened.reset();  // nothing is the newest of none
  }
  if (!opened) co_return std::nullopt;
  catalogue.sort();
  opened->catalogue = std::move(catalogue);
  co_return opened;
}

}  // namespace

Task<void> glance_at(Party& party, std::vector<std::pair<FolderName, std::string>> folders,
                     std::function<Task<void>(FolderName, Opened)> take) {
  Session& session = party.session();
  std::deque<Asked> asked;
  bool asked_all = false;
  Event moved;
  const auto ask_all = [&]() -> Task<void> {
    for (auto& [name, wire] : folders) {
      Asked one;
      one.opening = opening_of(session, std::move(name), std::move(wire), Access::read);
      Command open = open_command(session, one.opening);
      if (open.pieces.size() > 1) continue;
      one.opening.tag = co_await session.send(std::move(open));
      one.newest = co_await session.send(
          session.command("UID FETCH").raw("* (FLAGS INTERNALDATE RFC822.SIZE)").finish());
      one.flags = co_await session.send(session.command("UID FETCH").raw("1:* (FLAGS)").finish());
      asked.push_back(std::move(one));
      moved.set();
    }
    asked_all = true;
    moved.set();
  };
  const auto both = [&]() -> Task<void> {
    party.line()->open_for = nullptr;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(ask_all());
      for (;;) {
        while (asked.empty() && !asked_all) {
          moved.reset();
          co_await moved.wait();
        }
        if (asked.empty()) break;
        FolderName name = asked.front().opening.folder.name;
        Asked one = std::move(asked.front());
        asked.pop_front();
        std::optional<Opened> opened = co_await answer_to(session, std::move(one));
        if (opened) co_await take(std::move(name), *std::move(opened));
      }
      co_await group.join();
    });
    session.set_folder("");
  };
  co_await party.alone_on_line(both);
}

}  // namespace postferry::imap
