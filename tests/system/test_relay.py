"""A relay as the target: Postfix and Dovecot's LMTP, and what can go wrong around the last answer."""
import base64
import contextlib
import email
import socketserver
import subprocess
import sys
import threading
import time

from harness import Endpoint, Failed, Skipped, expect, logged_in, test, url
from ports import free_port
from postfix import DOMAIN, Greylist, Postfix, can_run, sasl
from verify import Account

SIMPLE = "From: a@b.example\r\nTo: list@b.example\r\nSubject: {0}\r\nMessage-ID: <{0}@b.example>\r\n" \
         "Date: Mon, 2 Mar 2020 10:00:00 +0000\r\n\r\nbody of {0}\r\n.dotted\r\n"


@contextlib.contextmanager
def postfix(world, **options):
    if not can_run():
        raise Skipped("only root can start a Postfix")
    with world.private(Postfix, **options) as server:
        yield server


def letters(world, server, count, text=SIMPLE):
    """A user with COUNT messages in INBOX."""
    user = world.user(server)
    endpoint = Endpoint.of(server, user)
    for number in range(count):
        put(endpoint, text.format(f"letter-{user}-{number}").encode())
    return user, endpoint


def put(endpoint, data, folder="INBOX"):
    with logged_in(endpoint) as imap:
        imap.append(folder, data)


def subjects(messages):
    return sorted(email.message_from_bytes(data)["Subject"] for data in messages)


def relay(world, source, target, recipient, *options, journal, command="copy", login=False, **more):
    return world.run(world.argv(source, target, "--recipient", recipient, *options, journal=journal, command=command,
                                passwords=(None, None if login else False)), **more)


SENDER = ("--envelope-sender", "mover@test.example")


@test("Postfix takes each message once, with TLS, a login and its bytes; a second run sends nothing")
def submission(world):
    source = world.dovecot()
    extra, path = sasl(world.folder)
    with world.private(extra=extra) as answers, postfix(world, sasl=path) as target:
        answers.add_user("mover@test.example")
        user, _ = letters(world, source, 6)
        journal, to = world.journal(), f"{user}@{DOMAIN}"
        for scheme in ("smtp", "smtps"):
            there = url(target, "mover@test.example", scheme, port=getattr(target, {"smtp": "submission"}.get(scheme, scheme)),
                        ca=world.authority.file)
            first = scheme == "smtp"
            run = relay(world, url(source, user), there, to, journal=journal if first else world.journal(), login=True)
            run.expect_code(0).expect_balance().expect_counts(seen=6, copied=6)
            expect(("dates on which they arrived" in run.err), "the loss was not told:", run)
            if first:
                again = relay(world, url(source, user), there, to, journal=journal, login=True)
                again.expect_code(0).expect_counts(seen=6, present=6, copied=0)
                expect("dates on which they arrived" not in again.err, "the loss was told again:", again)
        got = target.mail(user, 12)
        expect(len(got) == 12, len(got), "messages came")
        for data in got:
            head, _, body = data.partition(b"\n\n")
            name = email.message_from_bytes(data)["Subject"]
            expect(body == f"body of {name}\n.dotted\n".encode(), "the text changed:", body)
            expect(head.count(b"\nReceived: ") == 2 and b"with postferry id" in head, "the trace is wrong:", head)


@test("a relay refuses what it cannot do: verify, undo, deletions, a missing recipient or sender")
def usage(world):
    source = world.dovecot()
    user = world.user(source)
    here, there, to = url(source, user), "smtp://127.0.0.1:9?tls=none", ("--recipient", "ann@test.example")
    for command, options in (("copy", ()), ("copy", to), ("verify", to), ("undo", ("last", *to)),
                             ("copy", (*to, *SENDER, "--after-copy", "delete")),
                             ("copy", (*to, *SENDER, "--deletions", "mirror")),
                             ("copy", (*to, *SENDER, "--map", "a=b"))):
        run = world.run(world.argv(here, there, *options, command=command, as_json=False, passwords=(None, False),
                                   journal=world.journal()))
        run.expect_code(64)
    world.run(world.argv(there, here, passwords=(False, None))).expect_code(64)


@test("POP3 mail goes to port 25, and a message that names its source's delivery passes")
def pop3(world):
    source = world.dovecot()
    with postfix(world) as target:
        user, endpoint = letters(world, source, 2)
        to = f"{user}@{DOMAIN}"
        put(endpoint, (f"Return-Path: <x@y.example>\r\nDelivered-To: {to}\r\nBcc: hidden@y.example\r\nStatus: RO\r\n"
                       + SIMPLE.format("trail")).encode())
        there = url(target, "", "smtp", port=target.smtp, ca=world.authority.file).replace("//@", "//")
        run = relay(world, url(source, user, "pop3"), there, to, *SENDER, journal=world.journal())
        run.expect_code(0).expect_counts(copied=3)
        trail = next(d for d in target.mail(user, 3) if b"Subject: trail" in d).split(b"\n\n")[0]
        expect(b"X-Delivered-To: " in trail and b"hidden@" not in trail and b"\nStatus:" not in trail, "left in:", trail)
        expect(trail.count(b"Return-Path:") == 1, "two return paths:", trail)


@test("DKIM signatures still verify after the relay, --resent and mail with odd lines included")
def signature(world):
    sys.path.append("/usr/lib/python3/dist-packages")  # where Debian has it, whatever Python runs this
    import dkim
    source, key = world.dovecot(), world.file("dkim")
    subprocess.run(["openssl", "genrsa", "-out", str(key), "1024"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", str(key), "-pubout", "-outform", "DER"], check=True,
                            capture_output=True).stdout
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    with postfix(world) as target:
        user, endpoint = letters(world, source, 0)
        message = (SIMPLE.format("signed") + "..\r\n trailing \t\r\n\r\n\u00e9t\u00e9\r\n\r\n\r\n").encode()
        signed = dkim.sign(message, b"sel", b"b.example", key.read_bytes(),
                           include_headers=[b"from", b"to", b"subject", b"date", b"message-id", b"status"]) + message
        put(endpoint, signed)
        there = f"smtp://127.0.0.1:{target.smtp}?ca={world.authority.file}"
        run = relay(world, url(source, user), there, f"{user}@{DOMAIN}", *SENDER, "--resent", journal=world.journal())
        run.expect_code(0).expect_counts(copied=1)
        data = target.mail(user, 1)[0].replace(b"\n", b"\r\n")
        expect(b"Resent-To: <" in data, "no Resent- block:", data)
        expect(dkim.verify(data, dnsfunc=lambda *_, **__: record), "the signature is broken:", data)


@test("greylisting passes on a later run, and what is not due yet is not tried")
def greylisting(world):
    source = world.dovecot()
    with Greylist() as grey, postfix(world, policy=grey.port) as target:
        user, _ = letters(world, source, 3)
        journal, to = world.journal(), f"{user}@{DOMAIN}"
        there = f"smtp://127.0.0.1:{target.smtp}?ca={world.authority.file}"
        run = relay(world, url(source, user), there, to, *SENDER, journal=journal)
        run.expect_code(75).expect_balance().expect_counts(pending=3, copied=0)
        asked = len(grey.asked)
        relay(world, url(source, user), there, to, *SENDER, journal=journal).expect_code(75).expect_counts(pending=3)
        expect(len(grey.asked) == asked, "it was tried before its time")
        failed = relay(world, url(source, user), there, to, journal=journal, command="failed")
        expect(failed.out.count("Greylisted") == 3, "failed does not tell:", failed.out)
        grey.pass_all()
        relay(world, url(source, user), there, to, *SENDER, journal=journal, command="retry").expect_code(0).expect_counts(copied=3)
        expect(subjects(target.mail(user, 3)) == sorted(f"letter-{user}-{n}" for n in range(3)), "other mail came")


@test("a message that is too large for the relay fails alone, and an unknown recipient stops the run")
def refusals(world):
    source = world.dovecot()
    with postfix(world, size=20_000) as target:
        user, endpoint = letters(world, source, 2)
        put(endpoint, (SIMPLE.format("large") + "x" * 70 + "\r\n").encode() + b"y" * 900 + b"\r\n" * 15_000)
        there = f"smtp://127.0.0.1:{target.smtp}?ca={world.authority.file}"
        run = relay(world, url(source, user), there, f"{user}@{DOMAIN}", *SENDER, journal=world.journal())
        run.expect_code(65).expect_balance().expect_counts(copied=2, rejected=1)
        run = relay(world, url(source, user), there, f"nobody@{DOMAIN}", *SENDER, journal=world.journal())
        run.expect_code(65).expect_balance().expect_counts(copied=0)
        expect(run.messages["pending"] >= 2 and "5.1.1" in run.err, "the server's words are missing:", run)
        check = relay(world, url(source, user), there, f"{user}@{DOMAIN}", *SENDER, journal=None, command="check")
        expect(check.expect_code(0).json is not None and "20000" in check.out, "check does not tell the limit:", check.out)


@test("Dovecot's LMTP takes the awkward mailbox whole, by TCP and by a Unix socket")
def lmtp(world):
    source = world.dovecot()
    socket = world.folder / "lmtp.sock"
    extra = f"service lmtp {{\n  unix_listener {socket} {{\n    mode = 0666\n  }}\n}}\n"
    with world.private(extra=extra) as target:
        user, endpoint = letters(world, source, 3)
        put(endpoint, SIMPLE.format("long").encode() + b"z" * 3000 + b"\r\n" + b"\xc3\xa9\xff" * 9 + b"\r\n")
        put(endpoint, SIMPLE.format("large").encode() + (b"0123456789" * 7 + b"\r\n") * 40_000)
        for number, there in enumerate((f"lmtp://127.0.0.1:{target.lmtp}", f"lmtp:{socket}"), 1):
            run = relay(world, url(source, user), there, user, *SENDER, journal=world.journal())
            run.expect_code(0).expect_balance().expect_counts(copied=5)
            with contextlib.closing(Account(Endpoint.of(target, user))) as account:
                bodies = sorted(bytes_after_header(account, "INBOX"))
            with contextlib.closing(Account(endpoint)) as account:
                wanted = sorted(bytes_after_header(account, "INBOX") * number)
            expect(bodies == wanted, "texts differ:", [len(b) for b in bodies], [len(b) for b in wanted])


def bytes_after_header(account, wire):
    account.imap.command(f"EXAMINE {wire}")
    answer = account.imap.command("UID FETCH 1:* (BODY.PEEK[TEXT])")
    return [literal for literal in answer.literals]


class Careless:
    """A server that takes messages and then behaves as told: `answer` is called after each whole message, with its
    number from 1, and says "yes", "cut" (the answer is lost) or "silent" (until the client is gone)."""

    def __init__(self, answer):
        self.taken, self.port = [], free_port()
        careless = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                say = lambda text: (self.wfile.write(text.encode() + b"\r\n"), self.wfile.flush())
                say("220 careless")
                while (line := self.rfile.readline()):
                    verb = line.split()[0].upper() if line.split() else b""
                    if verb == b"DATA":
                        say("354 go on")
                        data = b""
                        while (line := self.rfile.readline()) not in (b".\r\n", b""):
                            data += line
                        if not line:
                            return
                        careless.taken.append(data)
                        how = answer(len(careless.taken))
                        if how == "cut":
                            return
                        if how == "silent":
                            self.rfile.read()
                            return
                    say("250-careless\r\n250 PIPELINING" if verb == b"EHLO" else "250 yes")

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


@test("a message whose last answer is lost is unknown, is told, is held, and goes again only by retry --unknown")
def lost_answer(world):
    source = world.dovecot()
    user, _ = letters(world, source, 4)
    journal, to = world.journal(), "ann@test.example"
    with Careless(lambda number: "cut" if number == 2 else "yes") as target:
        there = f"smtp://127.0.0.1:{target.port}?tls=none"
        run = relay(world, url(source, user), there, to, *SENDER, "--sessions", "1", journal=journal)
        run.expect_code(65).expect_balance().expect_counts(copied=3, unknown=1)
        for _ in range(2):
            run = relay(world, url(source, user), there, to, *SENDER, journal=journal)
            run.expect_code(65).expect_balance().expect_counts(present=3, unknown=1, copied=0)
        expect(len(target.taken) == 4, len(target.taken), "messages were sent instead of 4")
        failed = relay(world, url(source, user), there, to, journal=journal, command="failed")
        expect(failed.expect_code(65).out.count("retry --unknown") == 1, "failed does not tell:", failed.out)
        relay(world, url(source, user), there, to, *SENDER, journal=journal, command="retry").expect_code(65)
        expect(len(target.taken) == 4, "retry sent what is unknown")
        run = relay(world, url(source, user), there, to, *SENDER, "--unknown", journal=journal, command="retry")
        run.expect_balance().expect_counts(copied=1, unknown=0)
        relay(world, url(source, user), there, to, *SENDER, journal=journal).expect_code(0).expect_counts(present=4)
        names = subjects(target.taken)
        expect(len(names) == 5 and len(set(names)) == 4, "sent:", names)


@test("killed while the last answer is awaited, nothing is doubled, and what is not known is told")
def killed(world):
    source = world.dovecot()
    user, _ = letters(world, source, 5)
    journal, to = world.journal(), "ann@test.example"
    with Careless(lambda number: "silent" if number == 3 else "yes") as target:
        there = f"smtp://127.0.0.1:{target.port}?tls=none"
        process = world.start(world.argv(url(source, user), there, "--recipient", to, *SENDER, "--sessions", "1",
                                         journal=journal, passwords=(None, False)))
        end = time.monotonic() + 60
        while len(target.taken) < 3:
            if time.monotonic() > end or not world.alive(process):
                raise Failed(f"only {len(target.taken)} came")
            time.sleep(0.01)
        world.signal(process, 9)
        world.finish(process)
        run = relay(world, url(source, user), there, to, *SENDER, "--sessions", "1", journal=journal)
        run.expect_code(65).expect_balance().expect_counts(present=2, unknown=1, copied=2)
        names = subjects(target.taken)
        expect(len(names) == 5 and len(set(names)) == 5, "sent:", names)


@test("after a new UIDVALIDITY a relay gets nothing again that it has")
def new_validity(world):
    source = world.dovecot()
    user, endpoint = letters(world, source, 0)
    texts = [SIMPLE.format(f"box-{n}").encode() for n in range(4)]
    with logged_in(endpoint) as imap:
        imap.command("CREATE Box")
        for text in texts:
            imap.append("Box", text)
    with Careless(lambda number: "yes") as target:
        there, journal = f"smtp://127.0.0.1:{target.port}?tls=none", world.journal()
        relay(world, url(source, user), there, "ann@test.example", *SENDER, journal=journal).expect_code(0).expect_counts(copied=4)
        with logged_in(endpoint) as imap:
            imap.command("DELETE Box")
            imap.command("CREATE Box")
            imap.append("Box", SIMPLE.format("new").encode())
            for text in reversed(texts):
                imap.append("Box", text)
        run = relay(world, url(source, user), there, "ann@test.example", *SENDER, journal=journal)
        run.expect_code(0).expect_balance().expect_counts(present=4, copied=1)
        expect(len(target.taken) == 5, len(target.taken), "were sent")


class NameServer:
    """A name server that knows MX records: {domain: [(preference, host)]}; others do not exist, and of FAILS it
    says that it cannot tell."""
    FAILS = object()

    def __init__(self, records):
        self.records, self.port = records, free_port()
        names = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                query, line = self.request
                line.sendto(names.answer(query), self.client_address)

        self._server = socketserver.ThreadingUDPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True

    @staticmethod
    def name(text):
        return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"

    def answer(self, query):
        end = query.index(b"\0", 12) + 5
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        found = self.records.get(".".join(labels))
        if found is self.FAILS:
            return query[:2] + b"\x81\x82\0\x01\0\0\0\0\0\0" + query[12:end]
        body = b""
        for preference, host in found or []:
            data = preference.to_bytes(2, "big") + self.name(host)
            body += b"\xc0\x0c\0\x0f\0\x01\0\0\0\x3c" + len(data).to_bytes(2, "big") + data
        flags = b"\x81\x80" if found is not None else b"\x81\x83"
        return query[:2] + flags + b"\0\x01" + len(found or []).to_bytes(2, "big") + b"\0\0\0\0" + query[12:end] + body

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


@test("mx: asks for the domain's exchangers, takes the next where one is not there, and TLS that is offered")
def exchangers(world):
    source = world.dovecot()
    records = {DOMAIN: [(10, "127.0.0.9"), (20, "localhost")], "null.example": [(0, "")], "localhost": [],
               "ill.example": NameServer.FAILS}
    with postfix(world) as target, NameServer(records) as names:
        user, _ = letters(world, source, 2)
        there = lambda domain, more="": f"mx:{domain}:{target.smtp}?dns=127.0.0.1:{names.port}{more}"
        run = relay(world, url(source, user), there(DOMAIN), f"{user}@{DOMAIN}", *SENDER, journal=world.journal())
        run.expect_code(0).expect_balance().expect_counts(copied=2)
        expect(all(b"with ESMTPS" in data for data in target.mail(user, 2)), "TLS was offered and not taken")
        run = relay(world, url(source, user), there(DOMAIN, f"&tls=required&ca={world.authority.file}"), f"{user}@{DOMAIN}",
                    *SENDER, journal=world.journal())
        run.expect_code(0).expect_counts(copied=2)
        relay(world, url(source, user), there(DOMAIN, "&tls=required"), f"{user}@{DOMAIN}", *SENDER,
              journal=world.journal()).expect_code(76)
        for domain, words in (("null.example", "takes no mail"), ("no.example", "no such domain")):
            run = relay(world, url(source, user), there(domain), f"ann@{domain}", *SENDER, journal=world.journal())
            expect(words in run.expect_code(65).err, "the reason is missing:", run)
        # Without MX the domain itself is the exchanger (RFC 5321 5.1).
        run = relay(world, url(source, user), there("localhost"), f"{user}@{DOMAIN}", *SENDER, journal=world.journal())
        run.expect_code(0).expect_balance().expect_counts(copied=2)
        # A name server that cannot tell says nothing of the domain: later, perhaps.
        run = relay(world, url(source, user), there("ill.example"), "ann@ill.example", *SENDER, "--retries", "1",
                    journal=world.journal())
        expect("mail exchangers of ill.example" in run.expect_code(75).err, "the reason is missing:", run)


@test("Postfix takes mail for an address that is not ASCII, by SMTPUTF8 and with DSN that tells nobody")
def unicode_address(world):
    source = world.dovecot()
    with postfix(world, extra="smtputf8_enable = yes") as target:
        user, _ = letters(world, source, 3)
        there = f"smtp://127.0.0.1:{target.smtp}?ca={world.authority.file}"
        run = relay(world, url(source, user), there, f"bøb-{user}@{DOMAIN}", *SENDER, journal=world.journal())
        run.expect_code(0).expect_balance().expect_counts(copied=3)
        got = target.mail(f"bøb-{user}", 3)
        expect(len(got) == 3, len(got), "messages came")
        log = (target.folder / "log").read_text()
        expect("sender non-delivery" not in log and "sender delivery status" not in log, "somebody was told of it")


@test("Postfix takes a login by OAuth, and an expired token is refused")
def oauth(world):
    source = world.dovecot()
    folder = world.file("oauth")
    folder.mkdir(mode=0o755)
    extra, path = sasl(folder)
    with world.private(extra=extra, mechanisms="plain login xoauth2 oauthbearer") as answers, \
            postfix(world, sasl=path) as target:
        user, _ = letters(world, source, 2)
        login = "mover@test.example"
        for mechanism in ("xoauth2", "oauthbearer"):
            there = url(target, login, "smtps", port=target.smtps, ca=world.authority.file, auth=mechanism)
            argv = lambda seconds: world.argv(
                url(source, user), there, "--recipient", f"{user}@{DOMAIN}", journal=world.journal(),
                passwords=(None, answers.bearer_token(login, seconds)))
            world.run(argv(3600)).expect_code(0).expect_balance().expect_counts(copied=2)
            world.run(argv(-3600)).expect_code(77)
