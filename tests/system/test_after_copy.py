"""--after-copy: what has arrived leaves the source, nothing else does, and nothing is lost or doubled."""
import contextlib
import itertools
import random
import signal
import time

import mailbox as mailboxes
from dovecot import hide
from harness import Endpoint, change, expect, expect_appended_once, expect_equal, fill, logged_in, test, url
from test_faults import KILLS, SEED, Quota, in_parallel
from verify import Account


def accounts(world, box, scheme, source=None):
    """A source to empty, the same mail beside it to compare with, and a target; all of Dovecot."""
    source, target = source or world.dovecot(), world.target()
    user = world.user(source, target)
    beside = world.user(source, stem="beside")
    for each in (user, beside):
        fill(source, each, box)
    here, there, kept = Endpoint.of(source, user), Endpoint.of(target, user), Endpoint.of(source, beside)
    return source, target, user, here, there, kept, (url(source, user, scheme), url(target, user))


def left(endpoint):
    """How many messages an account has, and how many of them are marked \\Deleted."""
    with contextlib.closing(Account(endpoint)) as account:
        messages = account.messages(("INBOX",))
        return len(messages), sum("\\deleted" in m.flags for m in messages)


def emptied(world, scheme):
    box = mailboxes.mixed(120, 1, seed=f"emptied {scheme}")
    count = box.count()
    _, _, _, here, there, kept, ends = accounts(world, box, scheme)
    journal = world.journal()
    world.copy(*ends, "--max-size", "20k", journal=journal).expect_code(0)
    expect(left(here)[0] == count, "a message is gone though it was to be kept")
    first = world.copy(*ends, "--after-copy", "delete-after=1", journal=journal).expect_code(0).expect_balance()
    expect(first.account["removed_from_source"] == 0 and left(here)[0] == count, "removed before it was due")
    run = world.copy(*ends, "--after-copy", "delete", journal=journal).expect_code(0).expect_balance()
    expect(run.account["removed_from_source"] == count, "removed:", run.account)
    expect(left(here)[0] == 0, "the source still has", left(here))
    expect_equal(kept, there, content_only=scheme == "pop3")
    world.copy(*ends, "--after-copy", "delete", journal=journal).expect_code(0).expect_counts(seen=0, copied=0)
    expect_equal(kept, there, content_only=scheme == "pop3")
    expect_appended_once(there)


@test("--after-copy delete empties a POP3 account of what has arrived")
def pop3_emptied(world):
    emptied(world, "pop3")


@test("--after-copy delete empties an IMAP account of what has arrived")
def imap_emptied(world):
    emptied(world, "imap")


@test("one account under two names is not emptied by --after-copy delete")
def one_mailbox(world):
    source = world.dovecot()
    for scheme, host in (("imap", "localhost"), ("pop3", "127.0.0.1")):
        user = world.user(source)
        box = mailboxes.mixed(20, 1, seed=f"one mailbox {scheme}")
        fill(source, user, box)
        beside = world.user(source, stem="beside")
        fill(source, beside, box)
        ends = url(source, user, scheme, host=host), url(source, user)
        run = world.copy(*ends, "--after-copy", "delete").expect_code(65 if scheme == "pop3" else 0).expect_balance()
        expect("one mailbox" in run.err, run.err)
        expect(run.account["removed_from_source"] == 0, "removed:", run.account)
        expect_equal(Endpoint.of(source, beside), Endpoint.of(source, user), content_only=scheme == "pop3")


def filed_away(world, scheme):
    """Six have crossed; of the first three the copies were moved to another folder before any was to leave."""
    box = mailboxes.mixed(6, 1, seed=f"filed away {scheme}")
    _, _, _, here, there, _, ends = accounts(world, box, scheme)
    journal = world.journal()
    world.copy(*ends, journal=journal).expect_code(0)
    with logged_in(there) as imap:
        imap.command("CREATE Away")
    change(there, "UID MOVE 1:3 Away")
    delete = "--after-copy", "delete"
    for removed in (3, 0):
        run = world.copy(*ends, *delete, journal=journal).expect_code(65).expect_balance()
        expect(run.account["removed_from_source"] == removed, "removed:", run.account)
        expect(run.account["left_at_source"] == 3 and len(run.account["left_messages"]) == 3, "told:", run.account)
        expect(run.err.count("3 messages stay at the source") == 1, "not told once:", run.err)
    named = [message["key"] for message in run.account["left_messages"]]
    expect(all(key in run.err for key in named), named, "not all in", run.err)
    quiet = world.copy(*ends, *delete, "--quiet", journal=journal, as_json=False).expect_code(65)
    expect((quiet.out + quiet.err).count("left at the source: ") == 3, "quiet:", quiet.out, quiet.err)
    failed = world.copy(*ends, journal=journal, command="failed").expect_code(65)
    expect([one["key"] for one in failed.account["failed"]] == named, "failed lists", failed.account)
    return ends, journal, delete, here, there


def copies_in(there):
    with contextlib.closing(Account(there)) as account:
        return [len(account.messages((name,))) for name in ("INBOX", "Away")]


@test("what has no copy where it was copied to is told by name, and leaves when its user accepts that")
def accepted_leaves(world):
    for scheme in ("imap", "pop3"):
        ends, journal, delete, here, there = filed_away(world, scheme)
        world.copy(*ends, "--accept", journal=journal, command="failed").expect_code(0)
        expect(left(here)[0] == 3, "left before a run was to remove it")
        run = world.copy(*ends, *delete, journal=journal).expect_code(0).expect_counts(copied=0)
        expect(run.account["removed_from_source"] == 3 and left(here)[0] == 0, "removed:", run.account)
        expect(copies_in(there) == [3, 3], "copies", copies_in(there))
        world.copy(*ends, journal=journal, command="failed").expect_code(0)


@test("what has no copy where it was copied to is sent once more by retry, and leaves then")
def retried_leaves(world):
    for scheme in ("imap", "pop3"):
        ends, journal, delete, here, there = filed_away(world, scheme)
        world.copy(*ends, journal=journal, command="retry").expect_code(0).expect_counts(copied=3)
        run = world.copy(*ends, *delete, journal=journal).expect_code(0).expect_counts(copied=0)
        expect(run.account["removed_from_source"] == 3 and left(here)[0] == 0, "removed:", run.account)
        expect(copies_in(there) == [6, 3], "copies", copies_in(there))


@test("--after-copy delete leaves what was too large, and what its users had marked before")
def others_stay(world):
    box = mailboxes.mixed(40, 1, seed="others stay")
    _, _, _, here, there, _, ends = accounts(world, box, "imap")
    with logged_in(here) as imap:
        imap.command("SELECT INBOX")
        imap.command("STORE 1:* +FLAGS (\\Deleted)")
    largest = max(len(m.data) for m in box.folder("INBOX").messages)
    run = world.copy(*ends, "--after-copy", "delete", "--max-size", str(largest - 1)).expect_code(0).expect_balance()
    filtered = run.messages["filtered"]
    expect(filtered >= 1, "nothing was filtered:", run.messages)
    expect(left(here) == (filtered, filtered), "left at the source:", left(here))
    expect(left(there)[0] == 40 - filtered, "on the target:", left(there))


@test("--after-copy delete without UIDPLUS only marks, says so, and never marks a copy")
def marked(world):
    box = mailboxes.mixed(30, 1, seed="marked")
    source = world.dovecot(capability=hide("UIDPLUS"))
    _, _, _, here, there, _, ends = accounts(world, box, "imap", source)
    before = left(there)
    journal = world.journal()
    run = world.copy(*ends, "--after-copy", "delete", journal=journal).expect_code(0)
    expect("only marked" in run.err, "not said:", run.err)
    for _ in range(2):
        expect(left(here) == (30, 30), "at the source:", left(here))
        expect(left(there) == (before[0] + 30, sum("\\Deleted" in m.flags for m in box.folder("INBOX").messages)),
               "on the target:", left(there))
        world.copy(*ends, "--after-copy", "delete", journal=journal).expect_code(0).expect_counts(copied=0, present=30)


@test("what we removed from the source is never mirrored, and both at once are a usage error")
def never_mirrored(world):
    box = mailboxes.mixed(40, 1, seed="never mirrored")
    _, _, _, here, there, kept, ends = accounts(world, box, "imap")
    journal = world.journal()
    world.copy(*ends, "--after-copy", "delete", "--deletions", "mirror", journal=journal).expect_code(64)
    world.copy(*ends, "--after-copy", "delete", journal=journal).expect_code(0)
    run = world.copy(*ends, "--deletions", "mirror", "--force-deletions", journal=journal).expect_code(0)
    expect(run.account["deleted"] == 0, "deleted on the target:", run.account)
    expect(left(here)[0] == 0, "left at the source:", left(here))
    expect_equal(kept, there)


def kill_while_emptying(world, number, quota, scheme, most=6):
    rnd = random.Random(f"{SEED}/{number}")
    box = mailboxes.mixed(200, 1, seed=f"emptying {number}", largest=40_000)
    source, target, user, here, there, kept, _ = accounts(world, box, scheme)
    journal, made = world.journal(), 0
    with world.proxy(getattr(source, scheme), target.imap, delay_ms=2, mb_per_second=0.6) as proxy:
        ends = (url(source, user, scheme, port=proxy[getattr(source, scheme)]),
                url(target, user, port=proxy[target.imap]))
        argv = world.argv(*ends, "--after-copy", "delete", journal=journal)
        while made < most and quota.take():
            process = world.start(argv)
            time.sleep(rnd.choice([rnd.uniform(0, 0.3), rnd.uniform(0.2, 3), rnd.uniform(0.2, 3), rnd.uniform(1, 5)]))
            met = world.alive(process)
            world.signal(process, signal.SIGKILL)
            world.finish(process)
            if not met:
                quota.give_back()
                break
            made += 1
        world.run(argv).expect_code(0).expect_balance()
        world.run(argv).expect_code(0).expect_counts(seen=0)
    expect(left(here)[0] == 0, "left at the source:", left(here))
    expect_equal(kept, there, content_only=scheme == "pop3")
    expect_appended_once(there)
    return made


def kills_while_emptying(world, count, scheme):
    quota, numbers = Quota(count), itertools.count()

    def worker():
        made = accounts_used = 0
        while quota.left():
            made += kill_while_emptying(world, f"{scheme}{next(numbers)}", quota, scheme)
            accounts_used += 1
        return made, accounts_used
    made, used = (sum(one) for one in zip(*in_parallel([worker] * 2)))
    expect(made == count, f"{made} kills instead of {count}")
    return f"{made} kills over {used} accounts, seed {SEED}"


@test("kill -9 at random moments while POP3 is emptied: lost 0, doubled 0", slow=True)
def killed_pop3(world):
    return kills_while_emptying(world, max(1, KILLS // 4), "pop3")


@test("kill -9 at random moments while IMAP is emptied: lost 0, doubled 0", slow=True)
def killed_imap(world):
    return kills_while_emptying(world, max(1, KILLS // 4), "imap")
