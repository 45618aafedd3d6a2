"""POP3 as a source: bytes, dates, flags, and what a maildrop may do."""
import contextlib
import hashlib
import poplib
import socket
import threading

import mailbox as mailboxes
from harness import Endpoint, expect, expect_equal, fill, logged_in, test, url
from verify import Account
from wire import Imap, ImapError


def maildrop(server, user):
    """Every message as POP3 gives it, dots undone.  Dovecot's POP3 gives a NUL as it is, its IMAP as 0x80."""
    with socket.create_connection(("127.0.0.1", server.pop3), 30) as line, line.makefile("rb") as answers:
        def command(text):
            line.sendall(text.encode() + b"\r\n")
            answer = answers.readline()
            expect(answer.startswith(b"+OK"), text, answer)
            return answer
        answers.readline()
        command(f"USER {user}")
        command(f"PASS {server.password}")
        out = []
        for number in range(1, int(command("STAT").split()[1]) + 1):
            command(f"RETR {number}")
            data = b""
            while (got := answers.readline()) != b".\r\n":
                data += got[1:] if got.startswith(b".") else got
            out.append(data)
        command("QUIT")
    return out


def refused_by(world, server, messages):
    """Digests, NULs folded, of the messages that SERVER does not take."""
    scratch, refused = world.user(server, stem="scratch"), set()
    with Imap(server.imap) as target:
        target.login(scratch, server.password)
        for data in messages:
            try:
                target.append("INBOX", data)
            except ImapError:
                refused.add(hashlib.sha256(data.replace(b"\0", b"\x80")).digest())
    return refused


def cross(world, source, target, **query):
    user = world.user(source, target)
    box = mailboxes.awkward()
    inbox = box.folder("INBOX")
    # Cyrus's pop3d loses the rest of a line behind a NUL: that is no message to compare.
    inbox.messages += [m for m in box.folder("Poison").messages if source.kind == "dovecot" or b"\0" not in m.data]
    fill(source, user, mailboxes.Mailbox([inbox]))
    here, there = Endpoint.of(source, user), Endpoint.of(target, user)
    refused = refused_by(world, target, maildrop(source, user))
    leave_out = lambda _, message: message.digest in refused
    journal = world.journal()
    scheme = query.pop("scheme", "pop3")
    ends = url(source, user, scheme, **query), url(target, user)
    first = world.copy(*ends, journal=journal).expect_code(65 if refused else 0).expect_balance()
    report = expect_equal(here, there, content_only=True, fold_nul=True, leave_out=leave_out)
    first.expect_counts(copied=report.source_messages, rejected=len(refused))
    again = world.copy(*ends, journal=journal).expect_code(65 if refused else 0).expect_balance()
    again.expect_counts(copied=0, present=report.source_messages, rejected=len(refused))
    expect_equal(here, there, content_only=True, fold_nul=True, leave_out=leave_out)
    return f"{report.source_messages} messages, {len(refused)} refused"


@test("POP3 from Dovecot to Dovecot")
def dovecot_to_dovecot(world):
    return cross(world, world.dovecot(), world.target())


@test("POP3 from Dovecot to Cyrus")
def dovecot_to_cyrus(world):
    return cross(world, world.dovecot(), world.cyrus())


@test("POP3 from Cyrus to Dovecot")
def cyrus_to_dovecot(world):
    return cross(world, world.cyrus("source"), world.target())


@test("POP3 from Cyrus to Cyrus")
def cyrus_to_cyrus(world):
    return cross(world, world.cyrus("source"), world.cyrus())


@test("POP3 over TLS and over STLS")
def over_tls(world):
    source = world.dovecot()
    return "; ".join([cross(world, source, world.target(), scheme="pop3s", ca=source.ca),
                      cross(world, source, world.target(), scheme="pop3", ca=source.ca)])


@test("a POP3 message gets its date from the topmost Received, else from Date, and flags from Status")
def dates_and_flags(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    received = ("Received: from a by b with SMTP id 2; Wed, 14 May 2008 11:12:13 +0200\r\n"
                "Received: from c by a with SMTP id 1; Wed, 14 May 2008 10:00:00 +0200\r\n")
    rest = "Date: Tue, 1 Jan 2002 00:00:00 -0500\r\nSubject: s{}\r\nMessage-ID: <{}@d.example>\r\n{}\r\nbody\r\n"
    cases = [(received + rest, "", 1210756333, set()), (rest, "", 1009861200, set()),
             (received + rest, "Status: RO\r\n", 1210756333, {"\\seen"}),
             (rest, "Status: RO\r\nX-Status: AF\r\n", 1009861200, {"\\seen", "\\answered", "\\flagged"})]
    fill(source, user, mailboxes.Mailbox([mailboxes.Folder(("INBOX",), [
        mailboxes.Message(f"{i}", text.format(i, i, status).encode()) for i, (text, status, _, _) in enumerate(cases)])]))
    world.copy(url(source, user, "pop3"), url(target, user)).expect_code(0)
    with contextlib.closing(Account(Endpoint.of(target, user))) as account:
        got = {m.name.split("<")[1][0] if "<" in m.name else m.name.split(" s")[1][0]: m for m in account.messages(("INBOX",))}
    for i, (_, _, when, flags) in enumerate(cases):
        message = got[str(i)]
        expect(message.when == when, f"message {i}: date {message.when}, expected {when}")
        expect(message.flags == flags, f"message {i}: flags {sorted(message.flags)}, expected {sorted(flags)}")


@test("a locked POP3 maildrop is waited for")
def locked(world):
    source, target = world.cyrus("source"), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.small(5))
    holder = poplib.POP3("127.0.0.1", source.pop3, timeout=30)
    holder.user(user)
    holder.pass_(source.password)
    release = threading.Timer(3, holder.quit)
    release.start()
    try:
        run = world.copy(url(source, user, "pop3"), url(target, user), timeout=90).expect_code(0)
    finally:
        release.join()
    run.expect_counts(copied=5)


@test("POP3 leaves the maildrop as it was")
def source_untouched(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.mixed(40, 1))
    with contextlib.closing(Account(Endpoint.of(source, user))) as account:
        before = [m[1:6] for m in account.messages(("INBOX",))]
    world.copy(url(source, user, "pop3"), url(target, user)).expect_code(0)
    with contextlib.closing(Account(Endpoint.of(source, user))) as account:
        after = [m[1:6] for m in account.messages(("INBOX",))]
    expect([(m[0], m[1]) for m in before] == [(m[0], m[1]) for m in after], "messages changed at the source")


@test("a POP3 account all of whose UIDLs change is recognised: nothing is fetched again, nothing copied")
def renumbered(world):
    with world.private(extra="pop3_uidl_format = %08Xu%08Xv\n") as source:
        target = world.target()
        user = world.user(source, target)
        fill(source, user, mailboxes.small(40))
        journal, ends = world.journal(), (url(source, user, "pop3"), url(target, user))
        world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=40)
        with logged_in(Endpoint.of(target, user)) as imap:  # its copies are filed away: only the journal knows
            imap.command("SELECT INBOX")
            imap.command("STORE 1:* +FLAGS (\\Deleted)")
            imap.command("EXPUNGE")
        source.stop()
        source.extra = "pop3_uidl_format = %v-%u\n"
        source.start()
        transcript = world.file("transcript")
        world.copy(*ends, "--transcript", transcript, journal=journal).expect_code(0).expect_counts(copied=0, present=40)
        said = transcript.read_text(errors="replace")
        expect("UIDL" in said and "RETR" not in said, "it was fetched again:", said[-400:])
        world.copy(*ends, "--transcript", transcript, journal=journal).expect_code(0).expect_counts(copied=0, present=40)
        tops = transcript.read_text(errors="replace").count("TOP ")
        expect(tops <= 41, "it was looked at once more:", tops)
