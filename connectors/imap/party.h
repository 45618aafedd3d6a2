// One user of a line, with a folder of its own: it opens the folder again whenever another user has
// opened one meanwhile. What is done in the folder is known elsewhere.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "connectors/imap/line.h"
#include "connectors/imap/selected.h"
#include "engine/error.h"

namespace postferry::imap {

class Party {
 public:
  Party(std::shared_ptr<Line> line, Access access) : line_(std::move(line)), access_(access) {
    ++line_->users;
  }
  /// With a folder that is open on the line already.
  Party(std::shared_ptr<Line> line, Access access, Selected folder)
      : Party(std::move(line), access) {
    folder_ = std::move(folder);
    line_->open_for = this;
  }
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;
  ~Party();

  Session& session() { return line_->session(); }
  const Session& session() const { return line_->session(); }
  const std::shared_ptr<Line>& line() const { return line_; }
  bool alone() const { return line_->users == 1; }
  const Selected& folder() const { return folder_; }

  /// Opens a folder; from then on it is the party's. Throws as finish_opening().
  Task<void> open(FolderName name, std::string wire);
  /// Asks for UIDNEXT and UIDVALIDITY, where opening did not tell them; what it told stays.
  Task<void> learn_numbers();

  /// `work` alone on the line: it may speak and listen as it likes. Error{rejected} leaves the
  /// line alive, any other exception does not.
  template <class F>
  auto alone_on_line(F work) -> std::invoke_result_t<F&> {
    Turn turn(*line_);
    co_await turn.speak();
    co_await turn.listen();
    co_return co_await guarded(turn, work);
  }
  /// The same, with the party's folder open. What opens it goes out while the answers to others are
  /// on their way.
  template <class F>
  auto in_folder(F work) -> std::invoke_result_t<F&> {
    Turn turn(*line_);
    co_await turn.speak();
    const auto all = [this, &work, &turn]() -> std::invoke_result_t<F&> {
      std::optional<Opening> opening = co_await reopen(turn);
      co_await turn.listen();
      co_await reopened(std::move(opening));
      co_return co_await work();
    };
    co_return co_await guarded(turn, all);
  }
  /// Commands that only read the party's folder, one behind the other, and behind what opens it:
  /// others speak while the answers are on their way. `handler` sees all untagged ones. Yields the
  /// tagged ones.
  Task<std::vector<StatusResponse>> ask_all(std::vector<Command> commands, Handler handler);
  /// The same, and the folder is opened again in any case: what others did meanwhile is seen.
  Task<std::vector<StatusResponse>> ask_anew(std::vector<Command> commands, Handler handler);
  /// Commands that change it, one behind the other, once it is certain that the folder that is open
  /// is the one that was opened first: another may have come under its name.
  Task<std::vector<StatusResponse>> change_all(std::vector<Command> commands);
  /// `work(turn)` when it is the turn to speak: for what listens later than it speaks.
  template <class F>
  auto in_turn(F work) -> std::invoke_result_t<F&, Turn&> {
    Turn turn(*line_);
    co_await turn.speak();
    const auto bound = [&work, &turn] { return work(turn); };
    co_return co_await guarded(turn, bound);
  }

  // For the work of in_turn.

  /// Sends a command in this turn, and yields its tag. If a literal of it must wait, the turn to
  /// listen is waited for.
  Task<std::string> say(Turn& turn, Command command);
  /// Sends the command that opens a folder, and what it was sent for.
  Task<Opening> begin_opening(Turn& turn, FolderName name, std::string wire);
  /// Reads the answer: the folder is the party's now.
  Task<void> end_opening(Opening opening);
  /// Opens the party's own folder again, if another has been opened meanwhile.
  Task<std::optional<Opening>> reopen(Turn& turn);
  /// When it is the turn to listen. Throws Error{transient} if it is not the same folder any more.
  Task<void> reopened(std::optional<Opening> opening);
  /// Errors speak of the party's folder from now on. When it is the turn to listen.
  void speak_of_folder();

 private:
  template <class F>
  auto guarded(Turn& turn, F& work) -> std::invoke_result_t<F&> {
    using Result = typename std::invoke_result_t<F&>::value_type;
    try {
      if constexpr (std::is_void_v<Result>) {
        co_await work();
        turn.over();
      } else {
        Result result = co_await work();
        turn.over();
        co_return result;
      }
    } catch (const Error& failure) {
      if (failure.kind() == ErrorKind::rejected) turn.over();
      throw;
    }
  }

  Task<std::vector<StatusResponse>> ask(std::vector<Command> commands, Handler handler, bool anew);
  Task<void> confirm(Opening opening);
  Task<std::vector<std::string>> say_all(Turn& turn, std::vector<Command> commands);
  Task<std::vector<StatusResponse>> hear_all(std::vector<std::string> tags, Handler handler);

  std::shared_ptr<Line> line_;
  const Access access_;
  Selected folder_;
};

/// The answer to what opens a folder, and then those to the commands behind it: they are due even
/// where the folder is refused. Then Error{rejected} comes last.
Task<void> hear_both(Task<void> opening, Task<void> rest);

}  // namespace postferry::imap
