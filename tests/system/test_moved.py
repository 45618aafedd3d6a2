"""Mail that is there already, by whatever hand, and mail that is no longer where it was: other dates,
other bytes, other UIDs, backups that came back.  Nothing is lost, nothing doubled."""
import dataclasses
import random
import shutil
import signal
import time

import load
import mailbox as mailboxes
from dovecot import Dovecot, hide
from harness import (Endpoint, add, change, expect, expect_equal, fill, logged_in, replace_folder, status, test, url)
from test_follow import box, names, some, stored
from test_runs import pair, picture


# What other programs leave behind.

def as_imapsync(messages):
    """The bytes as they were, other dates."""
    return [dataclasses.replace(m, when=m.when + 3600 * (1 + n % 23), zone=120) for n, m in enumerate(messages)]


def as_mbsync(messages):
    """The moment of the copy for a date, and a line at the end of the header."""
    rnd = random.Random("mbsync")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    out = []
    for number, message in enumerate(messages):
        head, body = message.data.split(b"\r\n\r\n", 1)
        tuid = "".join(rnd.choices(letters, k=12)).encode()
        out.append(dataclasses.replace(message, data=head + b"\r\nX-TUID: " + tuid + b"\r\n\r\n" + body,
                                       when=mailboxes.LAST_DATE + number))
    return out


def everyday(seed):
    """Ordinary mail, true copies among it, and mail without a Message-ID."""
    mail = mailboxes.mixed(60, 1, seed=seed, largest=30_000).folders[0].messages
    maker = mailboxes.Maker(seed + " unnamed")
    unnamed = [maker.message(f"m{i}", maker.head(subject=f"Report {i}", message_id=False) + b"\r\nas ever\r\n")
               for i in range(6)]
    return unnamed + mail + mail[3:5]


def _left_by(name, made):
    @test(f"mail that {name} has copied is found, all of it or a part, with the journal and without")
    def left_by(world):
        mail = everyday(name)
        for share in (len(mail), len(mail) // 2):
            user, here, there, ends = pair(world, box(INBOX=mail))
            add(there, made(mail[:share]))
            before = picture(there)
            journal = world.journal()
            run = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
            run.expect_counts(seen=len(mail), present=share, copied=len(mail) - share)
            after = {m.uid: m for m in picture(there)[0][("INBOX",)]}
            expect(all(after[m.uid] == m for m in before[0][("INBOX",)]), "what was there has changed")
            for again in (journal, world.journal()):
                world.copy(*ends, journal=again).expect_code(0).expect_counts(copied=0, present=len(mail))
            expect(len(picture(there)[0][("INBOX",)]) == len(mail), "doubled")


_left_by("imapsync", as_imapsync)
_left_by("mbsync", as_mbsync)


@test("a Cyrus that munges 8-bit headers, filled by another program, is not filled again")
def left_on_munging_cyrus(world):
    maker = mailboxes.Maker("munged")
    mail = [maker.message(f"m{i}", maker.head(subject=f"Grüße {i}") + b"\r\nbody %d\r\n" % i)
            for i in range(20)]
    mail += [maker.message("no Message-ID", maker.head(subject=f"Größe {i}", message_id=False) + b"\r\nsame body\r\n")
             for i in range(4)]
    target = world.cyrus(munge8bit=None)
    user, here, there, ends = pair(world, box(INBOX=mail), target=target)
    add(there, as_imapsync(mail[::2]))
    run = world.copy(*ends).expect_code(0).expect_counts(seen=24, present=12, copied=12)
    world.copy(*ends).expect_code(0).expect_counts(present=24, copied=0)
    expect(len(picture(there)[0][("INBOX",)]) == 24, "doubled")
    return f"{run.messages}"


@test("copies with another body are found by their header; with another subject they are other messages")
def altered(world):
    mail = some(12)
    footer = [dataclasses.replace(m, data=m.data + b"-- \r\nscanned\r\n") for m in mail[:4]]
    marked = [dataclasses.replace(m, data=m.data.replace(b"Subject: ", b"Subject: [SPAM] ")) for m in mail[4:8]]
    user, here, there, ends = pair(world, box(INBOX=mail))
    add(there, footer + marked)
    for copied in (8, 0):
        world.copy(*ends).expect_code(0).expect_counts(seen=12, present=12 - copied, copied=copied)
    expect(len(picture(there)[0][("INBOX",)]) == 16, "messages:", len(picture(there)[0][("INBOX",)]))


@test("mail delivered to both sides during a move stays two deliveries")
def dual_delivery(world):
    mail = some(10)
    other = [dataclasses.replace(m, data=m.data.replace(b"by mail.land.example", b"by new.land.example")) for m in mail[:5]]
    expect(all(a.data != b.data for a, b in zip(mail, other)), "the deliveries are the same")
    user, here, there, ends = pair(world, box(INBOX=mail))
    add(there, other)
    journal = world.journal()
    world.copy(*ends, journal=journal).expect_code(0).expect_counts(seen=10, copied=10, present=0)
    world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=0)
    # Where both deliveries are there, each is recognised, without the journal too.
    world.copy(*ends).expect_code(0).expect_counts(copied=0, present=10)
    expect(len(picture(there)[0][("INBOX",)]) == 15, "messages:", len(picture(there)[0][("INBOX",)]))


@test("k copies match k copies, whatever dates and flags theirs have, with and without UIDPLUS")
def copies(world):
    one, two, three = some(3, "c")
    without_id = dataclasses.replace(two, data=b"".join(
        line for line in two.data.splitlines(True) if not line.startswith(b"Message-ID")))
    expect(b"Message-ID" not in without_id.data, "it still has one")
    source = [one] * 5 + [without_id] * 4 + [three]
    for target in (world.target(), world.target(capability=hide("UIDPLUS"))):
        user, here, there, ends = pair(world, box(INBOX=source), target=target)
        add(there, as_imapsync([one] * 2 + [without_id] * 3 + [three] * 2))
        world.copy(*ends).expect_code(0).expect_counts(seen=10, present=6, copied=4)
        world.copy(*ends).expect_code(0).expect_counts(seen=10, present=10, copied=0)
        expect(len(picture(there)[0][("INBOX",)]) == 11, "messages:", len(picture(there)[0][("INBOX",)]))


@test("a target folder with 100,000 messages of others is searched in reasonable time and memory", slow=True)
def many_strangers(world):
    with world.private(Dovecot) as target:
        source = world.dovecot()
        user = world.user(source)
        mail = mailboxes.small(300, seed="ours").folders[0].messages
        fill(source, user, box(INBOX=mail))
        maker = mailboxes.Maker("strangers")
        body = maker.text(200)
        strangers = (maker.message(f"{i}", maker.head() + b"\r\n" + body, flags=()) for i in range(99_900))
        folder = mailboxes.Folder(("INBOX",), None)
        folder.messages = [*strangers, *mail[:100]]
        load.by_maildir(mailboxes.Mailbox([folder]), target, user)
        del folder
        there = Endpoint.of(target, user)
        with logged_in(there) as imap:
            expect(status(imap, "INBOX")["MESSAGES"] == 100_000, "not loaded")
        ends, journal = (url(source, user), url(target, user)), world.journal()
        first = world.copy(*ends, journal=journal, timeout=280).expect_code(0).expect_counts(seen=300, present=100, copied=200)
        again = world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=0, present=300)
        with logged_in(there) as imap:
            expect(status(imap, "INBOX")["MESSAGES"] == 100_200, "not what was to be appended")
        expect(again.seconds < 10, f"a run with nothing to do took {again.seconds:.0f} s")
        return f"{first.seconds:.1f} s, again {again.seconds:.1f} s, peak {first.peak_mib:.0f} MiB"


# Several fill one folder.

def two_into_one(world):
    """Two source accounts, one target account; each source has mail of its own, and 5 in common."""
    source, target = world.dovecot(), world.target()
    ann, ben, both = world.user(source), world.user(source), world.user(target)
    common = some(5, f"common{both}")
    mail = {user: some(150, user) + common for user in (ann, ben)}
    for user in mail:
        fill(source, user, box(INBOX=mail[user]))
    return mail, {user: (url(source, user), url(target, both)) for user in mail}, Endpoint.of(target, both), source


def expect_both(mail, there):
    found = stored_names(there)
    own = {user: names(messages[:150]) for user, messages in mail.items()}
    for user in mail:
        expect(all(found.count(name) == 1 for name in own[user]), f"the mail of {user} is not there once:",
               [(n, found.count(n)) for n in own[user] if found.count(n) != 1][:3])
    common = names(next(iter(mail.values()))[150:])
    expect(all(1 <= found.count(name) <= 2 for name in common), "mail in common:", [found.count(n) for n in common])


def stored_names(there):
    return [m.name for m in picture(there)[0][("INBOX",)]]


@test("two accounts fill one folder, one after the other, and neither takes the other's mail away")
def one_after_the_other(world):
    mail, ends, there, source = two_into_one(world)
    journals = {user: world.journal() for user in mail}
    for _ in range(2):
        for user in mail:
            world.copy(*ends[user], "--deletions", "mirror", journal=journals[user]).expect_code(0).expect_balance()
    expect_both(mail, there)
    first, second = mail
    change(Endpoint.of(source, first), "STORE 1:10 +FLAGS (\\Deleted)", "UID EXPUNGE 1:10")
    for user in mail:
        world.copy(*ends[user], "--deletions", "mirror", journal=journals[user]).expect_code(0)
    found = stored_names(there)
    gone = [name for name in names(mail[second]) if name not in found]
    expect(not gone, f"of {len(found)} messages the other's are gone:", gone[:20])
    expect(not names(mail[first][:10]) & set(found), "the deletions were not mirrored")


@test("two accounts fill one folder at the same time")
def at_the_same_time(world):
    mail, ends, there, source = two_into_one(world)
    runs = {user: world.argv(*ends[user], journal=world.journal()) for user in mail}
    for process in [world.start(argv) for argv in runs.values()]:
        world.finish(process).expect_code(0).expect_balance()
    for argv in runs.values():
        world.run(argv).expect_code(0).expect_counts(copied=0, seen=155)
    expect_both(mail, there)


def killed_often(world, argvs, times, seed):
    """Runs all at the same time, kills them and starts them again TIMES times; the last ones in peace."""
    rnd, met = random.Random(seed), 0
    for _ in range(times):
        processes = [world.start(argv) for argv in argvs]
        for process in processes:
            time.sleep(rnd.uniform(0, 0.7))
            met += world.alive(process)
            world.signal(process, signal.SIGKILL)
        for process in processes:
            world.finish(process)
    for process in [world.start(argv) for argv in argvs]:
        world.finish(process).expect_code(0).expect_balance()
    return met


@test("two accounts fill one folder at the same time, killed again and again", slow=True)
def at_the_same_time_killed(world):
    told = []
    for seed in range(3):
        mail, ends, there, source = two_into_one(world)
        with world.proxy(world.target().imap, delay_ms=10, mb_per_second=0.1) as proxy:
            argvs = [world.argv(here, url(world.target(), there.user, port=proxy[world.target().imap]), journal=world.journal())
                     for here, _ in ends.values()]
            told.append(killed_often(world, argvs, 4, seed))
            for argv in argvs:
                world.run(argv).expect_code(0).expect_counts(copied=0, seen=155)
        expect_both(mail, there)
    return f"{sum(told)} kills met a run"


def three_into_one(world, target, count):
    """Three folders with mail of their own and 5 messages in all of them, to go to one target folder."""
    mail = {name: some(count, name) + some(5, "in all") for name in ("One", "Two", "Three")}
    user, here, there, ends = pair(world, box(INBOX=[], **mail), target=target)
    return mail, there, ends, [word for name in mail for word in ("--map", f"{name}=All")]


def expect_three(mail, there):
    found = [m.name for m in picture(there)[0][("All",)]]
    for name, messages in mail.items():
        wrong = [(n, found.count(n)) for n in names(messages[:-5]) if found.count(n) != 1]
        expect(not wrong, f"the mail of {name} is not there once:", wrong[:3])
    copies = [found.count(n) for n in names(some(5, "in all"))]
    expect(copies == [3] * 5, "copies of what is in all three:", copies)


@test("three folders of one account go to one target folder, at the same time, with and without UIDPLUS")
def three_folders_into_one(world):
    for target in (world.target(), world.target(capability=hide("UIDPLUS"))):
        mail, there, ends, maps = three_into_one(world, target, 200)
        journal = world.journal()
        for copied in (615, 0):
            world.copy(*ends, *maps, journal=journal).expect_code(0).expect_counts(seen=615, copied=copied)
        expect_three(mail, there)


@test("three folders of one account go to one target folder, killed again and again", slow=True)
def three_folders_killed(world):
    met = 0
    for seed in range(3):
        target = world.target()
        mail, there, ends, maps = three_into_one(world, target, 120)
        with world.proxy(target.imap, delay_ms=10, mb_per_second=0.1) as proxy:
            argv = world.argv(ends[0], url(target, there.user, port=proxy[target.imap]), *maps, journal=world.journal())
            met += killed_often(world, [argv], 4, seed)
            world.run(argv).expect_code(0).expect_counts(copied=0, seen=375)
        expect_three(mail, there)
    return f"{met} kills met a run"


# What was written down no longer holds.

@test("a journal restored from an old backup finds what later runs copied")
def old_journal(world):
    user, here, there, ends = pair(world, box(INBOX=some(30), Work=some(10, "w")))
    journal, old = world.journal(), world.journal()
    world.copy(*ends, journal=journal).expect_code(0)
    shutil.copy(journal, old)
    add(here, some(12, "new"))
    change(here, "STORE 1:3 +FLAGS (\\Flagged)")
    world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=12)
    world.copy(*ends, journal=old).expect_code(0).expect_balance().expect_counts(copied=0, present=52)
    expect_equal(here, there)
    world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=0, present=52)
    expect_equal(here, there)


class Backup:
    """A user's mail on a private Dovecot, to be put back later."""

    def __init__(self, world, server, user):
        self._server, self._home, self._copy = server, server.home(user), world.file("backup")
        shutil.copytree(self._home, self._copy, symlinks=True)

    def restore(self):
        self._server.stop()
        shutil.rmtree(self._home)
        shutil.copytree(self._copy, self._home, symlinks=True)
        self._server.own(self._home)
        self._server.start()


@test("a target restored from an old backup gets what it lost, and keeps what others sent since", slow=True)
def target_restored(world):
    for foreign in (0, 3, 12, 40):  # none; some of the UIDs are used again; all; and more
        with world.private(Dovecot) as target:
            user, here, there, ends = pair(world, box(INBOX=some(30)), target=target)
            journal = world.journal()
            world.copy(*ends, journal=journal).expect_code(0)
            backup = Backup(world, target, user)
            add(here, some(12, "later"))
            world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=12)
            backup.restore()
            strangers = some(foreign, "foreign")
            add(there, strangers)
            if foreign == 12:  # the listing is as it was, so that something else must open the folder
                add(here, some(1, "opens it"))
            world.copy(*ends, journal=journal).expect_code(0).expect_balance()
            found, count = stored(there), len(stored(here))
            told = f"after {foreign} foreign messages"
            expect(stored(here).keys() <= found.keys(), f"{len(stored(here).keys() - found.keys())} messages are lost", told)
            expect(len(found) == count + foreign, f"{len(found)} messages", told)
            world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=0, present=count)


@test("a source restored from an old backup: other messages under the UIDs of those that are gone", slow=True)
def source_restored(world):
    for new in (0, 5, 12, 20):
        with world.private(Dovecot) as source:
            user, here, there, ends = pair(world, box(INBOX=some(30)), source=source)
            journal = world.journal()
            with logged_in(here) as imap:  # so that the backup knows its UIDs
                imap.command("SELECT INBOX")
            backup = Backup(world, source, user)
            add(here, some(12, "gone"))
            world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=42)
            backup.restore()
            add(here, some(new, "new"))
            for _ in range(2):
                world.copy(*ends, journal=journal).expect_code(0).expect_balance().expect_counts(seen=30 + new)
            told = f"after {new} new messages"
            found = stored(there)
            expect(stored(here).keys() <= found.keys(), f"{len(stored(here).keys() - found.keys())} messages are lost", told)
            expect(len(found) == 42 + new, f"{len(found)} messages", told)


def _validity(end):
    @test(f"a folder of the {end} that was made anew between runs is matched, and what is missing goes over")
    def validity(world):
        mail = some(20, "one")
        user, here, there, ends = pair(world, box(INBOX=some(3), One=mail))
        journal = world.journal()
        world.copy(*ends, journal=journal).expect_code(0)
        new, strangers = some(2, "new"), some(40, "strangers")
        if end == "source":
            replace_folder(here, "One", mail[::-1] + new)
        else:
            add(here, new, "One")
            replace_folder(there, "One", mail[10:] + mail[:5])
        run = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
        run.expect_counts(seen=25, copied=2 if end == "source" else 7)
        expect("UIDVALIDITY" in run.err, "not told:", run)
        expect_equal(here, there)
        world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=0, present=25)
        if end == "target":  # and with a higher UIDNEXT than before
            replace_folder(there, "One", strangers + mail[:10])
            world.copy(*ends, journal=journal).expect_code(0).expect_counts(seen=25, copied=12)
            expect(stored(there, "One").keys() == names(mail + new + strangers), "not the right mail")

    @test(f"a folder of the {end} that is made anew in the middle of a run is carried in the end", slow=True)
    def validity_meanwhile(world):
        source, target = world.dovecot(), world.target(capability=hide("MULTIAPPEND"))
        user = world.user(source, target)
        mail = mailboxes.small(400, seed="mid").folders[0].messages
        fill(source, user, box(INBOX=[], One=mail))
        here, there = Endpoint.of(source, user), Endpoint.of(target, user)
        journal = world.journal()
        with world.proxy(target.imap, delay_ms=10, mb_per_second=0.08) as proxy:
            ends = url(source, user), url(target, user, port=proxy[target.imap])
            process = world.start(world.argv(*ends, "--timeout", "20", journal=journal))
            while len(picture(there)[0].get(("One",), [])) < 60:
                time.sleep(0.02)
            replace_folder(here if end == "source" else there, "One", mail[::-1] if end == "source" else mail[20:30])
            expect(world.alive(process), "the run was too fast for this test")
            first = world.finish(process).expect_code(0, 65, 75).expect_balance()
            last = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
        expect_equal(here, there)
        last.expect_counts(seen=400)
        return f"exit {first.code}, then {last.messages['copied']} copied"


for _end in ("source", "target"):
    _validity(_end)


@test("a journal deleted between two halves of a crossing costs no message and doubles none")
def journal_deleted(world):
    for target in (world.target(), world.cyrus()):
        source = world.dovecot()
        user = world.user(source, target)
        mail = everyday("deleted") + mailboxes.small(300, seed="rest").folders[0].messages
        fill(source, user, box(INBOX=mail))
        there = Endpoint.of(target, user)
        with world.proxy(target.imap, delay_ms=5, mb_per_second=0.5) as proxy:
            ends = url(source, user), url(target, user, port=proxy[target.imap])
            process = world.start(world.argv(*ends, journal=world.journal()))
            while len(picture(there)[0].get(("INBOX",), [])) < 100:
                time.sleep(0.01)
            world.signal(process, 9)
            world.finish(process)
            time.sleep(1)  # without the journal nobody knows what the server may still have in hand
            run = world.copy(*ends).expect_code(0).expect_balance()
        expect(run.messages["present"] >= 100, "what was there was not found:", run.messages)
        expect_equal(Endpoint.of(source, user), there)
