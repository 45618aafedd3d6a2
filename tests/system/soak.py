#!/usr/bin/env python3
"""A soak: for MINUTES one account is carried again and again, while users change both sides and the
program, the lines and the servers are killed at random.  Every minute all is left in peace until a run
completes; then each message must be where it belongs, once, byte for byte, with its flags and date.

    python3 tests/system/soak.py --postferry build/release/postferry [--minutes 60] [--seed N]

Prints a line for each check and a summary; exit status 1 if a check fails or memory grows.
"""
import argparse
import collections
import contextlib
import dataclasses
import pathlib
import random
import re
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
import load  # noqa: E402
import mailbox as mailboxes  # noqa: E402
from harness import Endpoint, Failed, expect, fill, logged_in, url  # noqa: E402
from verify import Account  # noqa: E402
from wire import ImapError, quoted  # noqa: E402

FOLDERS = ("INBOX", "Work", "Lists/tide", "Sent")
MOST = 900       # messages of a folder before deletions outweigh arrivals
OWN = "mine"     # the keyword that only the target's user sets
FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "$Forwarded", "ToDo")
QUIET_S = 60     # between checks
GROWTH_MIB = 8   # what the last third of the runs may need more than the first


@dataclasses.dataclass
class Known:
    """What users did that the source alone does not tell, by folder and Message-ID."""
    expunged: set = dataclasses.field(default_factory=set)  # at the source
    removed: set = dataclasses.field(default_factory=set)   # on the target: must not come back
    own: set = dataclasses.field(default_factory=set)       # marked by the target's user
    foreign: set = dataclasses.field(default_factory=set)   # delivered to the target
    unsure: set = dataclasses.field(default_factory=set)    # the same, when the server died on it


class Users:
    """Changes both sides from a thread of its own, except while paused."""

    def __init__(self, here, there, seed):
        self._here, self._there, self._random = here, there, random.Random(f"{seed}/users")
        self._maker, self._target_maker = mailboxes.Maker(f"{seed}/source"), mailboxes.Maker(f"{seed}/target")
        self.known, self.changes = Known(), collections.Counter()
        self._running, self._over = threading.Event(), threading.Event()
        self._busy, self._error = threading.Lock(), None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def go(self):
        self._running.set()

    def pause(self):
        self._running.clear()
        with self._busy:
            if self._error:
                raise self._error

    def stop(self):
        self._over.set()
        self._running.set()
        self._thread.join()

    def _work(self):
        changes = [self._arrive] * 4 + [self._flag] * 4 + [self._expunge] * 3 + [self._mark] * 2 + [self._deliver]
        while not self._over.is_set():
            self._running.wait()
            with self._busy:
                if self._running.is_set() and not self._over.is_set():
                    try:
                        self._random.choice(changes)()
                    except (OSError, ImapError):
                        self.changes["lost by a dying server"] += 1
                    except Exception as error:  # told by the next pause
                        self._error = error
                        return
            time.sleep(self._random.uniform(0, 0.3))

    @contextlib.contextmanager
    def _selected(self, end):
        with logged_in(end) as imap:
            folder = self._random.choice(FOLDERS)
            answer = imap.command(f"SELECT {quoted(folder)}")
            count = next(int(line.split()[1]) for line in answer.lines if line.endswith(b"EXISTS"))
            yield imap, folder, count

    def _some(self, count, most):
        return sorted(self._random.sample(range(1, count + 1), min(count, self._random.randint(1, most))))

    def _names(self, imap, folder, numbers):
        answer = imap.command(f"FETCH {','.join(map(str, numbers))} (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        return {(folder, parts[0].decode().strip()) for parts in answer.literals if parts}

    def _arrive(self):
        with self._selected(self._here) as (imap, folder, count):
            for _ in range(self._random.randint(1, 25 if count < MOST else 3)):
                size = self._random.choice([600, 900, 3000, 20_000, 60_000])
                size = 2_000_000 if self._random.random() < 0.01 else size
                message = self._maker.message("", self._maker.ordinary(size))
                imap.append(folder, message.data, message.flags + message.keywords, load.date_time(message))
                self.changes["arrived"] += 1

    def _flag(self):
        with self._selected(self._here) as (imap, folder, count):
            if count:
                numbers = ",".join(map(str, self._some(count, 20)))
                imap.command(f"STORE {numbers} {self._random.choice('+-')}FLAGS ({self._random.choice(FLAGS)})")
                self.changes["flags"] += 1

    def _expunge(self):
        with self._selected(self._here) as (imap, folder, count):
            if count > MOST // 3:
                numbers = self._some(count, 6 if count < MOST else 40)
                self.known.expunged |= self._names(imap, folder, numbers)
                imap.command("STORE 1:* -FLAGS.SILENT (\\Deleted)")
                imap.command(f"STORE {','.join(map(str, numbers))} +FLAGS (\\Deleted)")
                imap.command("EXPUNGE")
                self.changes["expunged"] += len(numbers)

    def _mark(self):
        with self._selected(self._there) as (imap, folder, count):
            if count:
                numbers = self._some(count, 5)
                self.known.own |= self._names(imap, folder, numbers)
                imap.command(f"STORE {','.join(map(str, numbers))} +FLAGS ({OWN})")
                self.changes["marked on the target"] += len(numbers)

    def _deliver(self):
        with self._selected(self._there) as (imap, folder, _):
            data = self._target_maker.ordinary(800)
            name = next(line for line in data.split(b"\r\n") if line.lower().startswith(b"message-id")).decode()
            self.known.unsure.add((folder, name))
            imap.append(folder, data)
            self.known.foreign.add((folder, name))
            self.changes["delivered to the target"] += 1

    def remove_on_target(self):
        """Only after a whole run: what has no row yet may lawfully come back."""
        with self._selected(self._there) as (imap, folder, count):
            numbers = self._some(count, 5) if count else []
            names = self._names(imap, folder, numbers) if numbers else set()
            if numbers and not names & self.known.foreign:
                self.known.removed |= names
                answer = imap.command(f"FETCH {','.join(map(str, numbers))} (UID)")
                uids = ",".join(re.search(rb"UID (\d+)", line).group(1).decode() for line in answer.lines)
                imap.command(f"UID STORE {uids} +FLAGS (\\Deleted)")
                imap.command(f"UID EXPUNGE {uids}")  # not what the source has marked
                self.changes["removed on the target"] += len(numbers)


def contents(endpoint):
    """{(folder, Message-ID): [message]} of an account."""
    found = collections.defaultdict(list)
    with contextlib.closing(Account(endpoint)) as account:
        for path in account.folders:
            for message in account.messages(path):
                found["/".join(path), message.name].append(message)
    return found


def check(here, there, known):
    """Raises Failed unless every message is where it belongs; returns a line of figures."""
    source, target = contents(here), contents(there)
    for key, messages in source.items():
        copies = target.get(key, [])
        wanted = 0 if key in known.removed else 1
        expect(len(messages) == 1 and len(copies) == wanted, f"{key}: {len(copies)} copies instead of {wanted};",
               "source UIDs", [m.uid for m in messages], "target UIDs", [m.uid for m in copies])
        for one, copy in zip(messages, copies):
            keywords = copy.keywords - {OWN}
            expect((one.digest, one.when) == (copy.digest, copy.when), f"{key} differs:", one, copy)
            expect((one.flags, one.keywords) == (copy.flags, keywords), f"{key} has other flags:", one, copy)
            expect(key not in known.own or OWN in copy.keywords, f"{key} has lost the user's mark")
    for key in known.foreign:
        expect(len(target.get(key, [])) == 1, f"{key}, delivered to the target, is there {len(target.get(key, []))} times")
    rest = {key for key in target if key not in source and key not in known.unsure}
    expect(rest <= known.expunged, "nobody knows", list(rest - known.expunged)[:3])
    expect(all(len(target[key]) == 1 for key in rest), "doubled, and gone from the source:",
           [key for key in rest if len(target[key]) != 1][:3])
    # What was expunged between its APPEND and its row belongs to nobody; it stays, as others' mail does.
    return f"{len(source)} messages equal, {len(rest)} gone from the source too early to follow"


class Soak:
    def __init__(self, world, seed, minutes):
        self._world, self._random = world, random.Random(f"{seed}/faults")
        self._ends_at = time.monotonic() + minutes * 60
        self.faults, self.peaks, self.twins, self.checks, self.runs = collections.Counter(), [], 0, 0, 0

    def run(self, seed):
        with self._world.private() as source, self._world.private() as target:
            user = self._world.user(source, target, stem="soak")
            maker = mailboxes.Maker(f"{seed}/start")
            fill(source, user, mailboxes.Mailbox([mailboxes.Folder(tuple(name.split("/")), [
                maker.message("", maker.ordinary(maker.random.randrange(500, 8000)), flags=("\\Seen",)) for _ in range(400)])
                for name in FOLDERS]))
            self._servers = source, target
            here, there = Endpoint.of(source, user), Endpoint.of(target, user)
            with self._world.proxy(source.imap, target.imap, delay_ms=2, mb_per_second=3, cut_after=1 << 40) as self._proxy:
                self._argv = self._world.argv(*(url(end, user, port=self._proxy[end.imap]) for end in self._servers),
                                              "--deletions", "mirror", "--force-deletions", "--timeout", "20",
                                              journal=self._world.journal())
                self._in_peace()  # so that the target has the folders
                users = Users(here, there, seed)
                try:
                    while time.monotonic() < self._ends_at:
                        users.go()
                        until = min(self._ends_at, time.monotonic() + QUIET_S)
                        while time.monotonic() < until:
                            self._round()
                        users.pause()
                        self._in_peace()
                        print(f"ok   {self.runs} runs: {check(here, there, users.known)}", flush=True)
                        users.remove_on_target()
                        self.checks += 1
                finally:
                    users.stop()
            return users.changes

    def _in_peace(self):
        """Runs until one completes, and once more, which copies nothing."""
        for _ in range(2):
            run = self._note(self._world.run(self._argv, timeout=300).expect_code(0).expect_balance())
        run.expect_counts(copied=0)

    def _note(self, run):
        self.runs += 1
        if run.out:
            self.twins += run.expect_balance().messages["twins"]
        if run.code == 0:
            self.peaks.append(run.peak_mib)
        return run

    def _round(self):
        process = self._world.start(self._argv)
        fault = self._random.choices(["none", "kill -9", "SIGTERM", "cut lines", "source killed", "target killed"],
                                     [6, 10, 3, 4, 1, 1])[0]
        time.sleep(self._random.choice([self._random.uniform(0, 0.2), self._random.uniform(0, 1.5)]))
        met = self._world.alive(process)
        if fault == "kill -9":
            self._world.signal(process, signal.SIGKILL)
        elif fault == "SIGTERM":
            self._world.signal(process, signal.SIGTERM)
        elif fault == "cut lines":
            self._proxy.cut_now()
        elif fault != "none":
            server = self._servers[fault == "target killed"]
            server.kill()
            time.sleep(self._random.uniform(0, 1))
            server.start()
        self.faults[fault] += met
        run = self._note(self._world.finish(process, timeout=300))
        expect(run.code in (0, 75, 69, 130, -9, -15), f"{fault}:", run)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postferry", required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--work", help="folder for servers and mail (default: /dev/shm, else the system's)")
    a = parser.parse_args()
    harness.set_no_core_dumps()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    world = harness.World(pathlib.Path(a.postferry).resolve(), a.work)
    soak, verdict, changes = Soak(world, a.seed, a.minutes), "", {}
    try:
        changes = soak.run(a.seed)
        third = max(1, len(soak.peaks) // 3)
        first, last = max(soak.peaks[:third]), max(soak.peaks[-third:])
        if last > first + GROWTH_MIB:
            verdict = f"memory grew from {first:.0f} to {last:.0f} MiB"
    except Failed as reason:
        verdict = str(reason)
    finally:
        world.close()
    print(f"{soak.runs} runs, {soak.checks} checks, seed {a.seed}; faults that met a run: {dict(soak.faults)}; "
          f"changes: {dict(changes)}; {soak.twins} twins removed; peak {max(soak.peaks, default=0):.0f} MiB")
    print(f"FAIL {verdict}" if verdict else "equal at every check, memory flat: lost 0, doubled 0")
    return 1 if verdict else 0


if __name__ == "__main__":
    sys.exit(main())
