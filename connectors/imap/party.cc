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
  FolderNumbers begun = folder_.numbers;
  const auto ask = [this]() { return ask_missing(session(), folder_); };
  co_await in_folder(ask);
  // If it had to be opened again for that, there may be more mail now than has been listed.
  if (!begun.uid_next) begun.uid_next = folder_.numbers.uid_next;
  if (!begun.uid_validity) begun.uid_validity = folder_.numbers.uid_validity;
  folder_.numbers = begun;
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

Task<std::vector<StatusResponse>> Party::ask_all(std::vector<Command> commands, Handler handler) {
  return ask(std::move(commands), std::move(handler), false);
}

Task<std::vector<StatusResponse>> Party::ask_anew(std::vector<Command> commands, Handler handler) {
  return ask(std::move(commands), std::move(handler), true);
}

Task<std::vector<StatusResponse>> Party::ask(std::vector<Command> commands, Handler handler,
                                             bool anew) {
  std::vector<StatusResponse> answers;
  const auto volley = [&](Turn& turn) -> Task<void> {
    if (anew && line_->open_for == this) line_->open_for = nullptr;
    std::optional<Opening> opening = co_await reopen(turn);
    std::vector<std::string> tags = co_await say_all(turn, std::move(commands));
    turn.spoken();
    co_await turn.listen();
    std::exception_ptr refused;
    try {
      co_await reopened(std::move(opening));
    } catch (const Error& failure) {
      if (failure.kind() != ErrorKind::rejected) throw;
      refused = std::current_exception();
    }
    answers = co_await hear_all(std::move(tags), std::move(handler));
    if (refused) std::rethrow_exception(refused);
  };
  co_await in_turn(volley);
  co_return answers;
}

Task<std::vector<StatusResponse>> Party::change_all(std::vector<Command> commands) {
  std::vector<StatusResponse> answers;
  const auto volley = [&](Turn& turn) -> Task<void> {
    std::optional<Opening> opening = co_await reopen(turn);
    if (opening) {
      co_await turn.listen();
      co_await reopened(std::move(opening));
    }
    std::vector<std::string> tags = co_await say_all(turn, std::move(commands));
    turn.spoken();
    co_await turn.listen();
    answers = co_await hear_all(std::move(tags), {});
  };
  co_await in_turn(volley);
  co_return answers;
}

Task<std::vector<std::string>> Party::say_all(Turn& turn, std::vector<Command> commands) {
  std::vector<std::string> tags;
  tags.reserve(commands.size());
  for (Command& command : commands) tags.push_back(co_await say(turn, std::move(command)));
  co_return tags;
}

Task<std::vector<StatusResponse>> Party::hear_all(std::vector<std::string> tags, Handler handler) {
  std::vector<StatusResponse> answers;
  answers.reserve(tags.size());
  for (std::string& tag : tags)
    answers.push_back(co_await session().finish(std::move(tag), handler));
  co_return answers;
}

}  // namespace postferry::imap
