// Hands messages that lie in files to a sink: small ones by groups, so that none costs a hop to a
// thread of its own, large ones streamed. Must not know how they lie there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/async/blocking.h"
#include "engine/async/task.h"
#include "engine/model.h"
#include "engine/source.h"

namespace postferry::files {

/// One message, read as IMAP would give it. Blocks.
class MessageReader {
 public:
  virtual ~MessageReader() = default;
  /// Exact; may have to read the file.
  virtual std::uint64_t size_bytes() const = 0;
  /// The next piece, of about `limit` bytes; empty at the end.
  virtual std::string next(std::size_t limit) = 0;
};

struct OpenMessage {
  Flags flags;
  std::optional<InternalDate> date;
  std::unique_ptr<MessageReader> reader;
};

/// Opens a message, off the loop; nothing when it is gone. Throws Error{local} when it cannot be
/// read, Error{transient} when its folder must be looked at again.
using OpenByKey = std::function<std::optional<OpenMessage>(const MessageKey&)>;

/// As SourceSession::fetch: each key once, in order, those that cannot be read last. `place` is for
/// people.
Task<void> deliver(Blocking& blocking, std::vector<MessageKey> keys, OpenByKey open,
                   MessageSink& sink, std::string place);

/// The header fields of those that are not gone. Blocks.
std::vector<HeaderEntry> read_headers(const std::vector<MessageKey>& keys, const OpenByKey& open);

}  // namespace postferry::files
