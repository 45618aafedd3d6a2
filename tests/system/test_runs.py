"""What runs do one after another: the second one, one that finds mail, one that only looks."""
import contextlib
import shutil
import signal
import sqlite3
import subprocess
import time

import load
import mailbox as mailboxes
from harness import Endpoint, expect, expect_equal, fill, test, url
from proxy import build
from verify import Account, verify
from wire import Imap


def picture(endpoint):
    """Everything of an account that a run could change."""
    with contextlib.closing(Account(endpoint)) as account:
        return {path: account.messages(path) for path in account.folders}, account.subscriptions


def pair(world, mailbox=None, source=None, target=None):
    source, target = source or world.dovecot(), target or world.target()
    user = world.user(source, target)
    fill(source, user, mailbox or mailboxes.mixed(200, 6, largest=50_000))
    return user, Endpoint.of(source, user), Endpoint.of(target, user), (url(source, user), url(target, user))


@test("a second run copies nothing; a third copies only what has come since")
def again(world):
    user, here, there, ends = pair(world)
    journal = world.journal()
    first = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
    report = expect_equal(here, there)
    first.expect_counts(seen=report.source_messages, copied=report.source_messages)
    expect(first.json["outcome"] == "complete" and first.account["error"] is None, "outcome:", first.out)
    expect(first.account["bytes_copied"] > 0, "bytes_copied is", first.account["bytes_copied"])
    second = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
    second.expect_counts(seen=report.source_messages, copied=0, present=report.source_messages)
    expect(second.account["bytes_copied"] == 0, "bytes_copied is", second.account["bytes_copied"])
    expect(second.json["run"] != first.json["run"], "both runs have one number")
    with Imap(here.port) as imap:
        imap.login(user, here.password)
        imap.append("INBOX", b"Subject: new\r\nMessage-ID: <new@sea.example>\r\n\r\nnew\r\n", ["\\Flagged"],
                    "01-Feb-2003 04:05:06 +0000")
        imap.command('CREATE "New one"')
        imap.append("New one", b"Subject: new too\r\n\r\nnew\r\n", [], "01-Feb-2003 04:05:06 +0000")
    third = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
    third.expect_counts(copied=2, present=report.source_messages)
    expect_equal(here, there)


@test("a run without its journal finds every message on the target, copies none")
def journal_lost(world):
    user, here, there, ends = pair(world, mailboxes.awkward(poison=False), source=world.dovecot(special=mailboxes.awkward().roles()),
                                   target=world.target(special=mailboxes.awkward().roles()))
    first = world.copy(*ends).expect_code(0)
    second = world.copy(*ends).expect_code(0).expect_balance()
    second.expect_counts(copied=0, present=first.messages["seen"])
    expect_equal(here, there)


@test("mail that the target already holds is found, true duplicates by number; strangers are left alone")
def target_not_empty(world):
    box = mailboxes.mixed(120, 3, seed=5, largest=20_000)
    user, here, there, ends = pair(world, box)
    target = world.target()
    present = mailboxes.Mailbox([mailboxes.Folder(f.path, f.messages[::2]) for f in box.folders])
    load.by_imap(present, target, user, subscribe=False)
    strangers = mailboxes.small(7, seed=99)
    load.by_imap(strangers, target, user, subscribe=False)
    before = {m.uid: m[1:] for m in picture(there)[0][("INBOX",)]}
    run = world.copy(*ends).expect_code(0).expect_balance()
    run.expect_counts(seen=box.count(), present=present.count(), copied=box.count() - present.count())
    report = verify(here, there, roles=False, subscriptions=False)
    expect(set(report.counts) <= {"extra", "order"} and report.counts["extra"] == 7, "the copy differs:", report)
    after = {m.uid: m[1:] for m in picture(there)[0][("INBOX",)]}
    expect(all(after.get(uid) == message for uid, message in before.items()), "mail that was there has changed")


@test("copies beyond those at the source stay; missing ones are made up")
def duplicates(world):
    maker = mailboxes.Maker("copies")
    one = maker.message("one", maker.ordinary(800))
    two = maker.message("two", maker.ordinary(800))
    source = mailboxes.Mailbox([mailboxes.Folder(("INBOX",), [one] * 5 + [two] * 2)])
    user, here, there, ends = pair(world, source)
    load.by_imap(mailboxes.Mailbox([mailboxes.Folder(("INBOX",), [one] * 2 + [two] * 3)]), world.target(), user)
    world.copy(*ends).expect_code(0).expect_counts(seen=7, present=4, copied=3)
    counts = {m.name: 0 for m in picture(there)[0][("INBOX",)]}
    for message in picture(there)[0][("INBOX",)]:
        counts[message.name] += 1
    expect(sorted(counts.values()) == [3, 5], "copies on the target:", sorted(counts.values()))


@test("a dry run tells the plan and writes nothing anywhere")
def dry_run(world):
    user, here, there, ends = pair(world)
    with Imap(there.port) as imap:
        imap.login(user, there.password)
        imap.append("INBOX", b"Subject: was there\r\n\r\nx\r\n")
    before, source_before, journal = picture(there), picture(here), world.journal()
    run = world.copy(*ends, "--dry-run", journal=journal).expect_code(0)
    expect(run.json["outcome"] in ("complete", "partial"), "outcome:", run.out)
    plain = world.run(world.argv(*ends, "--dry-run", journal=journal, as_json=False)).expect_code(0)
    expect("INBOX" in plain.out + plain.err, "the plan names no folder:", plain.out[:300], plain)
    left = [p.name for p in journal.parent.iterdir() if p.name.startswith(journal.name)]
    expect(not left, "a dry run left files:", left)
    expect(picture(there) == before, "the target changed")
    expect(picture(here) == source_before, "the source changed")
    # With a journal, and a folder that it has never heard of.
    world.copy(*ends, journal=journal).expect_code(0)
    with Imap(here.port) as imap:
        imap.login(user, here.password)
        imap.command('CREATE "Brand new"')
        imap.append("Brand new", b"Subject: new\r\n\r\nx\r\n")
    files = {p.name: p.read_bytes() for p in journal.parent.iterdir() if p.name.startswith(journal.name)}
    world.copy(*ends, "--dry-run", journal=journal).expect_code(0).expect_counts(pending=1, copied=0)
    after = {p.name: p.read_bytes() for p in journal.parent.iterdir() if p.name.startswith(journal.name)}
    expect(files == after, "a dry run changed the journal:", files.keys(), after.keys())
    return f"{run.messages}"


@test("check tells what both ends can do and writes nothing")
def check(world):
    user, here, there, ends = pair(world, target=world.cyrus())
    before = picture(there)
    run = world.run(world.argv(*ends, command="check", as_json=False)).expect_code(0)
    expect("LITERAL+" in run.out.upper() or "UIDPLUS" in run.out.upper(), "no capability is told:", run.out[:400], run)
    expect("Lists/tide" in run.out or "INBOX" in run.out, "no folder is told:", run.out[:400])
    expect(picture(there) == before, "the target changed")
    world.run(world.argv(*ends, command="check", passwords=("wrong", None))).expect_code(77)


@test("the source is only read: no flag, no message, no folder of it changes")
def source_untouched(world):
    roles = mailboxes.awkward().roles()
    user, here, there, ends = pair(world, mailboxes.awkward(), source=world.dovecot(special=roles))
    before = picture(here)
    world.copy(*ends)
    expect(picture(here) == before, "the source changed")


@test("the journal is a plain SQLite file of mode 0600, without secrets, bodies or subjects")
def journal_file(world):
    user, here, there, ends = pair(world)
    journal = world.journal()
    run = world.copy(*ends, journal=journal).expect_code(0)
    expect(journal.stat().st_mode & 0o777 == 0o600, "mode", oct(journal.stat().st_mode))
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as base:
        tables = {name for name, in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        expect({"account", "folder", "message", "batch", "failure", "run"} <= tables, "tables:", sorted(tables))
        rows = base.execute("SELECT count(*) FROM message").fetchone()[0]
        expect(rows == run.messages["seen"], f"{rows} rows for {run.messages['seen']} messages")
    data = journal.read_bytes()
    for word in (here.password.encode(), b"Subject", b"harbour crossing"):
        expect(word not in data, "the journal holds", word)


@test("a refusal stands in the journal with the server's words and is tried again")
def refusal_recorded(world):
    box = mailboxes.Mailbox([mailboxes.Folder(("INBOX",), [
        mailboxes.Maker("ok").message("ok", mailboxes.Maker("ok").ordinary(500)),
        mailboxes.Message("broken", b"Subject: x\r\nno header field here\r\n\r\ntext\r\n"),
        mailboxes.Maker("ok2").message("ok2", mailboxes.Maker("ok2").ordinary(500))])])
    source, target = world.dovecot(), world.cyrus()
    user, here, there, ends = pair(world, box, source, target)
    journal = world.journal()
    for attempt in range(2):
        run = world.copy(*ends, journal=journal).expect_code(65).expect_balance()
        run.expect_counts(seen=3, rejected=1, copied=0 if attempt else 2, present=2 if attempt else 0)
        expect("invalid header" in run.err, "the words are not told:", run)
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as base:
        rows = base.execute("SELECT * FROM failure").fetchall()
    expect(any("invalid header" in str(row) for row in rows), "the words are not in the journal:", rows)
    # The sender mends it: now it goes over, and only it.
    with Imap(here.port) as imap:
        imap.login(user, here.password)
        imap.command("SELECT INBOX")
        imap.command("STORE 2 +FLAGS (\\Deleted)")
        imap.command("EXPUNGE")
    run = world.copy(*ends, journal=journal).expect_code(0)
    run.expect_counts(rejected=0, copied=0)


@test("a full quota stops the account with the server's words: 65")
def quota(world):
    source, target = world.dovecot(), world.target(quota="*:storage=400K")
    user, here, there, ends = pair(world, mailboxes.small(100, sizes=(9000, 11000)), source, target)
    journal = world.journal()
    run = world.copy(*ends, journal=journal).expect_code(65).expect_balance()
    expect("quota" in (run.err + run.out).lower(), "the words are not told:", run)
    expect(run.messages["copied"] < 100, "copied:", run.messages)
    failed = world.run(world.argv(*ends, journal=journal, command="failed", passwords=(False, False))).expect_code(65)
    expect("quota" in (failed.err + failed.out).lower(), "failed does not tell it:", failed.out, failed.err)
    report = verify(here, there)
    expect(set(report.counts) <= {"missing", "order"}, "more than missing mail:", report)
    return f"{run.messages['copied']} of 100 went over"


@test("SIGINT and SIGTERM finish what is in flight: 75, and the next run goes on")
def interrupted(world):
    for number, sign in enumerate((signal.SIGINT, signal.SIGTERM)):
        user, here, there, ends = pair(world, mailboxes.mixed(3000, 6, seed=number))
        journal, target = world.journal(), world.target()
        with world.proxy(target.imap, delay_ms=5, mb_per_second=3) as proxy:
            slow = ends[0], url(target, user, port=proxy[target.imap])
            for _ in range(2):
                process = world.start(world.argv(*slow, "--memory", "4MiB", "--sessions", "1", journal=journal))
                time.sleep(1)
                world.signal(process, sign)
                run = world.finish(process).expect_code(75).expect_balance()
                expect(run.json["outcome"] == "interrupted", "outcome:", run.json["outcome"])
                expect(run.messages["pending"] > 0, "nothing is pending:", run.messages)
            world.copy(*slow, journal=journal).expect_code(0).expect_balance()
        expect_equal(here, there)


@test("a second SIGINT ends at once: 130")
def interrupted_twice(world):
    user, here, there, ends = pair(world, mailboxes.mixed(400, 4, largest=100_000))
    source, journal = world.dovecot(), world.journal()
    with world.proxy(source.imap, cut_after=300_000, way="down", stall=True) as proxy:
        stuck = url(source, user, port=proxy[source.imap]), ends[1]
        process = world.start(world.argv(*stuck, journal=journal))
        time.sleep(1.5)
        world.signal(process, signal.SIGINT)
        time.sleep(0.3)
        world.signal(process, signal.SIGINT)
        world.finish(process, timeout=10).expect_code(130)
        # The journal names the ends, port and all: the same ones go on, through a sound proxy on that port.
        port = proxy[source.imap]
    with forward(world, port, source.imap):
        world.copy(*stuck, journal=journal).expect_code(0)
    expect_equal(here, there)


@contextlib.contextmanager
def forward(world, port, destination):
    """A sound proxy on a given port."""
    process = subprocess.Popen([str(build(world.folder)), f"{port}:{destination}"], stdout=subprocess.PIPE, text=True)
    try:
        while process.stdout.readline().strip() != "ready":
            pass
        yield
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@test("a server that falls silent is given up after --timeout and taken up again")
def stalled(world):
    user, here, there, ends = pair(world, mailboxes.mixed(300, 4, largest=50_000))
    target = world.target()
    with world.proxy(target.imap, cut_after=100_000, way="up", stall=True, count=1) as proxy:
        slow = ends[0], url(target, user, port=proxy[target.imap])
        run = world.copy(*slow, "--timeout", "3").expect_code(0).expect_balance()
        expect(proxy.counters()["faults"] == 1, "the line was sound")
    expect_equal(here, there)
    return f"{run.seconds:.1f} s"


@test("a journal keeps its two ends: others are refused, and it can be moved")
def journal_identity(world):
    user, here, there, ends = pair(world)
    journal, other = world.journal(), world.user()
    world.copy(*ends, journal=journal).expect_code(0)
    run = world.copy(ends[0], url(world.target(), other), journal=journal)
    expect(run.code not in (0, 65, 70), "another target was taken:", run)
    moved = world.journal()
    shutil.copy(journal, moved)
    world.copy(*ends, journal=moved).expect_code(0).expect_counts(copied=0)
    return f"exit {run.code}"


@test("without --journal the state folder is used, and used again")
def default_journal(world):
    user, here, there, ends = pair(world)
    world.run(world.argv(*ends)).expect_code(0)
    world.run(world.argv(*ends)).expect_code(0).expect_counts(copied=0)
    state = world.folder / "state" / "postferry"
    expect(state.is_dir() and any(state.iterdir()), "nothing in", state)
