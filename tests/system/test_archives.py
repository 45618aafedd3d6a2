"""Mail archives, as source and as target: mbox files and .eml files, with real Dovecots at the other end."""
import contextlib
import dataclasses
import random
import signal
import subprocess
import time

import mailbox as mailboxes
from harness import Endpoint, expect, expect_equal, fill, test, url
from test_maildir import KILLS, awkward_pair, look, small_disk
from verify import Account

LETTERS = {"\\Answered": "A", "\\Flagged": "F", "\\Draft": "T", "\\Deleted": "D"}


def copy(world, source, target, *options, **more):
    """A copy with files at one end: no password is asked for there."""
    passwords = tuple(None if end.startswith("imap") else False for end in (source, target))
    return world.run(world.argv(source, target, *options, passwords=passwords, **more))


def read_by(world, ends, journal):
    """One more copy, and how many bytes it read from files and lines."""
    told = world.file("io")
    argv = world.argv(*ends, journal=journal, passwords=(False, None))
    run = world.run(["sh", "-c", f'"$@"; code=$?; cat /proc/$$/io >{told}; exit $code', "sh", *argv])
    return run.expect_code(0).expect_balance(), int(told.read_text().split()[1])


def as_mbox(message):
    """MESSAGE as another program would keep it."""
    local = time.gmtime(message.when + message.zone * 60)
    zone = f"{'-' if message.zone < 0 else '+'}{abs(message.zone) // 60:02}{abs(message.zone) % 60:02}"
    head = (f"From ann@sea.example {time.strftime('%a %b %e %H:%M:%S', local)} {local.tm_year:04} {zone}\n"
            f"Status: {'R' if chr(92) + 'Seen' in message.flags else ''}O\n"
            f"X-Status: {''.join(letter for flag, letter in LETTERS.items() if flag in message.flags)}\n"
            f"X-Keywords: {' '.join(message.keywords)}\n").encode()
    lines = message.data.replace(b"\r\n", b"\n").split(b"\n")
    return head + b"\n".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines) + b"\n"


def write_mboxes(root, box):
    """As Thunderbird lays them out."""
    for folder in box.folders:
        path = root.joinpath(*[f"{level}.sbd" for level in folder.path[:-1]], folder.path[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(map(as_mbox, folder.messages)))


@test("mbox files of other programs arrive with their folders, flags, keywords and dates")
def mbox_into_imap(world):
    reference, target = world.dovecot(), world.target()
    user, root, journal = world.user(reference, target), world.file("mail"), world.journal()
    box = mailboxes.mixed(200, 6, seed=5, largest=60_000)
    fill(reference, user, box)
    write_mboxes(root, box)
    (root / "INBOX.msf").write_text("an index\n")
    (root / "notes.txt").write_text("From here on, no mail.\n".replace("From", "Nothing from"))
    ends = (f"mbox:{root}", url(target, user))
    copy(world, *ends, journal=journal).expect_code(0).expect_balance().expect_counts(copied=box.count())
    expect_equal(Endpoint.of(reference, user), Endpoint.of(target, user), subscriptions=False)
    before = [p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()]
    copy(world, *ends, journal=journal).expect_code(0).expect_counts(copied=0, present=box.count())
    expect(before == [p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()], "the source has changed")
    world.run(world.argv(*ends, "--level", "bytes", command="verify", journal=journal,
                         passwords=(False, None))).expect_code(0)


@test("an mbox that a program added to and took from gives what is new, once")
def mbox_that_changes(world):
    target = world.target()
    user, path, journal = world.user(target), world.file("mail"), world.journal()
    messages = mailboxes.small(30, seed=6).folders[0].messages
    path.write_bytes(b"".join(map(as_mbox, messages[:20])))
    ends = (f"mbox:{path}", url(target, user))
    copy(world, *ends, journal=journal).expect_code(0).expect_counts(copied=20)
    path.write_bytes(b"".join(map(as_mbox, messages[3:10] + messages[12:])))
    copy(world, *ends, journal=journal).expect_code(0).expect_balance().expect_counts(copied=10, present=15)
    copy(world, *ends, "--after-copy", "delete", journal=journal).expect_code(0).expect_balance()
    expect(path.read_bytes() == b"", "left at the source:", path.read_bytes()[:200])
    with contextlib.closing(Account(Endpoint.of(target, user))) as account:
        found = account.messages(("INBOX",))
    expect(len(found) == 30, len(found), "messages")


@test("directories of .eml files arrive as folders")
def eml_into_imap(world):
    reference, target = world.dovecot(), world.target()
    user, root, journal = world.user(reference, target), world.file("mail"), world.journal()
    box = mailboxes.mixed(60, 5, seed=7, largest=60_000)
    for folder in box.folders:
        place = root if folder.path == ("INBOX",) else root.joinpath(*folder.path)
        place.mkdir(parents=True, exist_ok=True)
        for number, message in enumerate(folder.messages):
            (place / f"{number:04}.eml").write_bytes(message.data)
    ends = (f"eml:{root}", url(target, user))
    copy(world, *ends, journal=journal).expect_code(0).expect_balance().expect_counts(copied=box.count())
    copy(world, *ends, journal=journal).expect_code(0).expect_counts(copied=0, present=box.count())
    with contextlib.closing(Account(Endpoint.of(target, user))) as account:
        for folder in box.folders:
            found = len(account.messages(folder.path))
            expect(found == len(folder.messages), folder.path, found, "of", len(folder.messages))


@test("there and back again: mail restored from mbox files is equal to the mailbox that was backed up")
def there_and_back(world):
    source, target, user = awkward_pair(world)
    place, journal = f"mbox:{world.file('backup')}", world.journal()
    copy(world, url(source, user), place, journal=journal).expect_code(0).expect_balance()
    again = copy(world, url(source, user), place, journal=journal).expect_code(0)
    back = copy(world, place, url(target, user), journal=world.journal()).expect_code(0).expect_balance()
    report = expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    back.expect_counts(copied=report.source_messages)
    again.expect_counts(copied=0, present=report.source_messages)
    world.run(world.argv(url(source, user), place, "--level", "bytes", command="verify", journal=journal,
                         passwords=(None, False))).expect_code(0)
    return f"{report.source_messages} messages"


@test("a nightly backup into mbox files follows flags and deletions")
def nightly(world):
    source = world.dovecot()
    target = world.target()
    user = world.user(source, target)
    box = mailboxes.mixed(120, 4, seed=32, largest=40_000)
    fill(source, user, box)
    place, journal = f"mbox:{world.file('backup')}", world.journal()
    ends = (url(source, user), place)
    copy(world, *ends, "--deletions", "mirror", journal=journal).expect_code(0)
    with contextlib.closing(Account(Endpoint.of(source, user))) as account:
        account.imap.command('SELECT "INBOX"')
        account.imap.command("UID STORE 1:5 +FLAGS (\\Flagged Urgent A-Long-Keyword-For-Which-There-Is Hardly-Any-Room-Left-In-The-Head)")
        account.imap.command("UID STORE 6:9 -FLAGS (\\Seen \\Answered \\Flagged \\Draft)")
        account.imap.command("UID STORE 10:12 +FLAGS (\\Deleted)")
        account.imap.command("EXPUNGE")
    second = copy(world, *ends, "--deletions", "mirror", journal=journal).expect_code(0).expect_balance()
    second.expect_counts(copied=0, present=box.count() - 3)
    expect(second.account["deleted"] == 3, "deleted:", second.account["deleted"])
    copy(world, place, url(target, user), journal=world.journal()).expect_code(0)
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    third = copy(world, *ends, "--deletions", "mirror", journal=journal).expect_code(0)
    expect(third.account["flags_updated"] == 0, "flags_updated:", third.account["flags_updated"])


@test(f"kill -9 at {KILLS} random moments of a backup into mbox files: nothing lost, nothing doubled", slow=True)
def killed(world):
    rnd, made, number = random.Random("mbox"), 0, 0
    source, target = world.dovecot(), world.target()
    while made < KILLS:
        number += 1
        user = world.user(source, target)
        box = mailboxes.mixed(600, 6, seed=f"mbox{number}", largest=60_000)
        fill(source, user, box)
        place = f"mbox:{world.file('backup')}"
        with world.proxy(source.imap, delay_ms=2, mb_per_second=1) as proxy:
            argv = world.argv(url(source, user, port=proxy[source.imap]), place, passwords=(None, False),
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
        copy(world, place, url(target, user), journal=world.journal()).expect_code(0).expect_counts(copied=box.count())
        expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    return f"{made} kills over {number} accounts"


@test("a full disk stops a backup into mbox files cleanly, and it goes on when there is room")
def disk_full(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    box = mailboxes.mixed(1500, 6, seed=77, largest=200_000)
    fill(source, user, box)
    journal = world.journal()
    with small_disk(world, 8) as place:
        mail = f"mbox:{place / 'mail'}"
        full = copy(world, url(source, user), mail, journal=journal).expect_code(73).expect_balance()
        expect("the disk is full" in full.err, "it is not told that the disk is full:", full)
        expect(0 < full.messages["copied"] < box.count(), "copied:", full.messages)
        subprocess.check_call(["mount", "-o", "remount,size=256m", str(place)])
        copy(world, url(source, user), mail, journal=journal).expect_code(0).expect_balance()
        copy(world, mail, url(target, user), journal=world.journal()).expect_code(0).expect_counts(copied=box.count())
        expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))


@test("flags that changed at an mbox follow, and a file that did not change is not read again")
def mbox_flags(world):
    target = world.target()
    user, root, journal = world.user(target), world.file("mail"), world.journal()
    root.mkdir()
    messages = [dataclasses.replace(m, data=m.data + b"more text\r\n" * 20_000)
                for m in mailboxes.small(20, seed=9).folders[0].messages]
    read = [dataclasses.replace(m, flags=("\\Seen",), keywords=("Work",)) for m in messages]
    (root / "INBOX").write_bytes(b"".join(map(as_mbox, messages)))
    (root / "Other").write_bytes(b"".join(map(as_mbox, messages)))
    ends = (f"mbox:{root}", url(target, user))
    copy(world, *ends, journal=journal).expect_code(0).expect_counts(copied=40)
    size = 2 * (root / "Other").stat().st_size
    (root / "INBOX").write_bytes(b"".join(map(as_mbox, read[:5] + messages[5:])))
    second = copy(world, *ends, journal=journal).expect_code(0).expect_balance().expect_counts(copied=0, present=40)
    expect(second.account["flags_updated"] >= 5, "flags_updated:", second.account["flags_updated"])
    with contextlib.closing(Account(Endpoint.of(target, user))) as account:
        found = account.messages(("INBOX",))
    for n, message in enumerate(found):
        wanted = read[n] if n < 5 else messages[n]
        expect(message.flags == {f.lower() for f in wanted.flags}, n, message.flags, "instead of", wanted.flags)
        expect(("work" in message.keywords) == (n < 5), n, message.keywords)
    time.sleep(2.5)  # a change that young may not show in a file's times
    copy(world, *ends, journal=journal).expect_code(0).expect_counts(copied=0, present=40)
    third, read_bytes = read_by(world, ends, journal)
    third.expect_counts(copied=0, present=40)
    expect(read_bytes < size, read_bytes, "bytes were read, and the mboxes have", size)


@test("a directory of .eml files in which nothing changed is not read again")
def eml_unchanged(world):
    target = world.target()
    user, root, journal = world.user(target), world.file("mail"), world.journal()
    root.mkdir()
    for number in range(200):
        (root / f"{number}.eml").write_bytes(f"Subject: {number}\r\n\r\n".encode() + b"text\r\n" * 5000)
    size = sum(p.stat().st_size for p in root.iterdir())
    ends = (f"eml:{root}", url(target, user))
    copy(world, *ends, journal=journal).expect_code(0).expect_counts(copied=200)
    time.sleep(2.5)
    copy(world, *ends, journal=journal).expect_code(0).expect_counts(copied=0, present=200)
    again, read_bytes = read_by(world, ends, journal)
    again.expect_counts(copied=0, present=200)
    expect(read_bytes < size / 2, read_bytes, "bytes were read, and the files have", size)
    (root / "7.eml").unlink()
    (root / "new.eml").write_bytes(b"Subject: new\r\n\r\n")
    copy(world, *ends, journal=journal).expect_code(0).expect_balance().expect_counts(copied=1, present=199)


@test("Dovecot serves mbox files that were written by a backup: flags, keywords, dates and UIDs")
def served_as_is(world):
    source = world.dovecot()
    target = world.target(store="mbox:~/mail:INBOX=~/mail/INBOX")
    user = world.user(source, target)
    messages = [dataclasses.replace(m, keywords=(*m.keywords, f"Word-{n % 42}"))
                for n, m in enumerate(mailboxes.mixed(100, 1, seed=33, largest=20_000).folders[0].messages)]
    fill(source, user, mailboxes.Mailbox([mailboxes.Folder(path, messages) for path in (("INBOX",), ("Archive",))]))
    home, journal = target.home(user), world.journal()
    home.mkdir(parents=True)
    ends = (url(source, user), f"mbox:{home / 'mail'}")
    copy(world, *ends, journal=journal).expect_code(0).expect_balance().expect_counts(copied=2 * len(messages))
    expect_equal(Endpoint.of(source, user), look(target, user), subscriptions=False)
    with contextlib.closing(Account(Endpoint.of(source, user))) as account:
        account.imap.command('SELECT "INBOX"')
        account.imap.command("UID STORE 1:5 +FLAGS (\\Flagged Newly-Given)")
    copy(world, *ends, journal=journal).expect_code(0).expect_balance().expect_counts(copied=0, present=2 * len(messages))
    expect_equal(Endpoint.of(source, user), look(target, user), subscriptions=False)
    # And Dovecot's own doing is read back.
    with contextlib.closing(Account(Endpoint.of(target, user))) as account:
        account.imap.command('SELECT "INBOX"')
        account.imap.command("UID STORE 6:9 +FLAGS (\\Answered Given-By-Dovecot)")
        account.imap.command("UNSELECT")  # CLOSE would expunge
    third = world.user(source, target)
    copy(world, ends[1], url(source, third), journal=world.journal()).expect_code(0).expect_counts(copied=2 * len(messages))
    with contextlib.closing(Account(Endpoint.of(source, third))) as account:
        found = account.messages(("INBOX",))
    expect(sum("given-by-dovecot" in m.keywords for m in found) == 4, "keywords:", [sorted(m.keywords) for m in found[4:10]])
