"""Nothing lost, doubled or altered: the awkward mailbox across every pair of servers."""
import hashlib

import mailbox as mailboxes
from harness import Endpoint, expect, expect_equal, fill, test, url
from verify import Account
from wire import Imap, ImapError, quoted

GERMAN = mailboxes.awkward().roles()
ENGLISH = {"Sent": "\\Sent", "Drafts": "\\Drafts", "Trash": "\\Trash", "Junk": "\\Junk"}
# What may not stand in a folder's name on Cyrus 3.6, asked of it character by character.
CYRUS_REFUSES = set('!"%;<>\\^`{|}')


def refused_by(world, server, source):
    """Digests of the messages at SOURCE that SERVER does not take, with its words; asked with our own client."""
    scratch, refused = world.user(server, stem="scratch"), {}
    account = Account(source)
    with Imap(server.imap) as target:
        target.login(scratch, server.password)
        for path, wire in account.folders.items():
            if path not in (("INBOX",), ("Poison",)):
                continue
            account.imap.command(f"EXAMINE {quoted(wire)}")
            for literals in account.imap.command("FETCH 1:* BODY.PEEK[]").literals:
                if not literals:
                    continue
                try:
                    target.append("INBOX", literals[0])
                except ImapError as words:
                    refused[hashlib.sha256(literals[0]).digest()] = str(words).split(" NO ", 1)[-1]
    account.close()
    return refused


def cross(world, source, target, mailbox=None, storable=lambda path: True, **verify_options):
    """One crossing of the awkward mailbox, verified; then a second run, which must find nothing to do."""
    user = world.user(source, target)
    fill(source, user, mailbox or mailboxes.awkward())
    here, there = Endpoint.of(source, user), Endpoint.of(target, user)
    refused = refused_by(world, target, here) if target.rejects else {}
    journal = world.journal()
    first = world.copy(url(source, user), url(target, user), journal=journal)
    first.expect_code(65 if refused else 0).expect_balance()
    expect(first.json["outcome"] == ("partial" if refused else "complete"), "outcome:", first.json["outcome"])
    report = expect_equal(here, there, by_content=True, leave_out=lambda _, m: m.digest in refused, **verify_options)
    for path, other in report.renamed.items():
        role = path[0] in GERMAN and len(path) == 1
        expect(role or not storable(path), "a name was changed without need:", path, "->", other)
    total = report.source_messages + len(refused)
    first.expect_counts(seen=total, copied=total - len(refused), rejected=len(refused), present=0, pending=0)
    for words in set(refused.values()):
        expect(words.split("[")[0].strip() in first.err, f"the server's words {words!r} are not told:", first)
    again = world.copy(url(source, user), url(target, user), journal=journal)
    again.expect_code(65 if refused else 0).expect_balance()
    again.expect_counts(seen=total, copied=0, present=total - len(refused), rejected=len(refused))
    report = expect_equal(here, there, by_content=True, leave_out=lambda _, m: m.digest in refused, **verify_options)
    return f"{total} messages, {len(refused)} refused, {len(report.renamed)} folders under other names" + (
        ", other order in some folder" if report.counts["order"] else "")


@test("Dovecot to Dovecot keeps everything, and roles find their folder in another language")
def dovecot_to_dovecot(world):
    return cross(world, world.dovecot(special=GERMAN), world.target(special=ENGLISH, auto=True))


@test("Dovecot with dots to Dovecot with slashes: a slash in a name finds a place")
def dots_to_slashes(world):
    return cross(world, world.dovecot(special=GERMAN, separator="."), world.target(special=ENGLISH, auto=True),
                 storable=lambda path: not any("/" in level for level in path))


@test("Dovecot to a server that keeps everything below INBOX.")
def to_prefix(world):
    target = world.target(special=ENGLISH, auto=True, separator=".", prefix="INBOX.")
    return cross(world, world.dovecot(special=GERMAN), target,
                 storable=lambda path: not any("." in level for level in path) and path[0] != "INBOX")


@test("a server that keeps everything below INBOX. to Dovecot")
def from_prefix(world):
    box = mailboxes.awkward()
    box.folders = [f for f in box.folders if f.path != ("INBOX", "child")]
    return cross(world, world.dovecot(special=GERMAN, separator=".", prefix="INBOX."),
                 world.target(special=ENGLISH, auto=True), box, storable=lambda path: not any("/" in p for p in path))


@test("Dovecot in another time zone and another store to Dovecot keeps every instant")
def time_zones(world):
    return cross(world, world.dovecot(special=GERMAN, timezone="Asia/Kolkata"),
                 world.target(special=ENGLISH, auto=True, store="mdbox", timezone="America/St_Johns"))


@test("Dovecot to Cyrus keeps everything that Cyrus takes and tells the rest")
def dovecot_to_cyrus(world):
    return cross(world, world.dovecot(special=GERMAN), world.cyrus(), allow_parents=True,
                 storable=lambda path: not any(set(level) & CYRUS_REFUSES for level in path))


@test("Dovecot to Cyrus with everything below INBOX and dots")
def dovecot_to_old_cyrus(world):
    return cross(world, world.dovecot(special=GERMAN), world.cyrus(altnamespace=False, unixsep=False), allow_parents=True,
                 storable=lambda path: path[0] != "INBOX" and not any(set(level) & (CYRUS_REFUSES | {"."}) for level in path))


@test("Cyrus to Dovecot keeps everything")
def cyrus_to_dovecot(world):
    return cross(world, world.cyrus("source"), world.target(special=ENGLISH, auto=True), fold_nul=True)


@test("Cyrus to Cyrus keeps everything")
def cyrus_to_cyrus(world):
    return cross(world, world.cyrus("source"), world.cyrus(), allow_parents=True)


@test("Dovecot to a Cyrus that munges 8-bit headers finds its mail again without the journal")
def munged(world):
    source, target = world.dovecot(special=GERMAN), world.cyrus(munge8bit=None)
    user = world.user(source, target)
    fill(source, user, mailboxes.awkward(poison=False))
    first = world.copy(url(source, user), url(target, user)).expect_code(0)
    again = world.copy(url(source, user), url(target, user)).expect_code(0).expect_balance()
    again.expect_counts(copied=0, present=first.messages["seen"])
