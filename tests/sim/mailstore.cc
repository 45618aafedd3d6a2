// See mailstore.h.
#include "tests/sim/mailstore.h"

#include <algorithm>

namespace postferry::sim {
namespace {

bool is_inbox(std::string_view wire) {
  constexpr std::string_view kInbox = "inbox";
  return std::ranges::equal(
      wire, kInbox, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

}  // namespace

Mail* MailFolder::find(std::uint32_t uid) {
  const auto at = std::ranges::lower_bound(mails, uid, {}, &Mail::uid);
  return at != mails.end() && at->uid == uid ? &*at : nullptr;
}

Mail& MailFolder::add(Mail mail) {
  mail.uid = uid_next++;
  mail.modseq = ++highest_modseq;
  mails.push_back(std::move(mail));
  return mails.back();
}

void MailFolder::remove(std::uint32_t uid) {
  std::erase_if(mails, [uid](const Mail& mail) { return mail.uid == uid; });
  ++highest_modseq;
}

void MailFolder::set_flags(Mail& mail, Flags flags) {
  mail.flags = std::move(flags);
  mail.modseq = ++highest_modseq;
}

void MailFolder::restore_backup(std::size_t lost) {
  while (lost-- > 0 && !mails.empty()) mails.pop_back();
  uid_next = mails.empty() ? 1 : mails.back().uid + 1;
  ++generation;
  ++highest_modseq;
}

void MailFolder::rebuild() {
  uid_validity += 7;
  uid_next = 1;
  ++generation;
  for (Mail& mail : mails) mail.uid = uid_next++;
}

MailFolder* Mailstore::find(std::string_view wire) {
  const auto at = std::ranges::find_if(folders, [wire](const MailFolder& folder) {
    return folder.wire == wire || (is_inbox(wire) && is_inbox(folder.wire));
  });
  return at == folders.end() ? nullptr : &*at;
}

MailFolder& Mailstore::make(std::string wire) {
  if (MailFolder* folder = find(wire)) return *folder;
  MailFolder& folder = folders.emplace_back();
  folder.wire = std::move(wire);
  folder.uid_validity = static_cast<std::uint32_t>(1000 + folders.size());
  return folder;
}

std::uint64_t Mailstore::stored_bytes() const {
  std::uint64_t bytes = 0;
  for (const MailFolder& folder : folders)
    for (const Mail& mail : folder.mails) bytes += mail.bytes->size();
  return bytes;
}

}  // namespace postferry::sim
