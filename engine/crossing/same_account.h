// An end that is called otherwise now: is it the mailbox that the journal knows? Only reads.
#pragma once

#include "engine/crossing/crossing.h"

namespace postferry {

/// The ends to look at; null: its name is as it was.
struct RenamedEnds {
  Source* source = nullptr;
  Target* target = nullptr;
};

/// Looks whether the folders that the journal knows of `account` (under its former names) are there
/// under their UIDVALIDITY, and a sample of its messages under their UIDs or UIDLs, with their
/// sizes, dates and, where the journal has digests, bytes. Returns how many of the sample were
/// there. Throws Error{usage} when any is another message or none is there, and as sessions do.
Task<std::size_t> confirm_same_account(RenamedEnds ends, Journal& journal, AccountIdentity account);

}  // namespace postferry
