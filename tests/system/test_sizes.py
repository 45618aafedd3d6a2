"""Large ones: a message of 64 MiB, a folder of 50,000 messages, 500 folders; memory stays small."""
import mailbox as mailboxes
from harness import Endpoint, expect, expect_equal, fill, sanitized, test, url

PEAK_MIB = 96  # of a release build; sanitizers take several times as much


def cross(world, mailbox, source=None, target=None, scheme="imap", timeout=280):
    source, target = source or world.dovecot(), target or world.target()
    user = world.user(source, target)
    fill(source, user, mailbox)
    journal = world.journal()
    ends = url(source, user, scheme), url(target, user)
    first = world.copy(*ends, journal=journal, timeout=timeout).expect_code(0).expect_balance()
    first.expect_counts(seen=mailbox.count(), copied=mailbox.count())
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user), content_only=scheme == "pop3", allow_parents=True)
    again = world.copy(*ends, journal=journal, timeout=timeout).expect_code(0)
    again.expect_counts(copied=0, present=mailbox.count())
    peak = max(first.peak_mib, again.peak_mib)
    if not sanitized(world):
        expect(peak < PEAK_MIB, f"peak memory {peak:.0f} MiB")
    return f"{first.seconds:.1f} s, again {again.seconds:.1f} s, peak {peak:.0f} MiB"


@test("a message of 64 MiB, IMAP to Dovecot", slow=True)
def big(world):
    return cross(world, mailboxes.big())


@test("a message of 64 MiB, IMAP to Cyrus", slow=True)
def big_to_cyrus(world):
    return cross(world, mailboxes.big(), target=world.cyrus())


@test("a message of 64 MiB, POP3 to Dovecot", slow=True)
def big_by_pop3(world):
    return cross(world, mailboxes.big(), scheme="pop3")


@test("a folder of 50,000 messages", slow=True)
def many(world):
    return cross(world, mailboxes.small(50_000))


@test("500 folders", slow=True)
def wide(world):
    return cross(world, mailboxes.wide(500))


@test("500 folders into Cyrus", slow=True)
def wide_to_cyrus(world):
    return cross(world, mailboxes.wide(500, 1), target=world.cyrus())


@test("a folder of 10,000 messages by POP3", slow=True)
def many_by_pop3(world):
    return cross(world, mailboxes.small(10_000), scheme="pop3")


@test("an empty account, and one whose folders are empty")
def empty(world):
    for box in (mailboxes.Mailbox([mailboxes.Folder(("INBOX",))]),
                mailboxes.Mailbox([mailboxes.Folder(("INBOX",)), mailboxes.Folder(("a", "b")), mailboxes.Folder(("c",))])):
        cross(world, box)
