#!/usr/bin/env python3
"""Many accounts: `postferry run` beside mbsync in a shell loop, from one private Dovecot to another.

    python3 tests/bench/fleet.py --postferry build/release/postferry

Each tool carries all accounts into empty ones (`initial`), then again with nothing to do (`again`), and
again through proxies that delay (`night`).  mbsync runs one process an account, four at a time
(`xargs -P4`).  The copies are counted by another client, account by account, and some of them compared
byte for byte.  Peak is the memory of all of a tool's processes together, sampled.  One table at the end.
"""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from tools import Job, mbsync_plain, program

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
import load  # noqa: E402
import mailbox  # noqa: E402
import measure  # noqa: E402
from dovecot import Dovecot  # noqa: E402
from proxy import Proxy  # noqa: E402
from verify import NOTES, Account, Endpoint, verify  # noqa: E402
from wire import quoted  # noqa: E402


def fill(server, accounts, messages):
    """The same mail for every account: written and indexed once, then linked."""
    home = server.home("master")
    load.by_maildir(mailbox.mixed(messages, 6, seed="fleet", largest=60_000), server, "master")
    counted(Endpoint.of(server, "master"))
    link = lambda a, b: os.link(a, b) if "/cur/" in a else shutil.copy2(a, b)
    users = [f"fleet{number:03}" for number in range(accounts)]
    for user in users:
        shutil.copytree(home, server.home(user), copy_function=link)
        server.own(server.home(user))
    return users


def counted(endpoint):
    """Messages of all folders, as another client counts them."""
    account = Account(endpoint)
    try:
        lines = [account.imap.command(f"STATUS {quoted(wire)} (MESSAGES)").lines[0] for wire in account.folders.values()]
        return sum(int(line.rstrip(b")").split()[-1]) for line in lines)
    finally:
        account.close()


def job_file(folder, users, source, target, password):
    """A job of all accounts, and its folder, where the journal will be."""
    folder.mkdir()
    (folder / "password").write_text(password + "\n")
    (folder / "password").chmod(0o600)
    (folder / "people.csv").write_text("source_user,target_user\n" + "".join(f"{u},{u}\n" for u in users))
    ends = "".join(f'[{name}]\nurl = "imap://127.0.0.1:{port}"\ntls = "none"\npassword_file = "password"\n'
                   for name, port in (("source", source), ("target", target)))
    (folder / "fleet.toml").write_text('accounts = "people.csv"\n' + ends)
    return folder / "fleet.toml"


def postferry(folder, users, source, target, password):
    return [program("postferry"), "run", job_file(folder, users, source, target, password), "--quiet"]


def shell_loop(folder, users, source, target, password):
    """mbsync for each account, four at a time."""
    configurations = []
    for user in users:
        state = folder / user
        state.mkdir(parents=True, exist_ok=True)
        configurations.append(mbsync_plain(Job(user, password, source, target, "imap", state))[3])
    (folder / "all").write_text("".join(f"{path}\n" for path in configurations))
    return ["sh", "-c", f"xargs -P4 -I{{}} {program('mbsync')} -q -c {{}} all <{folder / 'all'}"]


def run(argv, log, timeout):
    """measure.run, and the peak of the memory of all processes together."""
    peak, over = [0], threading.Event()

    def resident(pid):
        try:
            own = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except (OSError, IndexError):
            return 0
        return own + sum(resident(child) for child in children)

    def look():
        while not over.wait(0.02):
            peak[0] = max(peak[0], resident(process.pid))

    with open(log, "ab") as out:
        began = time.monotonic()
        process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        watcher = threading.Thread(target=look)
        watcher.start()
        used = measure.wait(process, began, timeout)
    over.set()
    watcher.join()
    return used, peak[0] / 2**20


class Bench:
    def __init__(self, a, folder, source, target):
        self.a, self.folder, self.source, self.target = a, folder, source, target
        self.users = fill(source, a.accounts, a.messages)
        self.there = counted(Endpoint.of(source, self.users[0]))
        self.rows = []

    def phase(self, tool, name, argv):
        before = self.source.cpu() + self.target.cpu()
        used, peak = run(argv, self.folder / f"{tool}.log", self.a.timeout)
        servers = self.source.cpu() + self.target.cpu() - before
        self.rows.append([name, tool, f"{used.wall:.1f}", f"{used.cpu:.1f}", f"{1000 * used.cpu / len(self.users):.0f}",
                          f"{peak:.0f}", f"{servers:.1f}", self.verdict() + (f", exit {used.code}" if used.code else "")])
        print(" ".join(self.rows[-1]), file=sys.stderr, flush=True)

    def verdict(self):
        wrong = [u for u in self.users if counted(Endpoint.of(self.target, u)) != self.there]
        if wrong:
            return f"{len(wrong)} accounts have another count ({wrong[0]})"
        for user in self.users[::max(1, len(self.users) // 3)]:
            report = verify(Endpoint.of(self.source, user), Endpoint.of(self.target, user), roles=False)
            if not report.equal:
                return ", ".join(f"{n} {kind}" for kind, n in sorted(report.counts.items()) if kind not in NOTES)
        return "equal"

    def carry(self, tool, make):
        """All phases of one tool. The ports stay the same, so that both know the ends again."""
        with Proxy(self.source.imap, self.target.imap, folder=self.folder) as near:
            ports = near[self.source.imap], near[self.target.imap]
            argv = make(self.folder / tool, self.users, *ports, self.source.password)
            for name in ("initial", "again"):
                self.phase(tool, name, argv)
        with Proxy(self.source.imap, self.target.imap, folder=self.folder, delay_ms=self.a.rtt / 2, listen=ports):
            self.phase(tool, f"night, {self.a.rtt} ms", argv)
        for user in self.users:
            shutil.rmtree(self.target.home(user), ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postferry", help="the program (default: $POSTFERRY, else from the PATH)")
    parser.add_argument("--tools", default="postferry,mbsync")
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--messages", type=int, default=200, help="an account")
    parser.add_argument("--rtt", type=int, default=40, help="milliseconds of the night")
    parser.add_argument("--timeout", type=float, default=600, help="seconds a phase")
    parser.add_argument("--work", default="/dev/shm" if os.access("/dev/shm", os.W_OK) else None, help="where, best in memory")
    a = parser.parse_args()
    if a.postferry:
        os.environ["POSTFERRY"] = str(pathlib.Path(a.postferry).resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postferry-fleet-", dir=a.work))
    folder.chmod(0o755)
    try:
        with Dovecot(folder / "source") as source, Dovecot(folder / "target") as target:
            bench = Bench(a, folder, source, target)
            for tool in a.tools.split(","):
                if not program(tool):
                    print(f"{tool} is not installed", file=sys.stderr)
                    continue
                bench.carry(tool, {"postferry": postferry, "mbsync": shell_loop}[tool])
        print(f"\n{a.accounts} accounts of {bench.there} messages")
        print("| phase | tool | wall s | CPU s | CPU ms an account | peak MiB | servers' CPU s | copies |\n|---|---|---|---|---|---|---|---|")
        for row in bench.rows:
            print("|", " | ".join(row), "|")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
