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

Opening opening_of(const Session& session, FolderName name, std::string wire, Access access) {
  Opening opening;
  opening.folder.name = std::move(name);
  opening.folder.wire = std::move(wire);
  const bool examine = access == Access::read && !session.quirks.select_not_examine;
  opening.verb = examine ? "EXAMINE" : "SELECT";
  opening.access = access;
  opening.folder.deleted_hides = session.quirks.deleted_hides;
  return opening;
}

Command open_command(Session& session, const Opening& opening) {
  return session.command(opening.verb).string(opening.folder.wire).finish();
}

Task<Selected> finish_opening(Session& session, Opening opening) {
  Selected& folder = opening.folder;
  session.forget_folder();
  session.set_folder(printable(folder.name.to_string()));
  const StatusResponse status = co_await session.finish(opening.tag, [&](Response& response) {
    const auto* untagged = std::get_if<StatusResponse>(&response);
    if (!untagged || !untagged->code) return;
    // What came before [CLOSED] spoke of the folder that was open before (RFC 7162 §3.2.11).
    if (untagged->has(Code::kClosed)) session.forget_folder();
    take_code(*untagged->code, folder);
  });
  if (status.status != Status::kOk) throw session.refused(status, opening.verb);
  if (status.code) take_code(*status.code, folder);
  folder.numbers.messages = session.exists();
  if (opening.access == Access::write && folder.read_only) {
    throw session.error(ErrorKind::rejected, "the server lets us only read this folder");
  }
  co_return std::move(folder);
}

bool lacks_numbers(const Selected& folder) {
  return !folder.numbers.uid_next || !folder.numbers.uid_validity;
}

Command status_command(Session& session, const std::string& wire) {
  return session.command("STATUS").string(wire).raw("(UIDNEXT UIDVALIDITY)").finish();
}

Task<void> ask_missing(Session& session, Selected& folder) {
  std::string tag = co_await session.send(status_command(session, folder.wire));
  co_await take_missing(session, std::move(tag), folder);
}

Task<void> take_missing(Session& session, std::string tag, Selected& folder) {
  FolderNumbers told;
  const StatusResponse status = co_await session.finish(tag, [&told](Response& response) {
    if (const auto* data = std::get_if<StatusData>(&response)) told = numbers_of(*data);
  });
  if (!folder.numbers.uid_next) folder.numbers.uid_next = told.uid_next;
  if (!folder.numbers.uid_validity) {
    folder.numbers.uid_validity = told.uid_validity;
    folder.validity_apart = told.uid_validity.has_value();
  }
  const ErrorKind kind = judge_read(status).kind;
  if (status.status != Status::kOk && kind != ErrorKind::rejected && kind != ErrorKind::protocol) {
    throw session.refused(status, "STATUS");
  }
}

Task<Selected> open_folder(Session& session, FolderName name, std::string wire, Access access) {
  Opening opening = opening_of(session, std::move(name), std::move(wire), access);
  opening.tag = co_await session.send(open_command(session, opening));
  Selected folder = co_await finish_opening(session, std::move(opening));
  if (lacks_numbers(folder)) co_await ask_missing(session, folder);
  co_return folder;
}

}  // namespace postferry::imap
