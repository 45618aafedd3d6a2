"""Mail archives: mbox files and .eml files, into a real Dovecot."""
import contextlib
import time

import mailbox as mailboxes
from harness import Endpoint, expect, expect_equal, fill, test, url
from verify import Account

LETTERS = {"\\Answered": "A", "\\Flagged": "F", "\\Draft": "T", "\\Deleted": "D"}


def copy(world, source, target, *options, **more):
    """A copy with files at one end: no password is asked for there."""
    passwords = tuple(None if end.startswith("imap") else False for end in (source, target))
    return world.run(world.argv(source, target, *options, passwords=passwords, **more))


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
