"""TLS, logins and poor servers: how the program reaches its mail, not what it does with it."""
import base64
import contextlib
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading

import mailbox as mailboxes
from certificates import pins
from dovecot import MASTER, MASTER_PASSWORD, hide
from harness import Endpoint, Skipped, expect, expect_equal, fill, sanitized, test, url

MECHANISMS = "plain login scram-sha-256 scram-sha-1 cram-md5 xoauth2 oauthbearer"


def pair(world, source, target, count=12):
    """A fresh user with a little mail at the source; returns it and both Endpoints."""
    user = world.user(source, target)
    fill(source, user, mailboxes.mixed(count, 2, largest=3000))
    return user, Endpoint.of(source, user), Endpoint.of(target, user)


@test("imaps and STARTTLS, verified against the given authority, to Dovecot and Cyrus")
def tls(world):
    for target in (world.target(), world.cyrus()):
        for scheme, host in (("imaps", "127.0.0.1"), ("imaps", "localhost"), ("imap", "localhost")):
            source = world.dovecot()
            user, here, there = pair(world, source, target)
            world.copy(url(source, user, scheme, host, ca=source.ca),
                       url(target, user, scheme, host, ca=target.ca)).expect_code(0)
            expect_equal(here, there, roles=False)


@test("a certificate nobody vouches for, of another host or past its time is refused: 76")
def bad_certificates(world):
    good, wrong = world.dovecot(), world.dovecot(hosts=("mail.elsewhere.example",))
    old, target = world.dovecot(expired=True), world.target()
    user = world.user()
    ends = [url(good, user, "imaps"), url(good, user, "imap", tls="starttls"), url(good, user, "pop3s"),
            url(wrong, user, "imaps", ca=wrong.ca), url(wrong, user, "imap", ca=wrong.ca),
            url(wrong, user, "pop3s", ca=wrong.ca), url(wrong, user, "pop3", ca=wrong.ca),
            url(old, user, "imaps", ca=old.ca), url(old, user, "pop3", ca=old.ca)]
    for end in ends:
        run = world.copy(end, url(target, user)).expect_code(76).expect_balance()
        expect("certificate" in run.err.lower() or "certificate" in run.out.lower(), end, "says nothing of it:", run)
    world.copy(url(good, user), url(wrong, user, "imaps", ca=wrong.ca)).expect_code(76)


@test("verify=no, spelled out, takes any certificate")
def unverified(world):
    source, target = world.dovecot(hosts=("mail.elsewhere.example",)), world.target()
    user, here, there = pair(world, source, target)
    world.copy(url(source, user, "imaps", verify="no"), url(target, user)).expect_code(0)
    expect_equal(here, there, roles=False)


@test("a pin decides: the right one is taken, a wrong one is 76")
def pinned(world):
    source, target = world.dovecot(), world.target()
    user, here, there = pair(world, source, target)
    certificate = source.folder / ".." / "tls" / f"{source.folder.name}.pem"
    codes = {}
    for name, pin in zip(("certificate", "key"), pins(certificate)):
        codes[name] = world.copy(url(source, user, "imaps", pin=f"sha256:{pin}"), url(target, user)).code
    expect(0 in codes.values(), "neither the pin of the certificate nor that of its key is taken:", codes)
    expect_equal(here, there, roles=False)
    world.copy(url(source, user, "imaps", pin="sha256:" + "ab" * 32), url(target, user)).expect_code(76)
    world.copy(url(source, user, "imaps", pin="sha256:" + "ab" * 32, ca=source.ca), url(target, user)).expect_code(76)
    return "pinned by " + " or ".join(name for name, code in codes.items() if code == 0)


@test("a server without TLS is not spoken to unless tls=none is spelled out: 76")
def no_tls_offered(world):
    bare, target = world.dovecot(ssl="no"), world.target()
    user, here, there = pair(world, bare, target)
    for scheme in ("imap", "pop3"):
        world.copy(url(bare, user, scheme, tls="starttls"), url(target, user)).expect_code(76)
    world.copy(url(bare, user, "imaps", port=bare.imap), url(target, user)).expect_code(76)
    log = (bare.folder / "dovecot.log").read_text()
    expect(f"user=<{user}>" not in log, "the user's name went over the wire in the clear")
    world.copy(url(bare, user), url(target, user)).expect_code(0)
    expect_equal(here, there, roles=False)


class _Injector(socketserver.StreamRequestHandler):
    """A server, or somebody in the middle, who adds an answer to the one that begins TLS."""

    def handle(self):
        self.wfile.write(self.server.greeting)
        with contextlib.suppress(OSError):  # the client is right to hang up
            self.answer()

    def answer(self):
        while line := self.rfile.readline():
            self.server.heard.append(line)
            tag = line.split()[0]
            if b"STARTTLS" in line.upper() or b"STLS" in line.upper():
                self.wfile.write(self.server.begin(tag))
                self.rfile.read(1)
                return
            self.wfile.write(self.server.other(tag))


@test("bytes in the clear behind the answer that begins TLS end the session: 76")
def injected(world):
    target = world.target()
    for scheme, greeting, begin, other in (
            ("imap", b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello\r\n",
             lambda tag: tag + b" OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
             lambda tag: b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n" + tag + b" OK done\r\n"),
            ("pop3", b"+OK hello\r\n", lambda tag: b"+OK begin\r\n+OK injected\r\n",
             lambda tag: b"+OK\r\nSTLS\r\nUSER\r\n.\r\n")):
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Injector) as server:
            server.daemon_threads = True
            server.greeting, server.begin, server.other, server.heard = greeting, begin, other, []
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                run = world.copy(url(None, "ann", scheme, port=server.server_address[1], tls="starttls"),
                                 url(target, "ann"), timeout=60)
            finally:
                server.shutdown()
            run.expect_code(76)
            expect(server.heard, "the program never spoke to it")


@test("every login: PLAIN, LOGIN, SCRAM, CRAM-MD5, by IMAP and by POP3")
def mechanisms(world):
    source, target = world.dovecot(mechanisms=MECHANISMS), world.cyrus()
    user, here, there = pair(world, source, target)
    for mechanism in ("plain", "login", "scram-sha-256", "scram-sha-1", "cram-md5"):
        for scheme in ("imap", "pop3"):
            run = world.copy(url(source, user, scheme, tls="none", auth=mechanism),
                             url(target, user, tls="none", auth=mechanism)).expect_code(0)
    expect("Login: user=<" + user in (source.folder / "dovecot.log").read_text(), "no login in the log", run)
    log = (source.folder / "dovecot.log").read_text()
    for method in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"):
        expect(f"user=<{user}>, method={method}," in log, f"never logged in by {method}")
    for scheme in ("imap", "pop3"):
        mark = len(log)
        world.copy(url(source, user, scheme), url(target, user)).expect_code(0)
        log = (source.folder / "dovecot.log").read_text()
        expect(f"user=<{user}>, method=SCRAM-SHA-256," in log[mark:], f"{scheme}: SCRAM-SHA-256 was not preferred",
               log[mark:].strip()[-300:])
    return "SCRAM-SHA-256 first"


@test("a Cyrus whose SCRAM-PLUS knows another channel binding is logged in to all the same")
def channel_binding(world):
    # Cyrus 3.6 offers SCRAM-SHA-256-PLUS, but binds to tls-unique, which TLS 1.3 does not have.
    for versions in ("tls1_2", "tls1_3"):
        source, target = world.cyrus("source", extra=f"tls_versions: {versions}\n"), world.target()
        user, here, there = pair(world, source, target)
        world.copy(url(source, user, "imaps", ca=source.ca), url(target, user)).expect_code(0)
        world.copy(url(source, user, "imaps", ca=source.ca, auth="scram-sha-256"), url(target, user)).expect_code(0)
        expect_equal(here, there, roles=False)


@test("OAuth tokens come from the password command at every login; an old token is 77")
def tokens(world):
    source, target = world.dovecot(mechanisms=MECHANISMS), world.target()
    user, here, there = pair(world, source, target)
    asked = world.file("asked")
    token, old = source.bearer_token(user), source.bearer_token(user, -100)
    for mechanism in ("xoauth2", "oauthbearer"):
        for scheme in ("imap", "pop3"):
            command = f"echo once >> {asked}; echo {token}"
            argv = world.argv(url(source, user, scheme, tls="none", auth=mechanism), url(target, user),
                              "--source-password-command", command, journal=world.journal(), passwords=(False, None))
            world.run(argv).expect_code(0)
    expect(asked.read_text().count("once") >= 4, "the command was not run anew")
    expect_equal(here, there, roles=False)
    asked.write_text("")
    argv = world.argv(url(source, user, tls="none", auth="xoauth2"), url(target, user), "--source-password-command",
                      f"echo once >> {asked}; echo {old}", journal=world.journal(), passwords=(False, None))
    world.run(argv).expect_code(77)
    tries = asked.read_text().count("once")
    expect(1 <= tries <= 3, f"a refused token was asked for {tries} times")


@test("an admin logs in for a user: as= on Dovecot and on Cyrus, and user*master")
def for_others(world):
    source, target = world.dovecot(), world.target()
    user, here, there = pair(world, source, target)
    world.copy(url(source, MASTER, tls="none", as_=user), url(target, user),
               passwords=(MASTER_PASSWORD, None)).expect_code(0)
    expect_equal(here, there, roles=False)
    again = world.copy(url(source, f"{user}*{MASTER}"), url(target, user), passwords=(MASTER_PASSWORD, None))
    again.expect_code(0).expect_counts(copied=0)
    cyrus = world.cyrus("source")
    user, here, there = pair(world, cyrus, target)
    world.copy(url(cyrus, "cyrusadmin", tls="none", as_=user), url(target, user)).expect_code(0)
    expect_equal(here, there, roles=False)


@test("passwords from a file, a command and the environment")
def passwords(world):
    source, target = world.dovecot(), world.target()
    user, here, there = pair(world, source, target)
    ends = url(source, user), url(target, user)
    world.copy(*ends).expect_code(0)
    command = ("--source-password-command", f"printf '%s\\n' {source.password}", "--target-password-command",
               f"echo {source.password}")
    world.copy(*ends, *command, passwords=(False, False)).expect_code(0)
    argv = world.argv(*ends, journal=world.journal(), passwords=(False, False))
    world.run(argv, POSTFERRY_SOURCE_PASSWORD=source.password, POSTFERRY_TARGET_PASSWORD=source.password).expect_code(0)
    world.run(argv, POSTFERRY_SOURCE_PASSWORD="wrong", POSTFERRY_TARGET_PASSWORD=source.password).expect_code(77)


@test("LOGINDISABLED is obeyed, and a login behind STARTTLS works there")
def login_disabled(world):
    strict, target = world.dovecot(plaintext=False), world.target()
    user, here, there = pair(world, strict, target)
    run = world.copy(url(strict, user, host="127.0.0.2"), url(target, user)).expect_code(76, 77)
    log = (strict.folder / "dovecot.log").read_text()
    expect("tried to use disallowed plaintext auth" not in log, "the password was sent all the same")
    world.copy(url(strict, user, host="127.0.0.2", ca=strict.ca), url(target, user)).expect_code(0)
    expect_equal(here, there, roles=False)
    return f"exit {run.code}"


@test("a transcript shows the dialogue and no secret")
def transcript(world):
    source, target = world.dovecot(mechanisms=MECHANISMS), world.target()
    user, here, there = pair(world, source, target)
    secret = source.password
    coded = [base64.b64encode(text.encode()).decode()[:-4] for text in (
        secret, f"\0{user}\0{secret}", f"{user}\0{user}\0{secret}")]
    for mechanism in ("plain", "login", "cram-md5"):
        for scheme in ("imap", "pop3"):
            path = world.file("transcript")
            run = world.copy(url(source, user, scheme, tls="none", auth=mechanism), url(target, user), "--transcript", path)
            run.expect_code(0)
            text = path.read_text(errors="replace")
            expect("CAPA" in text and ("LOGIN" in text or "AUTH" in text), "there is no dialogue in it")
            for word in (secret, *coded):
                expect(word not in text and word not in run.err, f"the password is in the transcript of {mechanism} {scheme}")
    path = world.file("transcript")
    world.copy(url(source, user, "pop3"), url(target, user), "--transcript", path).expect_code(0)


@test("no core is written of a process that knows passwords, and none of them shows in its arguments")
def no_core(world):
    source, target = world.dovecot(), world.target()
    user, here, there = pair(world, source, target)
    seen = world.file("seen")
    # The password command is the program's child, and looks at its parent.
    command = f"cat /proc/$PPID/limits /proc/$PPID/cmdline >{seen}; echo {source.password}"
    script = world.file("command", f"#!/bin/sh\n{command}\n")
    argv = world.argv(url(source, user), url(target, user), "--source-password-command", f". {script}",
                      passwords=(False, None))
    world.run(["sh", "-c", 'ulimit -S -c $(ulimit -H -c); exec "$@"', "sh", *argv]).expect_code(0)
    text = seen.read_text(errors="replace")
    limit = next(line for line in text.splitlines() if line.startswith("Max core file size"))
    expect(limit.split()[4:6] == ["0", "0"], "a core could be written:", limit)
    expect("copy" in text and source.password not in text, "the password is among the arguments")
    expect_equal(here, there)


@contextlib.contextmanager
def run_by_nobody(world, silent):
    """The program while it waits for the greeting of SILENT, run by somebody else than root, to whom all of /proc is
    open in any case; from a place where everybody may run it."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        program = shutil.copy(world.program, place)
        ends = [f"imap://{user}@127.0.0.1:{silent.getsockname()[1]}?tls=none" for user in ("ann", "bob")]
        process = subprocess.Popen([program, "check", *ends], cwd="/", user=65534 if os.getuid() == 0 else None,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={"HOME": "/nonexistent", "POSTFERRY_SOURCE_PASSWORD": "secret",
                                        "POSTFERRY_TARGET_PASSWORD": "secret"})
        try:
            silent.settimeout(20)
            with silent.accept()[0]:
                yield process
        finally:
            process.kill()
            process.wait()


@test("the memory and the environment of the program, with the passwords in them, are for root alone")
def not_dumpable(world):
    if sanitized(world):
        raise Skipped("a sanitizer looks for leaks in its own process")
    with socket.create_server(("127.0.0.1", 0)) as silent, run_by_nobody(world, silent) as process:
        owners = {name: os.stat(f"/proc/{process.pid}/{name}").st_uid for name in ("environ", "mem", "maps", "fd")}
    expect(set(owners.values()) == {0}, "whoever runs it may read them, and cores are written:", owners)


HIDDEN = {
    "no LITERAL+": ("LITERAL+",),
    "no MULTIAPPEND": ("MULTIAPPEND",),
    "no UIDPLUS": ("UIDPLUS",),
    "no LIST-STATUS": ("LIST-STATUS",),
    "no LIST-EXTENDED": ("LIST-STATUS", "LIST-EXTENDED"),
    "no SPECIAL-USE": ("SPECIAL-USE",),
    "no CONDSTORE": ("CONDSTORE", "QRESYNC"),
    "nothing but IMAP4rev1": ("LITERAL+", "MULTIAPPEND", "UIDPLUS", "LIST-STATUS", "LIST-EXTENDED", "SPECIAL-USE",
                              "CONDSTORE", "QRESYNC", "ESEARCH", "NAMESPACE", "BINARY", "CATENATE", "MOVE", "ENABLE",
                              "UNSELECT", "ID", "SASL-IR", "STATUS=SIZE", "CHILDREN", "IDLE", "NOTIFY", "SEARCHRES"),
}


def _fallback(name, capability):
    @test(f"a server with {name} is filled and emptied as truly")
    def fallback(world):
        poor, rich = world.dovecot(capability=capability), world.target()
        for source, target in ((rich, poor), (poor, rich)):
            user = world.user(source, target)
            fill(source, user, mailboxes.mixed(150, 6, seed=name, largest=60_000))
            journal = world.journal()
            ends = url(source, user), url(target, user)
            world.copy(*ends, journal=journal).expect_code(0).expect_balance()
            report = expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
            again = world.copy(*ends, journal=journal).expect_code(0)
            again.expect_counts(copied=0, present=report.source_messages)
            # And with nothing to remember by: everything is found on the target.
            world.copy(*ends).expect_code(0).expect_counts(copied=0, present=report.source_messages)
            expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))


for _name, _words in HIDDEN.items():
    _fallback(_name, hide(*_words))
_fallback("LITERAL- in the place of LITERAL+", hide("LITERAL+") + " LITERAL-")
