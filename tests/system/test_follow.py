"""Later runs: what changed at the source follows, what a user did on the target stands, a folder with
nothing to do is not opened, and nothing is deleted that anyone might miss."""
import re
import shutil
import time

import mailbox as mailboxes
from dovecot import Dovecot, hide
from harness import (Endpoint, add, change, expect, expect_equal, fill, logged_in, replace_folder, status, test, url)
from test_runs import pair, picture
from wire import quoted

NO_CONDSTORE = hide("CONDSTORE", "QRESYNC")


def some(count, seed="some", **fields):
    """Messages of one seed; the same seed makes the same ones."""
    maker = mailboxes.Maker(seed)
    return [maker.message(f"{seed} {i}", maker.ordinary(700 + i), **fields) for i in range(count)]


def box(**folders):
    """A mailbox of the given folders: a list of messages each."""
    return mailboxes.Mailbox([mailboxes.Folder(tuple(name.split("/")), list(messages))
                              for name, messages in folders.items()])


def stored(endpoint, folder="INBOX"):
    """{Message-ID: message} of a folder; every message must have one of its own."""
    messages = picture(endpoint)[0].get(tuple(folder.split("/")), [])
    found = {m.name: m for m in messages}
    expect(len(found) == len(messages), f"{folder} holds {len(messages)} messages, but {len(found)} Message-IDs")
    return found


def names(messages):
    return {re.search(rb"(?im)^message-id: *\S+", m.data).group(0).decode() for m in messages}


def settled_pair(world, mailbox, **servers):
    """A pair that has been copied, and once more: Dovecot begins to count a folder's changes when it
    is first asked, so that the second run still opens what the first one has."""
    user, here, there, ends = pair(world, mailbox, **servers)
    journal = world.journal()
    for _ in range(2):
        world.copy(*ends, journal=journal).expect_code(0)
    return user, here, there, ends, journal


def opened(world, ends, journal, *options, code=0):
    """The source folders that a run opens, and the run."""
    path = world.file("transcript")
    run = world.copy(*ends, "--transcript", path, *options, journal=journal).expect_code(code).expect_balance()
    text = path.read_text(errors="replace")
    expect("C: A" in text, "there is no dialogue in the transcript")
    return set(re.findall(r'C: \w+ EXAMINE "?([^"\s]+)"?', text)), run


# New, changed, vanished.

def _following(name, **server):
    @test(f"new mail and changed flags follow, what is gone stays, {name}")
    def following(world):
        mail = box(INBOX=some(40, "f", flags=("\\Seen",), keywords=()), Other=some(5, "o"))
        user, here, there, ends, journal = settled_pair(world, mail, source=world.dovecot(**server))
        change(here, "STORE 1:3 +FLAGS (\\Flagged $Forwarded)", "STORE 4:6 -FLAGS (\\Seen)", "STORE 7 FLAGS (\\Answered)",
               "STORE 8:9 +FLAGS (\\Deleted)", "EXPUNGE")
        add(here, some(3, "new"))
        run = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
        run.expect_counts(seen=46, copied=3, present=43)
        expect(run.account["flags_updated"] == 7, "flags_updated is", run.account["flags_updated"])
        at_source, at_target = stored(here), stored(there)
        expect(len(at_target) == 43 and at_source.keys() <= at_target.keys(), "mail is not where it belongs")
        alike = lambda one, two: (one.flags, one.keywords, one.digest) == (two.flags, two.keywords, two.digest)
        wrong = [name for name, message in at_source.items() if not alike(message, at_target[name])]
        expect(not wrong, "other flags on the target:", wrong)
        world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=0, present=46)


_following("by CONDSTORE")
_following("without CONDSTORE", capability=NO_CONDSTORE)


@test("a user's own flags on the target stand: only what the source gained or lost is applied")
def own_flags(world):
    for server in ({}, {"capability": NO_CONDSTORE}):
        mail = box(INBOX=some(6, flags=("\\Seen",), keywords=()))
        user, here, there, ends, journal = settled_pair(world, mail, source=world.dovecot(**server))
        change(there, "STORE 1:6 +FLAGS (Mine \\Draft)", "STORE 2:3 -FLAGS (\\Seen)", "STORE 4 +FLAGS (\\Flagged)")
        change(here, "STORE 1:2 +FLAGS (\\Answered)", "STORE 3:4 +FLAGS (\\Flagged)", "STORE 5 -FLAGS (\\Seen)")
        world.copy(*ends, journal=journal).expect_code(0)
        expected = {1: {"\\seen", "\\answered"}, 2: {"\\answered"}, 3: {"\\flagged"}, 4: {"\\seen", "\\flagged"}, 5: set(),
                    6: {"\\seen"}}
        for message in picture(there)[0][("INBOX",)]:
            wanted = expected[message.uid] | {"\\draft"}
            expect(message.flags == wanted and message.keywords == {"mine"}, f"UID {message.uid}:", set(message.flags),
                   set(message.keywords), "instead of", wanted)
        # What the source took back, and what it never had.
        change(here, "STORE 4 -FLAGS (\\Flagged)", "STORE 6 -FLAGS (\\Draft Mine)")
        world.copy(*ends, journal=journal).expect_code(0)
        after = {m.uid: m for m in picture(there)[0][("INBOX",)]}
        expect(after[4].flags == {"\\seen", "\\draft"}, "a flag the source lost is still there:", after[4])
        expect(after[6].flags == {"\\seen", "\\draft"} and after[6].keywords == {"mine"}, "the user's flags are gone:", after[6])


@test("flags that change while a run is going on follow with the next run")
def changed_meanwhile(world):
    source, target = world.dovecot(), world.target(capability=hide("MULTIAPPEND"))
    user = world.user(source, target)
    fill(source, user, box(INBOX=some(400, "slow"), Other=some(3, "o")))
    here, there, journal = Endpoint.of(source, user), Endpoint.of(target, user), world.journal()
    with world.proxy(target.imap, delay_ms=5, mb_per_second=0.3) as proxy:
        ends = url(source, user), url(target, user, port=proxy[target.imap])
        process = world.start(world.argv(*ends, "--sessions", "1", journal=journal))
        while not picture(there)[0].get(("INBOX",)):
            time.sleep(0.02)
        change(here, "STORE 1 +FLAGS (\\Flagged)", "STORE 400 +FLAGS (\\Flagged)")
        add(here, some(2, "new"))
        expect(world.alive(process), "the run was too fast for this test")
        world.finish(process).expect_code(0).expect_balance()
        world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=2)
    expect_equal(here, there)


@test("what a user deleted or moved on the target does not come back")
def deleted_on_target(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(20)))
    change(there, "CREATE Kept", "COPY 4:6 Kept", "STORE 4:9 +FLAGS (\\Deleted)", "EXPUNGE")
    add(here, some(1, "new"))
    change(here, "STORE 4:9 +FLAGS (\\Seen)")
    world.copy(*ends, journal=journal).expect_code(0).expect_counts(seen=21, copied=1, present=20)
    expect(len(stored(there)) == 15, "the target's INBOX holds", len(stored(there)))
    expect(len(stored(there, "Kept")) == 3, "what was moved away is not there")


# The skip rule.

@test("a run with nothing to do opens no folder, and one change opens one folder")
def skipped(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(8, "a"), One=some(5, "b"), Two=some(5, "c"), Empty=[]))
    seen, run = opened(world, ends, journal)
    expect(seen == set(), "opened without need:", seen)
    run.expect_counts(seen=18, present=18)
    for command in ("STORE 2 +FLAGS (\\Flagged)", "STORE 2 +FLAGS (NewWord)", "STORE 2 -FLAGS (\\Flagged)"):
        change(here, command, folder="One")
        seen, run = opened(world, ends, journal)
        expect(seen == {"One"} and run.account["flags_updated"] == 1, command, "opens", seen, run.account["flags_updated"])
    change(here, "STORE 3 +FLAGS (\\Deleted)", "EXPUNGE", folder="Two")
    seen, run = opened(world, ends, journal)
    expect(seen == {"Two"}, "an expunge opens", seen)
    add(here, some(1, "new"), "Empty")
    seen, run = opened(world, ends, journal)
    expect(seen == {"Empty"} and run.messages["copied"] == 1, "a new message opens", seen, run.messages)
    expect(opened(world, ends, journal)[0] <= {"Empty"} and opened(world, ends, journal)[0] == set(), "opened without need")


@test("one message in, one out: the count alone does not tell")
def one_in_one_out(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(8)))
    change(here, "STORE 3 +FLAGS (\\Deleted)", "EXPUNGE")
    add(here, some(1, "in"))
    seen, run = opened(world, ends, journal)
    expect(seen == {"INBOX"}, "opened:", seen)
    run.expect_counts(seen=8, copied=1)


@test("without CONDSTORE no folder with mail is passed over")
def never_skipped(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(8, "a"), One=some(5, "b"), Empty=[]),
                                                    source=world.dovecot(capability=NO_CONDSTORE))
    seen, run = opened(world, ends, journal)
    expect({"INBOX", "One"} <= seen, "opened:", seen)


@test("a folder of another UIDVALIDITY is opened, at either end, though all other numbers are the same")
def validity_opens(world):
    def numbers(end):
        with logged_in(end) as imap:
            line = imap.command("STATUS One (MESSAGES UIDNEXT HIGHESTMODSEQ UIDVALIDITY)").lines[0].decode()
        return re.sub(r"UIDVALIDITY \d+ ?", "", line)
    mail = some(5, "one")
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(3), One=mail))
    for end in (here, there):
        before = None
        for time_made in range(3):  # from the second time on, all is as the time before
            replace_folder(end, "One", mail)
            now = numbers(end)
            expect(time_made == 0 or now == before, f"{now} after {before}")
            before = now
            seen, run = opened(world, ends, journal)
            expect(seen == {"One"}, f"made for the {time_made + 1}. time, opened:", seen)
            run.expect_counts(seen=8, copied=0, present=8)
            opened(world, ends, journal)
            expect(opened(world, ends, journal)[0] == set(), "opened without need")
            before = numbers(end)
    expect_equal(here, there)


@test("a target folder whose mail was lost with its UIDs is opened and filled again")
def target_lost(world):
    mail = some(5, "one")
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(3), One=mail))
    with logged_in(there) as imap:
        imap.command("DELETE One")
    seen, run = opened(world, ends, journal)
    expect(seen == {"One"}, "opened:", seen)
    run.expect_counts(copied=5, present=3)
    expect_equal(here, there)


@test("other options open every folder again: filters that change never hide mail")
def options_changed(world):
    def check(told, want, *options):
        seen, run = opened(world, ends, journal, *options)
        expect(seen >= want, told, "opens", seen)
        return run
    old, new = some(6, "old", when=1_000_000_000), some(4, "new", when=1_600_000_000)
    large = [mailboxes.Message("large", mailboxes.Maker("large").ordinary(90_000), when=1_600_000_000)]
    user, here, there, ends = pair(world, box(INBOX=old + new + large, Work=some(3, "w"), Play=some(3, "p")))
    journal = world.journal()
    part = ["--since", "2015-01-01", "--max-size", "50k", "--folder", "INBOX"]
    check("the first run", {"INBOX"}, *part).expect_counts(seen=11, filtered=7)
    expect(stored(there).keys() == names(new), "not what was asked for:", len(stored(there)))
    check("a larger --max-size", {"INBOX"}, "--since", "2015-01-01", "--folder", "INBOX").expect_counts(copied=1, filtered=6)
    check("--before", {"INBOX"}, "--before", "2002-01-01", "--folder", "INBOX").expect_counts(copied=6, present=5, filtered=0)
    check("--exclude", {"INBOX", "Work"}, "--exclude", "Play").expect_counts(copied=3, present=11)
    check("no filter", {"INBOX", "Work", "Play"}).expect_counts(copied=3, present=14)
    expect_equal(here, there)
    # What is left out now is not gone.
    for options in (part, ["--exclude", "**"], ["--before", "1990-01-01"]):
        opened(world, ends, journal, *options, "--deletions", "mirror")
        expect_equal(here, there)


@test("a --map that changes between runs neither hides nor doubles mail")
def map_changed(world):
    user, here, there, ends = pair(world, box(INBOX=some(3), Work=some(6, "w")))
    journal = world.journal()
    world.copy(*ends, "--map", "Work=Old/Work", journal=journal).expect_code(0).expect_counts(copied=9)
    add(here, some(2, "later"), "Work")
    for options, copied in ((["--map", "Work=New"], 2), ([], 0), (["--map", "Work=Old/Work"], 0)):
        world.copy(*ends, *options, journal=journal).expect_code(0).expect_counts(seen=11, copied=copied, present=11 - copied)
    found = [name for folder in ("Work", "Old/Work", "New") for name in stored(there, folder)]
    expect(sorted(found) == sorted(stored(here, "Work")), "the mail of Work is found as", found)


@test("a filter that came between a killed run and the next one leaves no message twice")
def filter_after_kill(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, box(INBOX=some(600, "k")))
    here, there, journal = Endpoint.of(source, user), Endpoint.of(target, user), world.journal()
    with world.proxy(target.imap, delay_ms=20, mb_per_second=0.5) as proxy:
        ends = url(source, user), url(target, user, port=proxy[target.imap])
        process = world.start(world.argv(*ends, journal=journal))
        while len(picture(there)[0].get(("INBOX",), [])) < 100:
            time.sleep(0.01)
        world.signal(process, 9)
        world.finish(process)
        world.copy(*ends, "--since", "2030-01-01", journal=journal).expect_code(0).expect_counts(copied=0)
        world.copy(*ends, journal=journal).expect_code(0)
    expect_equal(here, there)


# Deletions.

def gone(endpoint, numbers, folder="INBOX"):
    change(endpoint, f"STORE {numbers} +FLAGS (\\Deleted)", "EXPUNGE", folder=folder)


@test("deletions are kept unless asked for, and mirrored where they are")
def deletions(world):
    for server in ({}, {"capability": NO_CONDSTORE}):
        user, here, there, ends, journal = settled_pair(world, box(INBOX=some(30)), source=world.dovecot(**server))
        add(there, some(4, "foreign"))
        gone(here, "1:5")
        world.copy(*ends, journal=journal).expect_code(0)
        expect(len(stored(there)) == 34, "deleted without being asked")
        run = world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(0).expect_balance()
        expect(run.account["deleted"] == 5, "deleted is", run.account["deleted"])
        expect(stored(there).keys() == stored(here).keys() | names(some(4, "foreign")), "not the right ones")
        again = world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(0)
        expect(again.account["deleted"] == 0, "deleted again:", again.account["deleted"])


@test("only what postferry appended is ever deleted, not what was there already")
def deletions_adopted(world):
    mail = some(12)
    user, here, there, ends = pair(world, box(INBOX=mail))
    add(there, mail[:6])
    journal = world.journal()
    world.copy(*ends, journal=journal).expect_code(0).expect_counts(present=6, copied=6)
    gone(here, "5:8")
    run = world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(0)
    expect(run.account["deleted"] == 2, "deleted is", run.account["deleted"])
    expect(stored(there).keys() == names(mail) - names(mail[6:8]), "not the right ones")


@test("more than a tenth of a folder, and over 20 messages, needs --force-deletions: 65")
def deletions_many(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(60), Other=some(40, "o")))
    gone(here, "1:20", "Other")  # half of it, but not over 20
    world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(0).expect_balance()
    expect(len(stored(there, "Other")) == 20, "20 messages are not many")
    gone(here, "1:21")
    add(here, some(2, "new"))
    run = world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(65).expect_balance()
    expect("--force-deletions" in run.err and "INBOX" in run.err, "not told:", run)
    expect(len(stored(there)) >= 60, "deleted all the same:", len(stored(there)))
    world.copy(*ends, journal=journal).expect_code(0)
    expect(len(stored(there)) == 62, "new mail does not follow")
    run = world.copy(*ends, "--deletions", "mirror", "--force-deletions", journal=journal).expect_code(0)
    expect(run.account["deleted"] == 21, "deleted is", run.account["deleted"])
    expect_equal(here, there)


@test("a folder that is emptied needs --force-deletions, one whose messages were moved does not")
def deletions_most(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(8), Work=some(5, "w"), Archive=some(20, "a")))
    mirror = ("--deletions", "mirror")
    change(here, "COPY 1:8 Archive", "STORE 1:8 +FLAGS (\\Deleted)", "EXPUNGE")
    run = world.copy(*ends, *mirror, journal=journal).expect_code(0).expect_balance()
    expect(run.account["deleted"] == 8 and not stored(there), "what was moved:", run)
    gone(here, "1:5", "Work")
    for more in range(2):
        run = world.copy(*ends, *mirror, journal=journal).expect_code(65).expect_balance()
        expect("5 of 5 messages" in run.err and "--force-deletions" in run.err and "Work" in run.err, "not told:", run)
    expect(len(stored(there, "Work")) == 5, "deleted all the same:", len(stored(there, "Work")))
    run = world.copy(*ends, *mirror, "--force-deletions", journal=journal).expect_code(0)
    expect(run.account["deleted"] == 5, "deleted is", run.account["deleted"])


@test("an old journal that is put back after --after-copy delete does not take the last copies")
def deletions_old_journal(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(17), Other=some(3, "o"), Kept=some(4, "k")))
    old = journal.read_bytes()
    only = ("--folder", "INBOX", "--folder", "Other")
    world.copy(*ends, *only, "--after-copy", "delete", journal=journal).expect_code(0)
    expect(not stored(here) and len(stored(there)) == 17, "not moved")
    for file in journal.parent.glob(journal.name + "*"):
        file.unlink()
    journal.write_bytes(old)
    add(here, some(2, "new"))
    world.copy(*ends, journal=journal).expect_code(0)
    run = world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(65).expect_balance()
    expect(run.account["deleted"] == 0 and len(stored(there)) == 19, "the last copies are gone:", run)


@test("a folder or a UIDVALIDITY that vanished at the source deletes nothing, in the whole run")
def deletions_guarded(world):
    mail = some(8, "one")
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(30), One=mail, Two=some(8, "two")))

    def nothing_deleted(told):
        run = world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(0)
        expect(run.account["deleted"] == 0, told, "deletes", run.account["deleted"])
        expect(len(stored(there)) == 30 and len(stored(there, "One")) == 8, told, "costs mail")
    gone(here, "1:2")
    replace_folder(here, "One", mail[2:])
    nothing_deleted("a UIDVALIDITY that changed")
    gone(here, "1:2")
    with logged_in(here) as imap:
        imap.command("DELETE One")
    nothing_deleted("a folder that is gone")
    run = world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(0)
    expect(run.account["deleted"] == 4 and len(stored(there)) == 26, "the next run deletes", run.account["deleted"])
    expect(len(stored(there, "One")) == 8, "mail of the missing folder is gone")


@test("deletions are never mirrored for POP3")
def deletions_pop3(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, box(INBOX=some(10)))
    journal = world.journal()
    ends = url(source, user, "pop3"), url(target, user)
    world.copy(*ends, journal=journal).expect_code(0)
    gone(Endpoint.of(source, user), "1:4")
    run = world.copy(*ends, "--deletions", "mirror", journal=journal)
    expect(run.code in (0, 64), "exit", run)
    expect(len(stored(Endpoint.of(target, user))) == 10, "deleted on the target")
    return f"exit {run.code}"


@test("what --after-copy removed from the source is never taken for deleted there")
def deletions_of_our_own(world):
    user, here, there, ends = pair(world, box(INBOX=some(15)))
    journal = world.journal()
    world.copy(*ends, "--after-copy", "delete", journal=journal).expect_code(0)
    expect(not stored(here) and len(stored(there)) == 15, f"{len(stored(here))} left, {len(stored(there))} copied")
    add(here, some(3, "new"))
    world.copy(*ends, "--after-copy", "delete", "--deletions", "mirror", journal=journal).expect_code(64)
    for _ in range(2):
        run = world.copy(*ends, "--deletions", "mirror", "--force-deletions", journal=journal).expect_code(0)
        expect(run.account["deleted"] == 0 and len(stored(there)) == 18, "deleted is", run.account["deleted"])


@test("without UIDPLUS what is gone is marked as deleted and nothing is expunged")
def deletions_without_uidplus(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(12)), target=world.target(capability=hide("UIDPLUS")))
    change(there, "STORE 9 +FLAGS (\\Deleted)")  # the user's own, which an EXPUNGE or CLOSE would take away
    gone(here, "1:3")
    run = world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(0)
    expect("UIDPLUS" in run.err, "not told:", run)
    marked = {m.uid for m in picture(there)[0][("INBOX",)] if "\\deleted" in m.flags}
    expect(marked == {1, 2, 3, 9} and len(stored(there)) == 12, "marked:", marked, "of", len(stored(there)))


@test("a copy whose UID now names another message is not deleted")
def deletions_other_message(world):
    with world.private(Dovecot) as target:
        user, here, there, ends, journal = settled_pair(world, box(INBOX=some(12)), target=target)
        home, backup = target.home(user), world.file("backup")
        shutil.copytree(home, backup, symlinks=True)
        add(here, some(3, "later"))
        world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=3)
        target.stop()
        shutil.rmtree(home)
        shutil.copytree(backup, home, symlinks=True)
        target.own(home)
        target.start()
        foreign = some(6, "foreign")
        add(there, foreign)  # on the UIDs of the later ones, and beyond
        with logged_in(here) as imap:
            expect(status(imap, "INBOX")["MESSAGES"] == 15, "the source is not as it was")
        gone(here, "13:15")
        world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(0)
        expect(names(foreign) <= stored(there).keys(), "somebody else's mail was deleted")
