// Which folder is open on the line, and opening it again.
#include "connectors/imap/party.h"

namespace postferry::imap {

Party::~Party() {
  --line_->users;
  if (line_->open_for == this) line_->open_for = nullptr;
}

Task<void> Party::open(FolderName name, std::string wire) {
  const auto both = [&](Turn& turn) -> Task<void> {
    Opening opening = co_await begin_opening(turn, std::move(name), std::move(wire));
    turn.spoken();
    co_await turn.listen();
    co_await end_opening(std::move(opening));
  };
  co_await in_turn(both);
  if (lacks_numbers(folder_)) co_await learn_numbers();
}

Task<void> Party::learn_numbers() {
  const auto ask = [this]() { return ask_missing(session(), folder_); };
  co_await in_folder(ask);
}

Task<std::string> Party::say(Turn& turn, Command command) {
  if (command.pieces.size() > 1) co_await turn.listen();
  co_return co_await session().send(std::move(command));
}

Task<Opening> Party::begin_opening(Turn& turn, FolderName name, std::string wire) {
  Opening opening = opening_of(session(), std::move(name), std::move(wire), access_);
  line_->open_for = this;
  opening.tag = co_await say(turn, open_command(session(), opening));
  co_return opening;
}

Task<void> Party::end_opening(Opening opening) {
  try {
    folder_ = co_await finish_opening(session(), std::move(opening));
  } catch (const Error&) {
    if (line_->open_for == this) line_->open_for = nullptr;
    throw;
  }
}

Task<std::optional<Opening>> Party::reopen(Turn& turn) {
  if (line_->open_for == this) {
    session().set_folder(printable(folder_.name.to_string()));
    co_return std::nullopt;
  }
  if (folder_.name.empty()) throw std::logic_error("no folder is selected");
  co_return co_await begin_opening(turn, folder_.name, folder_.wire);
}

Task<void> Party::reopened(std::optional<Opening> opening) {
  if (!opening) co_return;
  const auto validity = folder_.numbers.uid_validity;
  co_await end_opening(std::move(*opening));
  // Some tell it to a STATUS alone, which cannot be asked while answers are due.
  if (!folder_.numbers.uid_validity) folder_.numbers.uid_validity = validity;
  if (folder_.numbers.uid_validity != validity)
    throw session().error(ErrorKind::transient, "the folder's UIDVALIDITY changed meanwhile");
}

}  // namespace postferry::imap
