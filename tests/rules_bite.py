#!/usr/bin/env python3
"""Proves that the tests of tests/rules.md bite: takes one rule at a time out of a copy of the tree,
and runs the tests that are named for it; one of them must fail.

    tests/rules_bite.py [--only TEXT] [--dir DIR] [--list]

Each mutation is a few lines of text; one that no longer applies, or whose rule is not in the list,
is an error (--list looks at all of them).  Prints a line for each: the clause, and the test that
failed.  The exit status is 1 if a rule could be broken and no test of its own said so.  Tests on real
servers are run where no unit test says so.
"""

import argparse
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests/sim"))
from mutations import MUTATIONS as SIMULATED, Copy  # noqa: E402

CROSSING = "engine/crossing/folder_crossing.cc"
SETTLE = "engine/settle/settle.cc"
TRANSFER = "engine/crossing/transfer.cc"
FOLLOW = "engine/settle/follow.cc"
MATCH = "engine/settle/match.cc"
MEMBERS = "engine/settle/members.cc"
SKIP = "engine/crossing/skip.cc"
STANDINGS = "engine/crossing/standings.cc"
RECOGNISE = "engine/settle/recognise.cc"
IMAP_TARGET = "connectors/imap/target.cc"

# The sections of rules.md of whose every rule some clause is here.
PROVED = ["Exactly once", "Follow", "POP3 for years"]

# The beginning of a rule, one clause of it, and what takes that out: (file, what is there exactly
# once, what stands there instead), ...
RULES = [
    ("No message is altered", "a line is put before each message", [
        (TRANSFER, "  belt_.push_back(std::move(message));\n",
         """  if (message.body.held())
    message.body = Body("X-Mark: 1\\r\\n" + std::string(message.body.bytes()));
  belt_.push_back(std::move(message));
""")]),
    ("Before a batch is sent", "the row comes after it", SIMULATED["batch row after the send"]),
    ("Before a batch is sent", "without the flags it was sent with", [
        (TRANSFER, "    row.flags.push_back(message.flags);\n", "    row.flags.push_back(Flags{});\n")]),
    ("The watermark is one above", "from UIDNEXT", SIMULATED["watermark from UIDNEXT"]),
    ("Other sessions' mail", "the last message is believed", [
        ("connectors/imap/look.cc", "if (!fetch || !fetch->uid || *fetch->uid < from_) return;",
         "if (!fetch || !fetch->uid) return;")]),
    ("Other sessions' mail", "as it was when it was opened", [
        ("connectors/imap/party.cc", "if (anew && line_->open_for == this)", "if (anew && !line_->open_for)")]),
    ("Watermark and batches belong", "one folder at a time", [
        (CROSSING, "    const Permit turn = co_await r_.ends.turns->take(record_.target_folder);\n", "")]),
    ("Settle comes before anything is sent", "it is left out", SIMULATED["settle is skipped"]),
    ("Settle comes before anything is sent", "filtered messages are not matched", [
        ("engine/standing.h", "standing == Standing::due || standing == Standing::filtered;",
         "standing == Standing::due;")]),
    ("Settle matches as a multiset", "one copy serves all", SIMULATED["no multiset"]),
    ("Members of open batches", "they are taken for adopted", [
        (SETTLE, "const auto ours = members_.sent(index, target.uid, target.flags);",
         "const std::optional<Members::Sent> ours;")]),
    ("Members of open batches", "their flags are those of the last", [
        (MEMBERS, "    if (out->flags == flags) break;\n", "    (void)flags;\n")]),
    ("A first run on a target", "only members are looked for", SIMULATED["settle before the catalogue"]),
    ("An open batch is waited for", "nobody waits", SIMULATED["no wait for late commits"]),
    ("An open batch is waited for", "three times the slowest batch", [
        (CROSSING, " 4 * std::max(r_.slowest_batch", " 3 * std::max(r_.slowest_batch")]),
    ("It stays open for late arrivals", "it is closed at once", [
        (SETTLE, "(whole ? record.close_batches : record.settle_batches).push_back(batch.id);",
         "(whole ? record.close_batches : record.close_batches).push_back(batch.id);")]),
    ("It stays open for late arrivals", "flags do not matter", [
        ("engine/settle/twins.cc", "!(as_sent || equal_in_flags(*copy.flags, suspect.entry.flags));",
         "!(as_sent || equal_in_flags(*copy.flags, *copy.flags));")]),
    ("Where a target folder was replaced since", "late copies go all the same", [
        ("engine/settle/twins.cc", " || !batch.uid_next || batch.uid_validity == 0) continue;", " || !batch.uid_next) continue;")]),
    ("It stays open for late arrivals", "what is due under another name goes as well", [
        (SETTLE, "    co_await find_twins(members_.left_its_name() ? all_due() : first);\n",
         "    co_await find_twins(first);\n")]),
    ("It stays open for late arrivals", "that of one which was given up before goes as well", [
        (MEMBERS, "if (!at) left_its_name_", "if (!at && !batch.settled) left_its_name_")]),
    ("It stays open for late arrivals", "what options leave out goes as well", [
        (SETTLE, "    std::erase_if(awaited, [&](std::size_t i) { return !wanted(i); });\n",
         "    std::erase_if(awaited, [&](std::size_t i) { return r_.standing[i] != Standing::due; });\n")]),
    ("It stays open for late arrivals", "the first that comes is anybody's", [
        (MATCH, "if (!dated && by_date_only) break;", "")]),
    ("It stays open for late arrivals", "altered, the first that comes is anybody's", [
        (MATCH, "if (by_date_only || std::ranges::any_of", "if (std::ranges::any_of")]),
    ("It stays open for late arrivals", "the earlier of two goes as well", [
        ("engine/settle/twins.cc", "uid >= suspect.entry.uid) return true;",
         "uid == suspect.entry.uid) return true;")]),
    ("It stays open for late arrivals", "nobody knows how they were sent", [
        ("engine/settle/twins.cc", "const bool as_sent = same_date &&", "const bool as_sent = !same_date &&")]),
    ("It stays open for late arrivals", "dates do not matter", [
        ("engine/settle/twins.cc", "return (dated && !same_date) ||",
         "return (dated && false) ||")]),
    ("The copy of what was removed from the source", "sizes are what was sent", [
        ("engine/settle/orphans.cc", "if (at || !sizes_may_differ) return at;",
         "if (at || !sizes_may_differ || !sizes_may_differ == false) return at;")]),
    ("Without UIDPLUS twins", "they are removed all the same", [
        (SETTLE, "const bool removed = r_.target.traits().uidplus;", "const bool removed = true;")]),
    ("Any other message that equals", "nobody tells", [
        (SETTLE, "    co_await report_equals();\n", "")]),
    ("Any other message that equals", "it is told by every settle", [
        (SETTLE, "return !r_.memory.twins_told.insert(uid).second;",
         "r_.memory.twins_told.insert(uid); return false;"),
        (SETTLE, " && !r_.memory.twins_told.contains(strangers_.uid(at));", ";")]),
    ("The fingerprint folds", "white space counts", [
        ("engine/fingerprint.cc", "if (blank) out += ' ';", "if (blank && false) out += ' ';")]),
    ("The fingerprint folds", "8-bit bytes count", [
        ("engine/fingerprint.cc", "static_cast<unsigned char>(c) >= 0x80 ? 'X' : c", "c")]),
    ("The copy of what was removed from the source", "or of any that has its date", [
        (MATCH, "(same_date(source, target) && may_have_size);",
         "(same_date(source, target) && (may_have_size || target.spoken_for));")]),
    ("A header that another message of the folder has", "it is proof where bytes differ", [
        (MATCH, "  if (group.known_look) return pairs;\n", "")]),
    ("A header that another message of the folder has", "nobody looks at the rows", [
        ("engine/settle/known_looks.cc", "!= row.key) known.insert(index);", "!= row.key) continue;")]),
    ("A deletion that falls into a run", "what was placed since is left out", [
        (CROSSING, "    co_await s_.place_gone(record_.id);\n", "")]),
    ("What this run appended is known", "no header is noted", [
        ("engine/settle/proved_copies.cc", "if (!target.traits().regenerates) co_return;", "co_return;")]),
    ("What this run appended is known", "its bytes prove nothing", [
        ("engine/settle/proved_copies.cc", "row.sha256 == digest->second))", "false))")]),
    ("Where a server rewrites Message-IDs", "the domain counts", [
        (MATCH, "if (traits.rewrites_message_id && fields.message_id)", "if (traits.rewrites_message_id && false)")]),
    ("Size and date only rank", "any header is enough", [
        (MATCH, "  if (group.source.size() != 1) return false;\n", "  return true;\n")]),
    ("Where both have a Received line", "another delivery is the same", [
        (MATCH, "         source.delivery == target.delivery;\n", "         true;\n")]),
    ("A new UIDVALIDITY at either end", "the source's", SIMULATED["the source's UIDVALIDITY is ignored"]),
    ("A new UIDVALIDITY at either end", "the target's", SIMULATED["the target's UIDVALIDITY is ignored"]),
    ("A new UIDVALIDITY at either end", "UIDNEXT", SIMULATED["UIDNEXT that went back is ignored"]),
    ("A new UIDVALIDITY at either end", "another message under a source's UID", [
        (STANDINGS, "moved = moved || is_another(row, entry);", "moved = moved || (is_another(row, entry) && false);"),
        (STANDINGS, "    if (may_be_another(row, entry)) in_question = row;\n", ""),
        (STANDINGS, "    moved = moved || never_given;\n", "    static_cast<void>(never_given);\n")]),
    ("A new UIDVALIDITY at either end", "a size that was left out counts", [
        ("engine/settle/another.cc", "return listed_bytes != 0; }", "return listed_bytes + 1 != 0; }")]),
    ("A new UIDVALIDITY at either end", "another date alone tells nothing", [
        ("engine/settle/witnesses.cc", "if (other_date && keeps_dates) co_return true;", "")]),
    ("A new UIDVALIDITY at either end", "dates tell though none is kept", [
        ("engine/settle/witnesses.cc", "if (other_date && keeps_dates) co_return true;", "if (other_date) co_return true;")]),
    ("UIDNEXT has gone back", "rows do not tell", [
        (SKIP, "    least = std::max(least, Uid{row.target_uid.value + 1});\n", "    static_cast<void>(row);\n")]),
    ("UIDNEXT has gone back", "batches do not tell", [
        (SKIP, "    least = std::max(least, batch.uid_next);\n", "    static_cast<void>(batch);\n")]),
    ("A journal is of its mailboxes", "bytes are not compared", [
        ("engine/crossing/same_account.cc", "          digest != digests.end() && digest->second != *row.sha256)\n",
         "          digest != digests.end() && false)\n")]),
    ("The mapping of a folder stays", "it is decided anew", [
        ("engine/crossing/crossing.cc",
         "      if (record.target_uid_validity) request.decided.emplace(record.source, record.target);\n", "")]),
    ("The mapping of a folder stays", "no plainer name is tried", [
        ("engine/crossing/open_target.cc", "    if (!plainer) break;\n", "    break;\n")]),
    ("A subscription that is refused", "it keeps the folder back", [
        ("engine/crossing/open_target.cc", "if (subscribe) not_subscribed = co_await refusal_of(r.target.subscribe(r.folder.target));",
         "if (subscribe) co_await r.target.subscribe(r.folder.target);")]),
    ("A folder that is opened again", "any will do", [
        ("connectors/imap/party.cc", "  if (folder_.numbers.uid_validity != validity)\n", "  if (false)\n")]),
    ("A folder that is opened again", "nobody asks a STATUS", [
        ("connectors/imap/party.cc", "  if (folder_.validity_apart) {\n", "  if (false) {\n"),
        ("connectors/imap/party.cc", "  if (apart && !asked && !folder", "  if (false && !folder")]),
    ("Where several folders fill one", "each takes what is like it", [
        (SETTLE, "    if (!r_.folder.matched && !strangers_.empty())\n"
                 "      co_await speak_for_others(r_.journal, r_.folder, strangers_, r_.unplaced, r_.orphans);\n", "")]),
    ("A target mailbox that was restored", "others are not told", [
        ("state/store.cc", "WHERE target = (SELECT target FROM account WHERE id = ?))", "WHERE id = ?)")]),
    ("UIDVALIDITY and number of UIDs", "any UIDVALIDITY is believed", [
        ("connectors/imap/append_batch.cc", "if (validity && told->uid_validity != *validity) {",
         "if (validity && false) {")]),
    ("Without UIDPLUS the UIDs", "no settling behind a batch", [
        (CROSSING, "    if (sent.appended == 0) co_return;\n", "    co_return;\n")]),
    ("Without UIDPLUS the UIDs", "what is not found is sent again", [
        (CROSSING, "co_await give_up({key, std::string(folds ? kFoldedUnseen : kNotFoundAgain)});\n",
                   "static_cast<void>(folds), static_cast<void>(key);\n")]),
    ("A source folder that was renamed", "it is another", [
        ("engine/crossing/crossing.cc", "    if (!options_.dry_run) co_await follow_renamed(listed);\n",
         "    if (false) co_await follow_renamed(listed);\n")]),
    ("An OK with a UID that a row names", "it counts as a copy", [
        (TRANSFER, "if (folded) row.origin = Origin::folded;", "static_cast<void>(folded);")]),
    ("A source message is removed only", "the row may be lost", SIMULATED["DELE before the row is durable"]),
    ("Source and target may be one mailbox", "all leave at once", [
        ("engine/removal/after_copy.cc", "    if (r_.two_mailboxes) co_return;\n", "    co_return;\n")]),
    ("What this run appended is known", "by its size and date", [
        ("engine/removal/after_copy.cc", "    const bool ours = row.origin == Origin::appended && row.run == r_.run;\n", "    const bool ours = false;\n")]),
    ("A source message is removed only", "its copy need not be seen", [
        ("engine/removal/after_copy.cc",
         "at->uid != row.target_uid) {\n        left_.emplace(row.key, LeftBecause::copy_gone);",
         "at->uid != row.target_uid) {\n        seen.push_back(std::move(row));")]),
    ("What stays at the source for want of a copy", "a name that may be another's is let go", [
        ("engine/removal/left_behind.cc", "if (may_be_let_go(failure)) keys.push_back(key);", "keys.push_back(key);")]),
    ("What stays at the source for want of a copy", "retry does not send it", [
        ("engine/crossing/standings.cc", "if (options_.only_failed && !row.accepted && row.run != run_)", "if (false)")]),
    ("Without a journal what users removed", "it is not said", [
        (CROSSING, "if (r_.first_run && due() > 0 && target_numbers_.messages.value_or(0) > 0) {", "if (false) {")]),
    ("What a server refuses for all of a folder", "as if the line were lost", [
        ("connectors/imap/append_batch.cc", "      batch.folder_refused = status;\n",
         "      throw session_.refused(status, \"APPEND\");\n")]),
    ("A folder is passed over only", "other options", SIMULATED["options are no matter for the skip"]),
    ("A folder is passed over only", "a batch is open", [
        (SKIP, " || record.batches_open)", ")"),
        (CROSSING, "      open = open || !over;\n", "")]),
    ("A folder is passed over only", "something failed", [
        (CROSSING, "tally.pending == 0 && tally.rejected == tally.accepted && !open", "tally.pending == 0 && !open")]),
    ("if the source's UIDVALIDITY", "UIDVALIDITY", [
        (SKIP, "         now.uid_validity == then.uid_validity && now.uid_next", "         now.uid_next")]),
    ("if the source's UIDVALIDITY", "UIDNEXT", [
        (SKIP, "now.uid_next == then.uid_next &&", "true &&")]),
    ("if the source's UIDVALIDITY", "count", [
        (SKIP, "         now.messages == then.messages;", "         true;")]),
    ("if the source's UIDVALIDITY", "HIGHESTMODSEQ", [
        (SKIP, "now.highest_modseq.value_or(0) > 1 && now.highest_modseq == then.highest_modseq;",
         "now.highest_modseq.value_or(0) > 1 && then.highest_modseq.has_value();")]),
    ("if the source's UIDVALIDITY", "of the end", SIMULATED["HIGHESTMODSEQ from the end"]),
    ("if HIGHESTMODSEQ is there", "0 and 1 will do", [
        (SKIP, "now.highest_modseq.value_or(0) > 1 && now.highest_modseq", "now.highest_modseq")]),
    ("A folder without UIDs", "its number is no matter", [
        (SKIP, "  if (without_uids) return tracked(now, then) && then.messages", "  if (without_uids) return then.messages")]),
    ("and if the target's UIDVALIDITY", "UIDVALIDITY", [
        (SKIP, "  if (record.target_uid_validity != target.uid_validity ||\n", "  if (\n")]),
    ("and if the target's UIDVALIDITY", "UIDNEXT", [
        (SKIP, "Uid{*target.uid_next} != record.target_uid_next_seen || record", "record")]),
    ("Where CONDSTORE is offered", "counts need not add up", [
        (STANDINGS, "  if (still_there > record.completed_present) co_return false;\n", "")]),
    ("Where CONDSTORE is offered", "nobody vouches for the UIDs", [
        (STANDINGS, "  if (old == 0 && still_there > 0) co_return false;  // no recorded one vouches for the UIDs\n", "")]),
    ("Where CONDSTORE is offered", "a HIGHESTMODSEQ that went back", [
        (STANDINGS, "                       begun.highest_modseq >= then.highest_modseq;",
         "                       true;"),
        (SKIP, "            now.highest_modseq.value_or(UINT64_MAX) < then.highest_modseq.value_or(0));",
         "            false);")]),
    ("Where CONDSTORE is offered", "one that stands still", [
        (STANDINGS, "  if (fresh > 0 && begun.highest_modseq == then.highest_modseq) co_return false;\n", "")]),
    ("What the source gained is added", "flags are replaced", SIMULATED["flags are replaced"]),
    ("What the source gained is added", "what it lost stays", [
        (FOLLOW, "for (bool add : {true, false}) {", "for (bool add : {true}) {")]),
    ("What the source gained is added", "the listing's flags are the last", [
        (TRANSFER, "    note_flags(message);\n", "")]),
    ("Keywords compare without case", "with case", [
        ("engine/model.cc", "    if (lower(a[i]) != lower(b[i])) return lower(a[i]) < lower(b[i]) ? -1 : 1;",
         "    if (lower(a[i]) != lower(b[i]) || a[i] != b[i]) return a[i] < b[i] ? -1 : 1;")]),
    ("Keywords compare without case", "an APPEND is not repeated", [
        ("connectors/imap/appender.cc", "if (!batch.results[index] && keywords > 0) {", "if (false && keywords > 0) {")]),
    ("if no folder of either end went back", "nobody doubts the others", [
        ("engine/crossing/crossing.cc", "    if (source_back || target_went_back(folders_, records_)) {\n",
         "    if (source_back && target_went_back(folders_, records_)) {\n")]),
    ("Nothing to do costs", "each folder is opened", [
        ("engine/crossing/due.cc", "      if (same.contains(index)) {\n", "      if (false) {\n")]),
    ("What changed is followed in few round trips", "deletions go one after the other", [
        ("engine/crossing/deletions.cc", "    co_await side_by_side(lanes, ends, options, stop, ledger);\n".replace("    ", "  ", 1), "")]),
    ("Where each message waits", "one session does it all", [
        ("engine/crossing/crossing.cc", "    crew_helps_ = target_far && lane.target->traits().waits_for_each;\n", "")]),
    ("Where each message waits", "a handful is worth another session", [
        ("engine/crossing/sending.cc", "r_.wanted.size() > crossing_.options.alone_up_to;", "!r_.wanted.empty();")]),
    ("A dry run tells", "only what it would copy", [
        (CROSSING, "    if (r_.options.dry_run) co_return co_await foretell();\n", "    if (r_.options.dry_run) co_return;\n")]),
    ("Deletions are mirrored only", "also adopted ones", SIMULATED["mirror removes what was adopted"]),
    ("Deletions are mirrored only", "also unasked", [
        (STANDINGS, "if (options_.mirror_deletions && left_alone) gone.push_back(row);",
         "if (left_alone) gone.push_back(row);"),
        ("engine/crossing/crossing.cc", "mirrors_ = options_.mirror_deletions;", "mirrors_ = true;")]),
    ("Deletions are mirrored only", "also changed ones", [
        (FOLLOW, "if (entry && !is_copy_of(row, *entry) && !proved.contains(row.target_uid)) {", "if (false) {")]),
    ("Deletions are mirrored only", "missing once is enough", [
        (FOLLOW, "return holds(again, row.key.uid()); });", "return holds(again, row.key.uid()) && false; });")]),
    ("Never where we removed", "what we removed", [
        (STANDINGS, "const bool left_alone = row.state < MessageState::leaving;", "const bool left_alone = true;"),
        (STANDINGS, "  std::erase_if(gone, [](const MessageRow& row) { return row.state >= MessageState::leaving; });\n", "")]),
    ("Never where we removed", "a folder was missing", [
        ("engine/crossing/deletions.cc", "if (doubted_) missing_.clear();", "doubted_ = false;")]),
    ("Never where we removed", "POP3", [
        (FOLLOW, " && row.key.is_uid();", ";"),
        (FOLLOW, "return holds(again, row.key.uid()); });",
         "return row.key.is_uid() && holds(again, row.key.uid()); });"),
        (CROSSING, "if (begun_.uid_validity.value_or(0) == 0 || there == 0) {", "if (there == 0) {")]),
    ("More than a tenth of a folder", "unforced", [
        ("engine/crossing/deletion_guard.cc", "return gone > kFloor && gone * kShare > there_were;", "return gone > kFloor && kShare > there_were;")]),
    ("More than half of a folder", "unforced", [
        ("engine/crossing/deletion_guard.cc", "return gone > kFloor && gone * 2 > there_were;", "return gone > kFloor && gone > there_were;")]),
    ("More than half of a folder", "though it was only moved", [
        ("engine/crossing/deletion_guard.cc", "lost_[at->second].elsewhere = true;", "lost_[at->second].elsewhere = false;")]),
    ("Without UIDPLUS what is gone", "expunged all the same", [
        (IMAP_TARGET, "return expunge_all(party_, std::move(uids), traits_.uidplus);",
         "return expunge_all(party_, std::move(uids), true);")]),
    ("Without UIDPLUS what is gone", "and not said", [
        (FOLLOW, "if (!uids.empty() && !r.target.traits().uidplus)", "if (false)")]),
    ("A UIDL given to another message", "names are believed", [
        (RECOGNISE, "    if (sent_away(row) || was_away(row) || listed_bytes(row) != listed_bytes(*index) ||\n"
         "        may_leave(row))\n",
         "    if (false)\n")]),
    ("A UIDL given to another message", "what leaves is not looked at", [
        (RECOGNISE, " ||\n        may_leave(row))\n", ")\n")]),
    ("A UIDL given to another message", "the last name is believed", [
        (RECOGNISE, "    if (last != named_.rend()) {\n", "    if (false) {\n")]),
    ("A UIDL given to another message", "names that were away", [
        (RECOGNISE, "    if (missing_ > 0 && !r_.source.windowed()) co_await note_who_left();\n", "")]),
    ("A UIDL given to another message", "order means nothing", [
        (RECOGNISE, "    co_await doubt_who_is_out_of_order();\n", "")]),
    ("A UIDL given to another message", "what bears the name is a candidate again", [
        (RECOGNISE, "r_.catalogue.key(index) == row.key; });", "false && r_.catalogue.key(index) == row.key; });")]),
    ("Renumbered accounts", "nobody looks", [
        (RECOGNISE, "    co_await find_moved();\n", "")]),
    ("Renumbered accounts", "only with their sizes", [
        (RECOGNISE, "if (look.strong && (same_size || look.delivered)) co_return index;",
         "if (look.strong && same_size) co_return index;")]),
    ("LIST sizes that lie", "another size is another message", [
        (RECOGNISE, "if (equal && proves) {",
         "static_cast<void>(proves);\n      if (equal && listed_bytes(row) == listed_bytes(index)) {"),
        (RECOGNISE, "} else if (!equal && row.header && listed_bytes(row) != listed_bytes(index)) {",
         "} else if (listed_bytes(row) != listed_bytes(index)) {"),
        (RECOGNISE, "    co_await find_moved();\n", "")]),
    ("The last message of a nightly run", "all headers are read", [
        (RECOGNISE, "    if (sent_away(row) || was_away(row) || listed_bytes(row) != listed_bytes(*index) ||\n        may_leave(row))\n",
         "    if (true)\n")]),
    ("UIDLs may be blank", "they name what they name", [
        ("connectors/pop3/listing.cc", "  if (ambiguous.empty()) co_return;\n", "  if (ambiguous.size() < 1000) co_return;\n")]),
    ("Servers that show windows", "asked once", [
        ("engine/crossing/windows.cc", "  if (certain_) return true;\n", "  if (certain_) return false;\n")]),
    ("QUIT's answer decides", "a lost one counts as done", [
        ("engine/removal/after_copy.cc", "if (removal.how == Removal::How::unknown)", "if (false)")]),
    ("Throttling is waited for", "as long as we like", [
        ("engine/crossing/retry.cc", "  if (error.retry_after()) return std::min(",
         "  if (error.retry_after() && false) return std::min(")]),
    ("Throttling is waited for", "always as long", [
        ("engine/crossing/retry.cc", "milliseconds(1000) * (1 << doublings)", "milliseconds(1000) * (1 + 0 * doublings)")]),
    ("Fewer connections than sessions", "a failure", [
        ("engine/crossing/lanes.cc", "if ((connecting || crowded) && lanes_alive_ > 1 &&", "if (false && (connecting || crowded) &&")]),
    ("A full target stops the account", "the next folder is tried", [
        ("engine/crossing/retry.cc", "    case ErrorKind::auth:\n    case ErrorKind::quota:\n", "    case ErrorKind::auth:\n"),
        ("engine/crossing/retry.cc", "    case ErrorKind::rejected:\n", "    case ErrorKind::rejected:\n    case ErrorKind::quota:\n")]),
    ("A message on which a server hangs up", "nobody halves", [
        ("engine/crossing/poison.cc", "    at_once_ = std::clamp(under_way.messages / kShare, std::size_t{1}, kFirstPart);\n    return true;\n",
         "    return kShare > kFirstPart;\n")]),
]


def rules():
    """Each rule's text, and its tests."""
    found = {}
    rule = None
    for line in (TOP / "tests/rules.md").read_text().splitlines()[4:]:
        if line.startswith("- "):
            found[rule].append(line[2:])
        elif line and not line.startswith("#"):
            rule = line
            found[rule] = []
    return found


def unit_tests():
    """Each unit test's name, and the box whose program has it."""
    names = {}
    for path in sorted((TOP / "tests").glob("*/*.cc")):
        for words in re.findall(r'TEST_CASE(?:_METHOD)?\(\s*(?:\w+,\s*)?((?:"(?:[^"\\]|\\.)*"\s*)+)',
                                path.read_text()):
            names["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', words))] = path.parent.name
    return names


def tests_of(beginning, listed):
    found = [rule for rule in listed if rule.startswith(beginning)]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} rules begin with {beginning!r}")
    return listed[found[0]]


def check_all(listed):
    text = (TOP / "tests/rules.md").read_text()
    for section in PROVED:
        for rule in re.findall(r"^(?![-#]).+(?=\n- )", text.split(f"\n## {section}\n")[1].split("\n## ")[0], re.M):
            if not any(rule.startswith(beginning) for beginning, _, _ in RULES):
                raise SystemExit(f"no clause of this rule is taken out: {rule}")
    for beginning, clause, edits in RULES:
        tests_of(beginning, listed)
        for file, old, _ in edits:
            times = (TOP / file).read_text().count(old)
            if times != 1:
                raise SystemExit(f"{beginning} ({clause}): {file} has it {times} times: {old!r}")


def runs(command):
    """Whether a test passes, and what it printed."""
    try:
        done = subprocess.run(command, timeout=300, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    except subprocess.TimeoutExpired:
        return False, ""
    return done.returncode == 0, done.stdout


def failing(copy, names, known):
    """The first of these tests that fails, or None."""
    units = [(known[name], name) for name in names if name in known]
    copy.build(*sorted({"tests_" + box for box, _ in units}), "postferry")
    for box, name in units:
        name = name.replace('\\\\', '\\')
        spec = re.sub(r'([\[\],"\\*~])', r"\\\1", name)
        passed, printed = runs([copy.build_dir / "tests" / ("tests_" + box), spec])
        if "No test cases matched" in printed:
            raise SystemExit(f"{box} has no test {name!r}")
        if not passed:
            return name
    for name in names:
        if name in known:
            continue
        passed, printed = runs([sys.executable, TOP / "tests/system/run.py", "--no-install",
                                "--postferry", copy.build_dir / "postferry",
                                "--filter", max(re.split(r"{\w+}", name), key=len)])
        if re.search(r"^0 passed, 0 failed", printed, re.MULTILINE):
            raise SystemExit(f"there is no test {name!r}")
        if not passed:
            return name
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", help="rules and clauses that contain this")
    parser.add_argument("--dir", type=pathlib.Path, default=TOP / "build/rules")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--after", type=int, default=0, help="leave so many out")
    arguments = parser.parse_args()
    listed, known = rules(), unit_tests()
    check_all(listed)
    chosen = [one for one in RULES if not arguments.only or arguments.only in one[0] + ": " + one[1]]
    chosen = chosen[arguments.after:]
    if arguments.list:
        print("\n".join(f"{beginning}: {clause}" for beginning, clause, _ in chosen))
        return 0
    copy = Copy(arguments.dir, "debug")
    missed = 0
    for beginning, clause, edits in chosen:
        copy.apply(edits)
        try:
            test = failing(copy, tests_of(beginning, listed), known)
            said = test or "no test fails"
        except SystemExit as broken:  # tell the others, too
            test, said = None, str(broken)
        finally:
            copy.undo()
        missed += test is None
        print(f"{'ok  ' if test else 'MISS'} {beginning}: {clause}  -> {said}", flush=True)
    print(f"{len(chosen)} clauses, {missed} that no test of their own misses")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
