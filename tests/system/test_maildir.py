"""Maildirs as source and target: a real Dovecot serves what was written, and says whether it is the mail."""
import contextlib
import os
import random
import signal
import subprocess
import threading
import time

import mailbox as mailboxes
from harness import Endpoint, Skipped, expect, expect_appended_once, expect_equal, fill, logged_in, test, url
from verify import Account
from wire import Imap, ImapError, quoted

GERMAN = mailboxes.awkward().roles()
KILLS = max(4, int(os.environ.get("POSTFERRY_KILLS", "100")) // 5)


def served(server, user):
    """The URL of the Maildir that SERVER serves to USER."""
    return f"maildir:{server.home(user) / 'Maildir'}"


def copy(world, source, target, *options, **more):
    """A copy with a Maildir at one end or both: no password is asked for there."""
    passwords = tuple(False if end.startswith("maildir:") else None for end in (source, target))
    return world.run(world.argv(source, target, *options, passwords=passwords, **more))


def look(server, user):
    """Lets Dovecot read the Maildir as its own user, from nothing: its caches are thrown away."""
    home = server.home(user)
    for cache in home.rglob("dovecot.index*"):
        cache.unlink()
    for cache in home.rglob("dovecot.list.index*"):
        cache.unlink()
    server.own(home)
    return Endpoint.of(server, user)


def no_complaints(server, user):
    """Dovecot logs what it finds wrong with a user's Maildir, and repairs it: neither may be."""
    bad = [line for line in (server.folder / "dovecot.log").read_text(errors="replace").splitlines()
           if f"({user})" in line
           and ("Maildir" in line and ("Error" in line or "Warning" in line) or "uidlist" in line or "Corrupted" in line)
           # look() takes the indexes away from sessions that end meanwhile: only they may be missed
           and "indexid changed" not in line and "dovecot.index" not in line]
    expect(not bad, "Dovecot complains:", *bad[:5])


def awkward_pair(world, **source):
    source = world.dovecot(special=GERMAN, **source)
    target = world.target(special=GERMAN)
    user = world.user(source, target)
    box = mailboxes.awkward()
    fill(source, user, box)
    return source, target, user


@test("Dovecot serves a Maildir that was written by a backup as it is, UIDs and all")
def served_as_is(world):
    source, target, user = awkward_pair(world)
    journal = world.journal()
    first = copy(world, url(source, user), served(target, user), journal=journal).expect_code(0).expect_balance()
    there = look(target, user)
    report = expect_equal(Endpoint.of(source, user), there)
    first.expect_counts(seen=report.source_messages, copied=report.source_messages)
    expect_appended_once(there)
    no_complaints(target, user)
    again = copy(world, url(source, user), served(target, user), journal=journal).expect_code(0)
    again.expect_counts(copied=0, present=report.source_messages)
    expect_equal(Endpoint.of(source, user), look(target, user))
    return f"{report.source_messages} messages"


@test("mail with NULs, which Dovecot shows as 0x80, is known again: by verify, and when the journal is lost")
def nuls(world):
    place, target = world.file("with-nuls"), world.target()
    user = world.user(target)
    for name in ("cur", "new", "tmp"):
        (place / name).mkdir(parents=True)
    for number in range(4):
        message_id = f"Message-ID: <nul{number}@example.org>\r\n" if number % 2 else ""
        (place / "cur" / f"{number}.m:2,S").write_bytes(
            f"From: a@example.org\r\nDate: Sun, 09 Sep 2001 01:46:4{number} +0000\r\n"
            f"{message_id}Subject: s\r\n\r\na\0b\r\n".encode())
    ends, journal = (f"maildir:{place}", url(target, user)), world.journal()
    copy(world, *ends, journal=journal).expect_code(0).expect_counts(copied=4)
    with logged_in(Endpoint.of(target, user)) as imap:
        imap.command("SELECT INBOX")
        expect("a\0b" not in str(imap.command("FETCH 1:* BODY.PEEK[]")), "Dovecot shows NULs: nothing was tested")
    copy(world, *ends, "--level", "bytes", command="verify", journal=journal).expect_code(0)
    copy(world, *ends, journal=world.journal()).expect_code(0).expect_counts(copied=0, present=4)


def round_trip(world, query):
    source, target, user = awkward_pair(world)
    place = f"maildir:{world.file('backup')}{query}"
    copy(world, url(source, user), place, journal=world.journal()).expect_code(0).expect_balance()
    back = copy(world, place, url(target, user), journal=world.journal()).expect_code(0).expect_balance()
    report = expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    back.expect_counts(copied=report.source_messages)
    return f"{report.source_messages} messages"


@test("there and back again: a restored backup is equal to the mailbox that was backed up")
def there_and_back(world):
    return round_trip(world, "")


@test("there and back again, in directories")
def there_and_back_fs(world):
    return round_trip(world, "?layout=fs")


@test("a Maildir that Dovecot wrote is a source like the Dovecot itself, and is not altered")
def dovecots_own(world):
    source, target = world.dovecot(special=GERMAN), world.target(special=GERMAN)
    user = world.user(source, target)
    fill(source, user, mailboxes.awkward())
    here = Endpoint.of(source, user)
    with contextlib.closing(Account(here)) as account:  # Dovecot gives the UIDs
        before = {path: account.messages(path) for path in account.folders}
    copy(world, served(source, user), url(target, user), journal=world.journal()).expect_code(0).expect_balance()
    expect_equal(here, Endpoint.of(target, user))
    with contextlib.closing(Account(look(source, user))) as account:
        after = {path: account.messages(path) for path in account.folders}
    expect(before == after, "the source has changed")
    no_complaints(source, user)


@test("a nightly backup follows flags and deletions, and a night with nothing new copies nothing")
def nightly(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    box = mailboxes.mixed(200, 4, seed=31, largest=40_000)
    fill(source, user, box)
    here, ends, journal = Endpoint.of(source, user), (url(source, user), served(target, user)), world.journal()
    copy(world, *ends, "--deletions", "mirror", journal=journal).expect_code(0)
    with Imap(here.port) as imap:
        imap.login(user, here.password)
        imap.command('SELECT "INBOX"')
        imap.command("UID STORE 1:5 +FLAGS (\\Flagged Urgent)")
        imap.command("UID STORE 6:9 -FLAGS (\\Seen \\Answered \\Flagged \\Draft)")
        imap.command("UID STORE 10:12 +FLAGS (\\Deleted)")
        imap.command("EXPUNGE")
        imap.append("INBOX", b"Subject: new\r\nMessage-ID: <new@sea.example>\r\n\r\nnew\r\n", ["\\Seen"],
                    "01-Feb-2003 04:05:06 +0000")
    second = copy(world, *ends, "--deletions", "mirror", journal=journal).expect_code(0).expect_balance()
    second.expect_counts(copied=1, present=box.count() - 3)
    expect(second.account["deleted"] == 3, "deleted:", second.account["deleted"])
    expect_equal(here, look(target, user))
    third = copy(world, *ends, "--deletions", "mirror", journal=journal).expect_code(0)
    third.expect_counts(copied=0)
    expect(third.account["flags_updated"] == 0, "flags_updated:", third.account["flags_updated"])
    no_complaints(target, user)


@test("Dovecot delivers to, flags and expunges in a Maildir while it is being filled")
def side_by_side(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.small(3000, seed=8))
    there, over, added = Endpoint.of(target, user), threading.Event(), []

    def client():
        with Imap(there.port) as imap:
            imap.login(user, there.password)
            number = 0
            while not over.is_set():
                number += 1
                text = f"Subject: {number}\r\nMessage-ID: <side{number}@sea.example>\r\n\r\nmine {number}\r\n".encode()
                imap.append("INBOX", text, [f"Mine{number % 3}"], "01-Feb-2003 04:05:06 +0000")
                added.append(number)
                imap.command('SELECT "INBOX"')
                imap.command("STORE 1:* +FLAGS.SILENT (\\Answered)")
    home = target.home(user)
    with Imap(there.port) as imap:  # the Maildir is Dovecot's, with its owner
        imap.login(user, there.password)
        imap.append("INBOX", b"Subject: first\r\n\r\nfirst\r\n", [], "01-Feb-2003 04:05:06 +0000")
    # As the user whom Dovecot serves it as: each must be able to change what the other writes.
    argv = world.argv(url(source, user), served(target, user), passwords=(False, False), journal=home / "journal")
    if os.getuid() == 0:
        argv = ["setpriv", f"--reuid={target.owner.pw_uid}", f"--regid={target.owner.pw_gid}", "--clear-groups", *argv]
    worker = threading.Thread(target=client)
    worker.start()
    try:
        world.run(argv, POSTFERRY_SOURCE_PASSWORD=source.password).expect_code(0).expect_counts(copied=3000)
    finally:
        over.set()
        worker.join()
    with contextlib.closing(Account(look(target, user))) as account:
        found = account.messages(("INBOX",))
    expect(len(found) == 3000 + 1 + len(added), f"{len(found)} messages, {len(added)} of them added")
    no_complaints(target, user)
    return f"{len(added)} deliveries meanwhile"


@test(f"kill -9 at {KILLS} random moments of a backup: nothing lost, nothing doubled", slow=True)
def killed(world):
    rnd, made, number = random.Random("maildir"), 0, 0
    source, target = world.dovecot(), world.target()
    while made < KILLS:
        number += 1
        user = world.user(source, target)
        box = mailboxes.mixed(600, 6, seed=f"kill{number}", largest=60_000)
        fill(source, user, box)
        with world.proxy(source.imap, delay_ms=2, mb_per_second=1) as proxy:
            argv = world.argv(url(source, user, port=proxy[source.imap]), served(target, user), passwords=(None, False),
                              journal=world.journal())
            for _ in range(6):
                process = world.start(argv)
                time.sleep(rnd.uniform(0.1, 1.5))
                met = world.alive(process)
                world.signal(process, signal.SIGKILL)
                world.finish(process)
                made += met
                if not met:
                    break
            last = world.run(argv).expect_code(0).expect_balance()
        expect(last.messages["seen"] == box.count(), "seen:", last.messages)
        there = look(target, user)
        expect_equal(Endpoint.of(source, user), there)
        expect_appended_once(there)
        no_complaints(target, user)
    return f"{made} kills over {number} accounts"


@contextlib.contextmanager
def small_disk(world, mib):
    place = world.file("disk")
    place.mkdir()
    if os.getuid() != 0 or subprocess.call(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(place)],
                                           stderr=subprocess.DEVNULL):
        raise Skipped("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.call(["umount", "-l", str(place)])


@test("a full disk stops a backup cleanly: no half message, and it goes on when there is room")
def disk_full(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    box = mailboxes.mixed(1500, 6, seed=77, largest=200_000)
    fill(source, user, box)
    journal = world.journal()
    with small_disk(world, 8) as place:
        mail = f"maildir:{place / 'mail'}"
        full = copy(world, url(source, user), mail, journal=journal).expect_code(73).expect_balance()
        expect("the disk is full" in full.err, "it is not told that the disk is full:", full)
        expect(full.messages["copied"] < box.count(), "copied:", full.messages)
        half = [p for p in (place / "mail").rglob("*,S=*")
                if p.is_file() and p.stat().st_size != int(p.name.split(",S=")[1].split(",")[0])]
        expect(not half, "half messages:", half[:3])
        expect(not list((place / "mail").rglob("tmp/*")), "something is left in tmp")
        subprocess.check_call(["mount", "-o", "remount,size=256m", str(place)])
        copy(world, url(source, user), mail, journal=journal).expect_code(0).expect_balance()
        copy(world, mail, url(target, user), journal=world.journal()).expect_code(0)
        expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))


@test("names that would lead out of the root stay inside it")
def names_stay_inside(world):
    source = world.dovecot(separator="^", special={})
    user = world.user(source)
    names = [("..",), (".",), ("...", ".."), ("../../outside",), ("a/b", "c/../../../d"), (".hidden",), ("cur",),
             ("new", "tmp"), ("dovecot-uidlist",), ("~root",), ("\\2e\\2e",), ("&",), ("x" * 190, "y" * 190)]
    # Of a server that lets a folder be called anything: ours, which has no mail on a disk.
    made = []
    with Imap(source.imap) as imap:
        imap.login(user, source.password)
        for name in names:
            wire = "^".join(level.replace("&", "&-") for level in name)
            try:
                imap.command(f"CREATE {quoted(wire)}")
                imap.append(wire, f"Subject: in {wire}\r\n\r\nx\r\n".encode(), [], "01-Feb-2003 04:05:06 +0000")
                made.append(name)
            except ImapError:
                pass
    expect(len(made) >= 5, "the server took too few of the names:", made)
    for query in ("", "?layout=fs"):
        outer = world.file("outer")
        (outer / "in").mkdir(parents=True)
        copy(world, url(source, user), f"maildir:{outer / 'in' / 'mail'}{query}", journal=world.journal()).expect_code(0)
        expect([p.name for p in outer.iterdir()] == ["in"] and [p.name for p in (outer / "in").iterdir()] == ["mail"],
               "something is outside:", list(outer.rglob("*"))[:10])
        target = world.target(separator="^", special={})
        other = world.user(target)
        copy(world, f"maildir:{outer / 'in' / 'mail'}{query}", url(target, other), journal=world.journal()).expect_code(0)
        expect_equal(Endpoint.of(source, user), Endpoint.of(target, other))
    return f"{len(made)} names"


