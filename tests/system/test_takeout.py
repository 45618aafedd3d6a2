"""Mail as Google Takeout exports it, in zip archives, into real Dovecots."""
import contextlib
import random
import signal
import time
import zipfile

import mailbox as mailboxes
from harness import Endpoint, expect, test, url
from test_archives import copy
from test_maildir import KILLS
from verify import Account

ALL_MAIL = "Takeout/Mail/All mail Including Spam and Trash.mbox"
# Labels, and where a message with them belongs: folder, system flags, keywords.
PLACES = [
    ("Inbox,Unread", ("INBOX",), set(), set()),
    ("Inbox,Opened,Starred,Work", ("INBOX",), {"\\seen", "\\flagged"}, {"work"}),
    ("Sent", ("Sent",), {"\\seen"}, set()),
    ("Drafts", ("Drafts",), {"\\seen", "\\draft"}, set()),
    ("Spam,Unread", ("Spam",), set(), set()),
    ("Trash", ("Trash",), {"\\seen"}, set()),
    ("Archived,Opened,Category Updates", ("Archive",), {"\\seen"}, {"category_updates"}),
    ('=?UTF-8?Q?Archived,Important,Work/=C3=9Cber_2019,"Culture,_arts"?=', ("Work", "Über 2019"), {"\\seen"},
     {"$important", "culture,_arts"}),
]


def takeout(number, message, labels):
    """As Google writes a message: lines end in CRLF, the time is that of its arrival."""
    date = time.strftime("%a %b %d %H:%M:%S +0000 %Y", time.gmtime(message.when))
    head = f"From {1_700_000_000_000_000_000 + number}@xxx {date}\r\nX-GM-THRID: {number}\r\nX-Gmail-Labels: {labels}\r\n"
    lines = message.data.split(b"\r\n")
    quoted = [b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines]
    return head.encode() + b"\r\n".join(quoted) + b"\r\n"


def zipped(path, files, method=zipfile.ZIP_DEFLATED):
    """FILES by name, written as Takeout does: as a stream, sizes after the data, zip64."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("Takeout/archive_browser.html", "<html>")
        for name, data in files.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    return path


def some_mail(count, seed):
    return [(message, PLACES[number % len(PLACES)])
            for number, message in enumerate(mailboxes.mixed(count, 1, seed=seed, largest=60_000).folders[0].messages)]


def expect_filed(target, user, mail, times=1):
    """Each message of MAIL is where it belongs, byte for byte, with its flags and date; nothing else is there."""
    wanted = {}
    for message, (_, folder, flags, keywords) in mail:
        wanted.setdefault(folder, []).append((len(message.data), message.when, frozenset(flags), frozenset(keywords)))
    with contextlib.closing(Account(Endpoint.of(target, user))) as account:
        found = {}
        for folder in account.folders:
            stored = [(m.size, m.when, m.flags, m.keywords) for m in account.messages(folder)]
            if stored:
                found[folder] = stored
    expect(found.keys() == wanted.keys(), "folders:", sorted(found), "instead of", sorted(wanted))
    for folder in wanted:
        expect(sorted(found[folder], key=repr) == sorted(wanted[folder] * times, key=repr), folder, "has", found[folder][:3],
               "instead of", wanted[folder][:3])


@test("a Takeout archive arrives with its folders, flags and dates, each message once")
def takeout_into_imap(world):
    target = world.target(special={"Sent": "\\Sent", "Drafts": "\\Drafts", "Spam": "\\Junk", "Trash": "\\Trash"})
    user, path, journal = world.user(target), world.file("takeout").with_suffix(".zip"), world.journal()
    mail = some_mail(120, seed=41)
    zipped(path, {ALL_MAIL: b"".join(takeout(n, m, place[0]) for n, (m, place) in enumerate(mail))})
    before = path.read_bytes()
    ends = (f"mbox:{path}", url(target, user))
    copy(world, *ends, journal=journal).expect_code(0).expect_balance().expect_counts(copied=len(mail))
    expect_filed(target, user, mail)
    copy(world, *ends, journal=journal).expect_code(0).expect_counts(copied=0, present=len(mail))
    world.run(world.argv(*ends, "--level", "bytes", command="verify", journal=journal,
                         passwords=(False, None))).expect_code(0)
    copy(world, *ends, journal=world.journal()).expect_code(0).expect_counts(copied=0, present=len(mail))
    expect_filed(target, user, mail)
    expect(path.read_bytes() == before, "the archive has changed")


@test("a Takeout archive with an mbox a label, stored unpacked or packed, gives each message once")
def takeout_by_label(world):
    target = world.target()
    mail = some_mail(60, seed=42)
    written = [takeout(n, m, place[0]) for n, (m, place) in enumerate(mail)]
    files = {"Takeout/Mail/Inbox.mbox": b"".join(w for w, (_, place) in zip(written, mail) if place[1] == ("INBOX",)),
             "Takeout/Mail/Work.mbox": b"".join(w for w, (_, place) in zip(written, mail) if "Work" in place[0]),
             "Takeout/Mail/Rest.mbox": b"".join(written)}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        user, path = world.user(target), zipped(world.file("takeout").with_suffix(".zip"), files, method)
        copy(world, f"mbox:{path}", url(target, user)).expect_code(0).expect_balance().expect_counts(copied=len(mail))
        expect_filed(target, user, mail)
        # The same unpacked, into the same account: nothing is new.
        folder = world.file("unpacked")
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        again = copy(world, f"mbox:{folder / 'Takeout/Mail'}", url(target, user)).expect_code(0)
        again.expect_counts(copied=0, present=len(mail))


@test("with labels=folders a message of a Takeout archive is in each of its folders")
def takeout_as_folders(world):
    target = world.target()
    user, path = world.user(target), world.file("takeout").with_suffix(".zip")
    message = mailboxes.small(1, seed=43).folders[0].messages[0]
    zipped(path, {ALL_MAIL: takeout(1, message, "Inbox,Work/2019,Family,Opened")})
    copy(world, f"mbox:{path}?labels=folders", url(target, user)).expect_code(0).expect_counts(copied=3)
    with contextlib.closing(Account(Endpoint.of(target, user))) as account:
        for folder in (("INBOX",), ("Work", "2019"), ("Family",)):
            found = account.messages(folder)
            expect(len(found) == 1 and not found[0].keywords, folder, "has", found)


@test("an archive that is damaged, cut off, encrypted or a bomb is told, and nothing of it is copied")
def takeout_damaged(world):
    target, user = world.target(), None
    user = world.user(target)
    message = mailboxes.small(1, seed=44).folders[0].messages[0]
    whole = zipped(world.file("takeout").with_suffix(".zip"), {ALL_MAIL: takeout(1, message, "Inbox") * 200},
                   zipfile.ZIP_STORED).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    bomb = zipped(world.file("bomb").with_suffix(".zip"), {ALL_MAIL: takeout(1, message, "Inbox") + b"x" * (200 << 20)})
    cases = [(bytes(flipped), "CRC"), (whole[:len(whole) // 2], "not all of one"), (bomb.read_bytes(), "no mail"),
             (b"no archive", "no zip archive")]
    for data, words in cases:
        path = world.file("broken").with_suffix(".zip")
        path.write_bytes(data)
        run = copy(world, f"mbox:{path}", url(target, user))
        expect(run.code not in (0, 70), "exit", run.code, run)
        expect(words in run.err, "expected", words, "in", run)
    with contextlib.closing(Account(Endpoint.of(target, user))) as account:
        expect(not account.messages(("INBOX",)), "something was copied")


@test(f"kill -9 at {KILLS // 4} random moments of a crossing from a Takeout archive: nothing lost, nothing doubled", slow=True)
def killed(world):
    rnd, made, number = random.Random("takeout"), 0, 0
    target = world.target()
    while made < KILLS // 4:
        number += 1
        user, path = world.user(target), world.file("takeout").with_suffix(".zip")
        mail = some_mail(500, seed=f"takeout{number}")
        zipped(path, {ALL_MAIL: b"".join(takeout(n, m, place[0]) for n, (m, place) in enumerate(mail))})
        with world.proxy(target.imap, delay_ms=2, mb_per_second=2) as proxy:
            argv = world.argv(f"mbox:{path}", url(target, user, port=proxy[target.imap]), passwords=(False, None),
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
            world.run(argv).expect_code(0).expect_balance()
        expect_filed(target, user, mail)
    return f"{made} kills over {number} accounts"
