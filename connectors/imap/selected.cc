// SELECT and EXAMINE.
#include "connectors/imap/selected.h"

#include <algorithm>
#include <array>
#include <utility>

#include "connectors/imap/codec/lexer.h"
#include "connectors/imap/folders.h"

namespace postferry::imap {
namespace {

void take_code(const ResponseCode& code, Selected& folder) {
  switch (code.code) {
    case Code::kUidValidity:
      if (const auto value = code_number(code); value && *value <= UINT32_MAX) {
        folder.numbers.uid_validity = static_cast<std::uint32_t>(*value);
      }
      break;
    case Code::kUidNext:
      if (const auto value = code_number(code); value && *value > 0 && *value <= UINT32_MAX) {
        folder.numbers.uid_next = static_cast<std::uint32_t>(*value);
      }
      break;
    case Code::kHighestModSeq:
      folder.numbers.highest_modseq = code_number(code);
      break;
    case Code::kPermanentFlags:
      folder.permanent_flags = code_flags(code);
      break;
    case Code::kUidNotSticky:
      folder.uid_not_sticky = true;
      break;
    case Code::kReadOnly:
      folder.read_only = true;
      break;
    default:
      break;
  }
}

// Courier says no UIDNEXT on SELECT. Servers that cannot say it at all leave it absent.
Task<void> ask_missing(Session& session, Selected& folder) {
  if (folder.numbers.uid_next && folder.numbers.uid_validity) co_return;
  std::string tag = co_await session.send(
      session.command("STATUS").string(folder.wire).raw("(UIDNEXT UIDVALIDITY)").finish());
  const StatusResponse status = co_await session.finish(tag, [&folder](Response& response) {
    const auto* data = std::get_if<StatusData>(&response);
    if (!data) return;
    const FolderNumbers told = numbers_of(*data);
    if (!folder.numbers.uid_next) folder.numbers.uid_next = told.uid_next;
    if (!folder.numbers.uid_validity) folder.numbers.uid_validity = told.uid_validity;
  });
  const ErrorKind kind = judge(status).kind;
  if (status.status != Status::kOk && kind != ErrorKind::rejected && kind != ErrorKind::protocol) {
    throw session.refused(status, "STATUS");
  }
}

}  // namespace

Flags Selected::storable(const Flags& flags, std::uint64_t& dropped) const {
  if (deleted_hides && (flags.system & Flags::deleted)) {
    Flags others = flags;
    others.system &= static_cast<std::uint8_t>(~Flags::deleted);
    ++dropped;
    return permanent(others, dropped);
  }
  return permanent(flags, dropped);
}

Flags Selected::permanent(const Flags& flags, std::uint64_t& dropped) const {
  if (!permanent_flags) return flags;
  const auto listed = [this](std::string_view flag) {
    return std::ranges::any_of(
        *permanent_flags, [flag](const std::string& known) { return same_ascii(known, flag); });
  };
  const bool any_keyword = listed("\\*");
  Flags kept;
  for (const std::string& flag : flags.names()) {
    const bool keyword = !flag.starts_with('\\');
    if ((keyword && any_keyword) || listed(flag)) {
      kept.add(flag);
    } else {
      ++dropped;
    }
  }
  return kept;
}

Task<Selected> open_folder(Session& session, FolderName name, std::string wire, Access access) {
  const char* verb =
      access == Access::read && !session.quirks.select_not_examine ? "EXAMINE" : "SELECT";
  Selected folder;
  folder.name = std::move(name);
  folder.wire = std::move(wire);
  folder.deleted_hides = session.quirks.deleted_hides;
  session.forget_folder();
  session.set_folder(printable(folder.name.to_string()));
  std::string tag = co_await session.send(session.command(verb).string(folder.wire).finish());
  const StatusResponse status = co_await session.finish(tag, [&](Response& response) {
    const auto* untagged = std::get_if<StatusResponse>(&response);
    if (!untagged || !untagged->code) return;
    // What came before [CLOSED] spoke of the folder that was open before (RFC 7162 §3.2.11).
    if (untagged->has(Code::kClosed)) session.forget_folder();
    take_code(*untagged->code, folder);
  });
  if (status.status != Status::kOk) throw session.refused(status, verb);
  if (status.code) take_code(*status.code, folder);
  folder.numbers.messages = session.exists();
  if (access == Access::write && folder.read_only) {
    throw session.error(ErrorKind::rejected, "the server lets us only read this folder");
  }
  co_await ask_missing(session, folder);
  co_return folder;
}

}  // namespace postferry::imap
