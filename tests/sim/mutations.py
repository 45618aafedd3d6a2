#!/usr/bin/env python3
"""Proves that the simulator's checks bite: breaks one rule of exactness at a time in a copy of the
tree, and plays schedules until one goes wrong.

    tests/sim/mutations.py [--only NAME] [--seed S] [--count N] [--dir DIR] [--list]

Each mutation is a few lines of text; one that no longer applies is an error, never skipped (--list
looks at all of them).  A seed that fails without the mutation, too, finds nothing.  Prints a table: the mutation, after how many schedules it was found, and by which complaint.  The exit
status is 1 if one was not found within N (100000) schedules.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
CROSSING = "engine/crossing/folder_crossing.cc"
SETTLE = "engine/settle/settle.cc"
TRANSFER = "engine/crossing/transfer.cc"

# Name: (file, what is there exactly once, what stands there instead), ...
MUTATIONS = {
    "settle is skipped": [
        (CROSSING, "    co_await settle_folder(target_numbers_);\n", "")],
    "settle before the catalogue": [
        (SETTLE, "co_await match(everything_due(), std::move(known));", "co_await match(these(members_.awaited()));")],
    "no wait for late commits": [
        (SETTLE, "    co_await wait_for_open_batches();\n", "")],
    "batch row after the send": [
        (TRANSFER, """  batch.id = co_await r_.journal.open_batch(r_.target_folder, std::move(row));
""", "  batch.id = ++unsent_;\n"),
        (TRANSFER, """  Record record;
  record.folder = r_.folder.id;
  record.target_folder = r_.target_folder;
  std::uint64_t copied = 0, bytes = 0;
""", """  OpenBatch late;
  late.folder = r_.folder.id;
  late.uid_validity = r_.target_uid_validity;
  late.uid_next = r_.target_uid_next;
  late.run = r_.run;
  for (const Message& message : batch.messages) {
    late.keys.push_back(message.key);
    late.flags.push_back(message.flags);
  }
  batch.id = co_await r_.journal.open_batch(r_.target_folder, std::move(late));
  Record record;
  record.folder = r_.folder.id;
  record.target_folder = r_.target_folder;
  std::uint64_t copied = 0, bytes = 0;
"""),
        ("engine/crossing/transfer.h", " private:\n", " private:\n  std::int64_t unsent_ = 0;\n")],
    "watermark from UIDNEXT": [
        (SETTLE, """          std::max(result_.watermark, Uid{entries.uid(entries.size() - 1).value + 1});
""", """          std::max(result_.watermark, Uid{entries.uid(entries.size() - 1).value + 1});
    result_.watermark = std::max(result_.watermark, co_await r_.target.uid_next());
""")],
    "watermark early": [
        (SETTLE, """    co_await find_twins(members_.left_its_name() ? all_due() : unplaced_due());
""", """    co_await find_twins(members_.left_its_name() ? all_due() : unplaced_due());
    Record early;
    early.folder = r_.folder.id;
    early.target_folder = r_.target_folder.id;
    early.watermark = result_.watermark;
    co_await r_.journal.record(std::move(early));
""")],
    "the source's UIDVALIDITY is ignored": [
        (CROSSING, "if (begun_.uid_validity && record_.source_uid_validity != begun_.uid_validity) {",
         "if (begun_.uid_validity && !record_.source_uid_validity) {")],
    "the target's UIDVALIDITY is ignored": [
        (CROSSING, "target_folder_.uid_validity && *target_folder_.uid_validity != validity;",
         "false;")],
    "UIDNEXT that went back is ignored": [
        (CROSSING, "      went_back = Uid{*target_numbers_.uid_next} < least;\n",
         "      static_cast<void>(least);\n"),
        (SETTLE, "witnesses_ = co_await r_.journal.last_rows(r_.target_folder.id, kWitnesses);",
         "static_cast<void>(kWitnesses);")],
    "no multiset": [
        ("engine/settle/match.cc", """      targets.erase(at);
      return true;
""", "      return true;\n")],
    "HIGHESTMODSEQ from the end": [
        (CROSSING, "whole ? std::optional(begun_) : std::nullopt",
         "whole ? std::optional((co_await r_.source.open_with_catalogue("
         "r_.folder.source.name)).numbers) : std::nullopt")],
    "options are no matter for the skip": [
        ("engine/crossing/skip.cc", "  return record.options_hash == noted_under(",
         "  return true || record.options_hash == noted_under(")],
    "mirror removes what was adopted": [
        ("engine/settle/follow.cc", "return row.origin == Origin::appended && row.target_uid && row.key.is_uid();",
         "return row.target_uid && row.key.is_uid();")],
    "flags are replaced": [
        ("connectors/imap/store.cc", 'change.add ? "+FLAGS.SILENT (" : "-FLAGS.SILENT ("',
         'change.add ? "FLAGS.SILENT (" : "-FLAGS.SILENT ("')],
    "DELE before the row is durable": [
        ("engine/removal/after_copy.cc", "leaving);\n    co_await r_.journal.make_durable();\n    Removal removal = co_await r_",
         "leaving);\n    Removal removal = co_await r_"),
        ("engine/removal/after_copy.cc", "    co_await r_.journal.make_durable();\n    OneAhead tried = co_await send_one_ahead(",
         "    OneAhead tried = co_await send_one_ahead(")],
    "no share for the head of the line": [
        ("engine/room.cc", "return admitted_ == 0 || (room_.has(bytes) && admitted_ + bytes <= room_.most_of_one());",
         "return room_.has(bytes) && admitted_ + bytes <= room_.most_of_one();")],
    "message data without bound": [
        ("engine/room.cc", "return admitted_ == 0 || (room_.has(bytes) && admitted_ + bytes <= room_.most_of_one());", "return bytes > 0;")],
    "copies that stay without UIDPLUS are not told": [
        (SETTLE, """    note(counted(twins.size(), "message", "messages") +
         " arrived twice""", """    if (removed)
      note(counted(twins.size(), "message", "messages") +
         " arrived twice""")],
    "without UIDPLUS no UID is learned": [
        (CROSSING, "    if (sent.appended == 0) co_return;\n",
         "    if (sent.appended == 0 || !r_.target.traits().uidplus) co_return;\n")],
    "rows are void before their copies are found": [
        (CROSSING, """        note(Level::warning, "the source's UIDVALIDITY changed; its messages are matched anew");
        co_await void_keys();
""", """        note(Level::warning, "the source's UIDVALIDITY changed; its messages are matched anew");
        co_await void_keys();
        noted.void_keys = true;
        noted.source_uid_validity = begun_.uid_validity;
""")],
}

# The same, found by schedules to a relay.
RELAY = "engine/relay/folder.cc"
RELAY_MUTATIONS = {
    "unknown SMTP resent": [
        ("engine/relay/fates.cc", "options_.resend_unknown && row.run != run_ ? Fate::due : Fate::unknown;", "Fate::due;")],
    "intent row not durable before DATA": [
        (RELAY, "    co_await r_.ends.journal.make_durable();\n", "")],
    "a lost answer means that nothing was sent": [
        ("connectors/smtp/transaction.cc", "      if (!ended_) throw;\n      co_return done(Undecided{lost.message()}, false);\n",
         "      throw;\n"),
        ("connectors/smtp/transaction.cc", """      co_return done(Undecided{"the answer to the whole message was lost: " + lost.message()},
                     false);
""", "      throw;\n")],
}
MUTATIONS |= RELAY_MUTATIONS


class Copy:
    """A tree of its own; what a mutation changed is put back after it."""

    def __init__(self, path, preset):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        for name in subprocess.run(["git", "ls-files"], cwd=TOP, check=True, text=True,
                                   stdout=subprocess.PIPE).stdout.splitlines():
            source, copy = TOP / name, path / name
            if not source.is_file():
                continue
            if copy.is_file() and copy.read_bytes() == source.read_bytes():
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        self.build_dir = path / "build" / preset
        subprocess.run(["cmake", "--preset", preset], cwd=path, check=True,
                       stdout=subprocess.DEVNULL)

    def apply(self, edits):
        self.before = {}
        for name, old, new in edits:
            file = self.path / name
            text = file.read_text()
            self.before.setdefault(name, text)
            file.write_text(text.replace(old, new))

    def undo(self):
        for name, text in self.before.items():
            (self.path / name).write_text(text)

    def build(self, *targets):
        done = subprocess.run(["cmake", "--build", self.build_dir, "--target", *targets],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise SystemExit("it does not build:\n" + done.stdout[-3000:])


def find(program, sound, seed, count, kind):
    """After how many schedules of a kind something went wrong that does not in the sound program, and what; or None."""
    with subprocess.Popen([program, *kind, "--seed", str(seed), "--count", str(count)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as playing:
        for line in playing.stdout:
            if line.startswith("seed "):
                number, complaint = line[5:].split(": ", 1)
                if subprocess.run([sound, *kind, "--seed", number], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode:
                    continue
                playing.kill()
                return int(number) - seed + 1, complaint.strip()
    if playing.returncode < 0:  # it crashed, which is a way to be found
        return count, f"the program ended with status {playing.returncode}"
    return None


def check_all():
    """Ends with an error where a mutation no longer applies."""
    for name, edits in MUTATIONS.items():
        for file, old, _ in edits:
            times = (TOP / file).read_text().count(old)
            if times != 1:
                raise SystemExit(f"{name}: {file} has it {times} times instead of once: {old!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", action="append", help="one mutation, by its name")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--dir", type=pathlib.Path, default=TOP / "build/mutations")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    check_all()
    if arguments.list:
        print("\n".join(MUTATIONS))
        return 0
    copy = Copy(arguments.dir, "release")
    program = copy.build_dir / "tests/sim/postferry-sim"
    sound = arguments.dir / "sound-sim"
    copy.build("postferry-sim")
    shutil.copy(program, sound)
    missed = 0
    for name in arguments.only or MUTATIONS:
        copy.apply(MUTATIONS[name])
        try:
            copy.build("postferry-sim")
            kind = ["--relay"] if name in RELAY_MUTATIONS else []
            found = find(program, sound, arguments.seed, arguments.count, kind)
        finally:
            copy.undo()
        if found is None:
            missed += 1
        after, complaint = found or ("-", "not found")
        print(f"{name:44} {after!s:>7}  {complaint[:100]}", flush=True)
    print(f"{len(arguments.only or MUTATIONS)} mutations, {missed} not found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
