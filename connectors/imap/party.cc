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
  // No folder need be open for it. Opened again, this one would tell of mail that came since.
  const auto ask = [this]() {
    speak_of_folder();
    return ask_missing(session(), folder_);
  };
  co_await alone_on_line(ask);
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
  if (line_->open_for == this) co_return std::nullopt;
  if (folder_.name.empty()) throw std::logic_error("no folder is selected");
  Opening opening = co_await begin_opening(turn, folder_.name, folder_.wire);
  if (folder_.validity_apart) {
    Command status = status_command(session(), folder_.wire);
    if (status.pieces.size() > 1) {  // its literal waits for what was said before
      co_await confirm(std::move(opening));
      co_return std::nullopt;
    }
    opening.status_tag = co_await say(turn, std::move(status));
  }
  co_return opening;
}

void Party::speak_of_folder() { session().set_folder(printable(folder_.name.to_string())); }

Task<void> Party::reopened(std::optional<Opening> opening) {
  if (opening) {
    co_await confirm(*std::move(opening));
  } else {
    speak_of_folder();
  }
}

Task<void> Party::confirm(Opening opening) {
  const auto validity = folder_.numbers.uid_validity;
  const bool apart = folder_.validity_apart;
  std::string status_tag = std::exchange(opening.status_tag, {});
  const bool asked = !status_tag.empty();
  const auto told_apart = [&]() -> Task<void> {
    if (asked) co_await take_missing(session(), std::move(status_tag), folder_);
  };
  co_await hear_both(end_opening(std::move(opening)), told_apart());
  if (apart && !asked && !folder_.numbers.uid_validity) co_await ask_missing(session(), folder_);
  // Some tell it now and then.
  if (!folder_.numbers.uid_validity) folder_.numbers.uid_validity = validity;
  folder_.validity_apart = apart;
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
    const auto answered = [&]() -> Task<void> {
      answers = co_await hear_all(std::move(tags), std::move(handler));
    };
    co_await hear_both(reopened(std::move(opening)), answered());
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
    speak_of_folder();
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

Task<void> hear_both(Task<void> opening, Task<void> rest) {
  std::exception_ptr refused;
  try {
    co_await std::move(opening);
  } catch (const Error& failure) {
    if (failure.kind() != ErrorKind::rejected) throw;
    refused = std::current_exception();
  }
  co_await std::move(rest);
  if (refused) std::rethrow_exception(refused);
}

}  // namespace postferry::imap
