#!/usr/bin/env python3
"""What the ends that are no IMAP servers cost: mail handed over by SMTP and LMTP, Maildirs and mbox files.

    python3 tests/bench/shores.py --postferry build/release/postferry [--messages N] [--mib N] [--work DIR]

Prints one table.  Beside each figure stands what the other side does alone: Postfix and Dovecot with
smtp-source (if it is installed), the disk with plain files that are synced in the same groups.  Numbers
are only worth comparing within one run on an idle machine.
"""
import argparse
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "servers"))
import mailbox as mailboxes  # noqa: E402
from dovecot import PASSWORD, Dovecot  # noqa: E402
from postfix import DOMAIN, Postfix, can_run  # noqa: E402

GROUP = 500  # files synced together, as a batch for a Maildir


class Bench:
    def __init__(self, program, folder, messages, mib):
        self.program, self.folder, self.messages, self.mib = program, folder, messages, mib
        self.rows, self.number = [], 0
        self.password = folder / "password"
        self.password.write_text(PASSWORD + "\n")
        self.password.chmod(0o600)

    def row(self, what, seconds, count, size, beside=""):
        self.rows.append((what, f"{seconds:.2f}", f"{count / seconds:.0f}", f"{size / seconds / 2**20:.1f}", beside))

    def copy(self, source, target, *options, journal=None):
        """Seconds, processor seconds, and the messages copied."""
        self.number += 1
        journal = journal or self.folder / f"journal{self.number}"
        passwords = [word for side, end in (("source", source), ("target", target)) if end.startswith("imap")
                     for word in (f"--{side}-password-file", str(self.password))]
        argv = [self.program, "copy", source, target, "--quiet", "--json", *passwords, "--journal", str(journal), *options]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        done = subprocess.run(argv, capture_output=True, text=True)
        seconds = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr[-1000:]}")
        return seconds, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime

    def maildir_of(self, count, size):
        """A Maildir that another program wrote."""
        place = self.folder / f"source-{count}-{size}"
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir(parents=True)
        box = mailboxes.small(count, seed=1, sizes=(size, size + 1))
        for number, message in enumerate(box.folders[0].messages):
            (place / "cur" / f"{1700000000 + number}.M{number}.bench:2,S").write_bytes(message.data)
        return place, sum(len(m.data) for m in box.folders[0].messages)

    # SMTP and LMTP.

    def relays(self):
        source, size = self.maildir_of(self.messages, 2000)
        to = ("--recipient", f"ann@{DOMAIN}", "--envelope-sender", f"mover@{DOMAIN}")
        if can_run():
            with Postfix(self.folder / "postfix") as server:
                for sessions in (1, 4):
                    seconds, _ = self.copy(f"maildir:{source}", f"smtp://127.0.0.1:{server.smtp}?tls=none", *to,
                                           "--sessions", str(sessions))
                    self.row(f"Postfix, port 25, {sessions} sessions", seconds, self.messages, size,
                             self.smtp_source(sessions, f"127.0.0.1:{server.smtp}"))
        with Dovecot(self.folder / "dovecot") as server:
            server.add_user("ann")
            for sessions in (1, 4):
                seconds, _ = self.copy(f"maildir:{source}", f"lmtp://127.0.0.1:{server.lmtp}",
                                       "--recipient", f"ann{sessions}", *to[2:], "--sessions", str(sessions))
                self.row(f"Dovecot LMTP, {sessions} sessions", seconds, self.messages, size,
                         self.smtp_source(sessions, f"127.0.0.1:{server.lmtp}", "-L"))

    def smtp_source(self, sessions, where, *options):
        if not shutil.which("smtp-source"):
            return ""
        begun = time.perf_counter()
        done = subprocess.run(["smtp-source", "-d", "-s", str(sessions), "-l", "2000", "-m", str(self.messages), *options,
                               "-f", f"mover@{DOMAIN}", "-t", f"eve@{DOMAIN}", where], capture_output=True)
        seconds = time.perf_counter() - begun
        return f"smtp-source: {self.messages / seconds:.0f} messages/s" if done.returncode == 0 else ""

    # Files.

    def files(self):
        for count, size in ((self.messages * 5, 4000), (self.mib // 4, 4 << 20)):
            source, total = self.maildir_of(count, size)
            there = self.folder / f"copy-{size}"
            journal = self.folder / f"files{size}"
            seconds, _ = self.copy(f"maildir:{source}", f"maildir:{there}", journal=journal)
            self.row(f"Maildir, {count} of {size} bytes", seconds, count, total, self.disk(count, size))
            seconds, _ = self.copy(f"maildir:{source}", f"maildir:{there}", journal=journal)
            self.rows.append(("  again, nothing to do", f"{seconds:.3f}", "", "", ""))
            shutil.rmtree(source)
            shutil.rmtree(there)

    def disk(self, count, size):
        """The same bytes into plain files, synced in the same groups."""
        place, data = self.folder / "plain", os.urandom(size)
        place.mkdir()
        begun = time.perf_counter()
        for first in range(0, count, GROUP):
            group = []
            for number in range(first, min(first + GROUP, count)):
                group.append(os.open(place / str(number), os.O_CREAT | os.O_WRONLY, 0o600))
                os.write(group[-1], data)
            for file in group:
                os.fsync(file)
                os.close(file)
        seconds = time.perf_counter() - begun
        shutil.rmtree(place)
        return f"plain files: {count / seconds:.0f} messages/s, {count * size / seconds / 2**20:.1f} MiB/s"

    # A large mbox, once and every night.

    def nights(self):
        message = mailboxes.small(1, seed=2, sizes=(20_000, 20_001)).folders[0].messages[0].data
        body = message.replace(b"\r\n", b"\n")
        count = self.mib * 2**20 // len(body)
        path, target = self.folder / "large.mbox", self.folder / "night"
        with open(path, "wb") as file:
            for number in range(count):
                file.write(f"From a@b.example Tue Nov 14 22:13:20 2023 +0000\nX-Number: {number}\n".encode() + body + b"\n")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        journal, size = self.folder / "night.db", path.stat().st_size
        ends = (f"mbox:{path}", f"mbox:{target}.mbox")
        seconds, cpu = self.copy(*ends, journal=journal)
        self.row(f"mbox of {size >> 20} MiB to an mbox", seconds, count, size, f"{cpu:.1f} s of processor")
        time.sleep(2.5)  # what is younger than that is looked at again
        seconds, cpu = self.copy(*ends, journal=journal)
        seconds, cpu = self.copy(*ends, journal=journal)
        self.rows.append(("  again, nothing to do", f"{seconds:.3f}", "", "", f"{cpu:.3f} s of processor"))
        with open(path, "ab") as file:
            file.write(b"From a@b.example Tue Nov 14 22:13:20 2023 +0000\nX-Number: new\n" + body + b"\n")
        seconds, cpu = self.copy(*ends, journal=journal)
        self.rows.append(("  again, one message more", f"{seconds:.3f}", "", "", f"{cpu:.3f} s of processor"))

    def table(self):
        head = ("what", "seconds", "messages/s", "MiB/s", "beside it")
        widths = [max(len(row[i]) for row in [head, *self.rows]) for i in range(len(head))]
        for row in [head, *self.rows]:
            print("  ".join(cell.ljust(width) if i in (0, 4) else cell.rjust(width)
                            for i, (cell, width) in enumerate(zip(row, widths))).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postferry", default=os.environ.get("POSTFERRY") or shutil.which("postferry"))
    parser.add_argument("--messages", type=int, default=2000, help="handed over by SMTP and LMTP")
    parser.add_argument("--mib", type=int, default=1024, help="of the large mbox")
    parser.add_argument("--work", help="folder for mail: its disk is what is measured (default: the system's)")
    parser.add_argument("--only", action="append", choices=["relays", "files", "nights"])
    a = parser.parse_args()
    if not a.postferry:
        sys.exit("no program; give --postferry PATH")
    with tempfile.TemporaryDirectory(prefix="postferry-shores-", dir=a.work) as folder:
        pathlib.Path(folder).chmod(0o755)
        bench = Bench(str(pathlib.Path(a.postferry).resolve()), pathlib.Path(folder), a.messages, a.mib)
        for part in a.only or ("relays", "files", "nights"):
            getattr(bench, part)()
        bench.table()


if __name__ == "__main__":
    main()
