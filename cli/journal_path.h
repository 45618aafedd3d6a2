// Where the journal of a pair lives when --journal does not say.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "connectors/endpoint.h"

namespace postferry::cli {

/// `$XDG_STATE_HOME/postferry/<source>--<target>-<hash>.db`, or below ~/.local/state. The names are
/// for people; the hash of both identities makes the file this pair's alone. A relative
/// XDG_STATE_HOME is ignored, as its specification demands. Throws Error{usage} where there is no
/// home directory either.
std::string default_journal_path(
    const Endpoint& source, const Endpoint& target,
    const std::function<std::optional<std::string>(const std::string&)>& environment);

}  // namespace postferry::cli
