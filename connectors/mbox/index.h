// Which messages an mbox holds, and where: found by reading all of it. And the reader of one of
// them. Blocks. Must not know folders.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/files/archive.h"
#include "connectors/mbox/bytes.h"
#include "connectors/mbox/codec/decoder.h"

namespace postferry::mbox {

struct Entry {
  std::uint64_t offset = 0;   // of its `From ` line
  std::uint64_t content = 0;  // of what follows
  std::uint64_t end = 0;      // of what follows the empty line after it
  Form form = Form::foreign;
  bool ours = false;                // by its `From ` line; foreign all the same where it was edited
  std::uint64_t claimed_bytes = 0;  // by that line
  std::uint64_t own_bytes = 0;      // as its own form has it, where that is not what it claims
  std::uint64_t size_bytes = 0;     // as IMAP would give it
  Sha256 digest{};
  std::optional<InternalDate> date;
  Flags flags;
  std::optional<std::uint32_t> uid;  // X-UID
  std::optional<Envelope::Base> base;
  // Of Google's exports.
  std::uint64_t google_id = 0;        // 0: none
  std::optional<std::string> labels;  // X-Gmail-Labels
};

/// Told each message with its envelope, and its header (up to a bound) where that was asked for.
using TakeEntry = std::function<void(Entry entry, std::string_view header)>;

struct IndexOptions {
  std::uint64_t start = 0;  // where a message begins
  bool trust_own = true;    // messages of ours can be read again where they were edited
  bool digests = true;
  bool headers = false;  // wanted by TakeEntry
  std::int64_t now_seconds = 0;
};

/// Reads to the end. False where something stands before the first message: no mbox.
bool index_mbox(Bytes& bytes, const IndexOptions& options, const TakeEntry& take);

/// One message. `bytes` must live as long, and hold what it held.
std::unique_ptr<files::MessageReader> read_message(std::shared_ptr<Bytes> bytes,
                                                   const Entry& entry);

}  // namespace postferry::mbox
