#include "engine/crossing/open_target.h"

#include <optional>
#include <string>
#include <utility>

#include "engine/both_ends.h"
#include "engine/crossing/skip.h"
#include "engine/error.h"

namespace postferry {

namespace {

void warn(const OpenTargetRequest& r, const std::string& text) {
  r.observer.note(Level::warning, "folder " + r.folder.source.name.to_string() + ": " + text);
}

/// Under a second, plainer name, where the target refuses the first.
Task<MadeFolder> make(const OpenTargetRequest& r, bool subscribe) {
  const std::optional<FolderName> plainer = plainer_name(r.folder.target);
  std::optional<Error> refused;
  for (const FolderName& name : {r.folder.target, plainer.value_or(r.folder.target)}) {
    try {
      MadeFolder made = co_await r.target.make_and_select(name, r.folder.role, subscribe);
      if (refused) {
        warn(r, "it goes to " + name.to_string() + ", because the target refuses " +
                    r.folder.target.to_string() + ": " + refused->message());
        r.folder.target = name;
      }
      co_return made;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::rejected) throw;
      if (!refused) refused = error;
    }
    if (!plainer) break;
  }
  throw Error(refused->kind(),
              refused->message() + "; if it is for its name, --map \"" +
                  r.folder.source.name.to_string() +
                  "=ANOTHER\" gives it one that the server takes",
              refused->context());
}

}  // namespace

bool lacks_subscription(const MappedFolder& folder) {
  return folder.source.subscribed && !folder.target_subscribed;
}

Task<FolderNumbers> open_target(OpenTargetRequest r) {
  // What was refused is asked for again by retry alone: a run with nothing to do stays quiet.
  const bool in_vain = r.folder.exists && subscription_refused(r.record) && !r.ask_again;
  const bool subscribe = lacks_subscription(r.folder) && !in_vain;
  FolderNumbers numbers;
  std::optional<Error> not_subscribed;
  if (r.folder.exists) {
    if (subscribe) not_subscribed = co_await refusal_of(r.target.subscribe(r.folder.target));
    numbers = co_await r.target.select(r.folder.target);
  } else {
    MadeFolder made = co_await make(r, subscribe);
    numbers = made.numbers;
    not_subscribed = std::move(made.not_subscribed);
  }
  r.folder.exists = true;
  r.folder.target_subscribed = r.folder.target_subscribed || (subscribe && !not_subscribed);
  if (not_subscribed)
    warn(r, std::string("it is not subscribed on the target: ") + not_subscribed->message());
  co_return numbers;
}

}  // namespace postferry
