"""What the system tests share: the program as a user runs it, servers that are started once, and
expectations that say what they saw.

A test is a function of a World, marked with @test("a sentence").  It raises Failed (by `expect`) or
returns a word of detail.  Each test uses users of its own, so that tests can run at the same time.
"""
import contextlib
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

SERVERS = pathlib.Path(__file__).resolve().parents[1] / "servers"
sys.path.insert(0, str(SERVERS))
import load  # noqa: E402
import measure  # noqa: E402
from certificates import Authority  # noqa: E402
from cyrus import Cyrus  # noqa: E402
from dovecot import Dovecot  # noqa: E402
from proxy import Proxy  # noqa: E402
from verify import Account, Endpoint, verify  # noqa: E402
from wire import Imap, ImapError, quoted  # noqa: E402

TESTS = []
MESSAGE_KEYS = ("seen", "copied", "present", "filtered", "rejected", "vanished", "unknown", "pending", "twins")
ACCOUNT_KEYS = ("name", "outcome", "error", "folders", "folders_failed", "messages", "flags_updated", "deleted",
                "bytes_copied", "seconds")


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def test(sentence, slow=False):
    """Registers a test; slow ones are left out by --quick."""
    def register(function):
        function.sentence, function.slow = sentence, slow
        TESTS.append(function)
        return function
    return register


def expect(condition, *told):
    if not condition:
        raise Failed(" ".join(map(str, told)))


@dataclasses.dataclass
class Run:
    """One finished run of the program."""
    argv: list
    code: int
    out: str
    err: str
    seconds: float
    peak_mib: float = 0.0

    @functools.cached_property
    def json(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise Failed(f"stdout is not one JSON object: {self.out[:300]!r}; {self}") from None

    @property
    def account(self):
        return self.json["accounts"][0]

    @property
    def messages(self):
        return self.account["messages"]

    def __str__(self):
        return f"exit {self.code}, stderr: {self.err.strip()[-600:]!r}"

    def expect_code(self, *codes):
        expect(self.code in codes, f"expected exit {' or '.join(map(str, codes))}:", self)
        return self

    def expect_balance(self):
        """Every key of the contract is there, and the ledger balances."""
        expect(self.json.get("format") == 1, "format is not 1:", self.out[:200])
        expect({"format", "run", "outcome", "accounts", "totals"} <= self.json.keys(), "keys missing:", self.out[:300])
        for account in [*self.json["accounts"], self.json["totals"]]:
            keys = ACCOUNT_KEYS if account is not self.json["totals"] else ACCOUNT_KEYS[3:]
            missing = [k for k in keys if k not in account]
            expect(not missing, "keys missing:", missing, self.out[:600])
            counts = account["messages"]
            expect(set(MESSAGE_KEYS) <= counts.keys(), "counts missing:", counts)
            parts = sum(counts[k] for k in MESSAGE_KEYS if k not in ("seen", "twins"))
            expect(counts["seen"] == parts, "the ledger does not balance:", counts)
        return self

    def expect_counts(self, **wanted):
        got = {k: self.messages[k] for k in wanted}
        expect(got == wanted, f"expected {wanted}, got {self.messages};", self)
        return self


class World:
    """The work folder, the program and the servers of one run of the tests."""

    def __init__(self, program, folder=None):
        self.program = str(program)
        memory = pathlib.Path("/dev/shm")
        place = folder or (memory if os.access(memory, os.W_OK) else None)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postferry-system-", dir=place))
        self.folder.chmod(0o755)
        self._servers, self._lock, self._numbers = {}, threading.Lock(), itertools.count(1)
        self.authority = Authority(self.folder / "tls")

    def close(self):
        for server in self._servers.values():
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _server(self, kind, side, options):
        key = (kind.__name__, side, repr(sorted(options.items())))
        with self._lock:
            if key not in self._servers:
                self._servers[key] = self._new_server(kind, options)
            return self._servers[key]

    def _new_server(self, kind, options):
        folder = self.folder / f"{kind.__name__.lower()}{next(self._numbers)}"
        return kind(folder, authority=self.authority, **options).start()

    @contextlib.contextmanager
    def private(self, kind=Dovecot, **options):
        """A server of this test alone, which may kill, stop or spoil it."""
        with self._lock:  # ports are looked for and taken
            server = self._new_server(kind, options)
        try:
            yield server
        finally:
            server.stop()

    def dovecot(self, **options):
        """A source, as a rule; the same options give the same server."""
        return self._server(Dovecot, "source", options)

    def target(self, **options):
        """Another Dovecot, so that one user may have an account on each."""
        return self._server(Dovecot, "target", options)

    def cyrus(self, side="target", **options):
        return self._server(Cyrus, side, options)

    def user(self, *servers, stem="ann"):
        """A user nobody has used, known to the servers."""
        name = f"{stem}{next(self._numbers)}"
        for server in servers:
            server.add_user(name)
        return name

    def file(self, stem, text=None):
        """A fresh path; with TEXT, a file of it that only we may read."""
        path = self.folder / f"{stem}{next(self._numbers)}"
        if text is not None:
            path.write_text(text)
            path.chmod(0o600)
        return path

    def journal(self):
        return self.file("journal")

    def proxy(self, *ports, **options):
        return Proxy(*ports, folder=self.folder, **options)

    # The program.

    def argv(self, source, target, *options, journal=None, passwords=(None, None), command="copy", as_json=True):
        files = []
        for side, password in zip(("source", "target"), passwords):
            if password is not False:
                files += [f"--{side}-password-file", str(self.file("password", (password or Dovecot.password) + "\n"))]
        return [self.program, command, source, target, "--no-progress", *(["--json"] if as_json else []), *files,
                *(["--journal", str(journal)] if journal else []), *map(str, options)]

    def start(self, argv, **environment):
        """Starts the program; the caller waits with finish()."""
        out, err = self.file("stdout"), self.file("stderr")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("POSTFERRY_")}
        clean.update(XDG_STATE_HOME=str(self.folder / "state"), **environment)
        with open(out, "w") as stdout, open(err, "w") as stderr:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=clean)
        process.began, process.files = time.monotonic(), (out, err)
        return process

    @staticmethod
    def alive(process):
        """Whether it still runs; unlike poll() this leaves its resource usage to finish()."""
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    @staticmethod
    def signal(process, number):
        os.kill(process.pid, number)  # a child not yet waited for, so the id is still its own

    def finish(self, process, timeout=120):
        """Waits for what start() gave and reads what it said."""
        usage = measure.wait(process, process.began, timeout)
        out, err = (path.read_text(errors="replace") for path in process.files)
        for path in process.files:
            path.unlink()
        run = Run(process.args, usage.code, out, err, usage.wall, usage.peak_mib)
        if usage.timed_out:
            raise Failed(f"not done after {timeout} s: {shlex.join(process.args)}; {run}")
        # A crash or a sanitizer's report fails any test, whatever else it looks at.
        expect(process.returncode not in (70, -6, -11, -4, -8) and "Sanitizer: " not in err
               and "runtime error:" not in err, f"the program is at fault: {shlex.join(process.args)}:", run)
        return run

    def run(self, argv, timeout=120, **environment):
        return self.finish(self.start(argv, **environment), timeout)

    def copy(self, source, target, *options, journal=None, timeout=120, **more):
        """Runs `postferry copy` of two URLs to its end."""
        return self.run(self.argv(source, target, *options, journal=journal or self.journal(), **more), timeout)


def url(server, user, scheme="imap", host="127.0.0.1", port=None, **query):
    """The URL of an account; without TLS unless the scheme or a query key says otherwise."""
    if scheme in ("imap", "pop3") and not query.keys() & {"tls", "ca", "verify", "pin"}:
        query["tls"] = "none"
    text = "&".join(f"{k.rstrip('_')}={urllib.parse.quote(str(v), safe='/:.')}" for k, v in query.items())
    name = urllib.parse.quote(user, safe="@/*")
    return f"{scheme}://{name}@{host}:{port or getattr(server, scheme)}" + (f"?{text}" if text else "")


def by_role(source, target):
    """The path where a source folder should be: where the target has its role, else under its own name."""
    with contextlib.closing(Account(source)) as one, contextlib.closing(Account(target)) as two:
        moved = {path: two.roles[role] for role, path in one.roles.items() if role in two.roles}
    return lambda path: moved.get(path, path)


def expect_equal(source, target, **options):
    """The target is a true copy of the source (Endpoints), as verify.py sees it; returns its report."""
    options.setdefault("rename", (lambda path: path) if options.get("content_only") else by_role(source, target))
    report = verify(source, target, **options)
    expect(report.equal, "the copy differs:", report)
    return report


def status(imap, wire):
    """{"MESSAGES", "UIDNEXT", "UIDVALIDITY"} of a folder."""
    line = imap.command(f"STATUS {quoted(wire)} (MESSAGES UIDNEXT UIDVALIDITY)").lines[0].decode()
    return {item: int(value) for item, value in re.findall(r"(MESSAGES|UIDNEXT|UIDVALIDITY) (\d+)", line)}


def expect_appended_once(target, twins=0):
    """On a Dovecot that held nothing before, as many UIDs were given to messages that are not there now
    as TWINS were removed: nothing else was appended twice, not even to be taken back."""
    gone, where = 0, []
    with contextlib.closing(Account(target)) as account:
        for path, wire in account.folders.items():
            now = status(account.imap, wire)
            lost = now["UIDNEXT"] - 1 - now["MESSAGES"]
            gone += lost
            where += [f"{'/'.join(path)}: {lost} of {now['UIDNEXT'] - 1} appended are not there"] if lost else []
    expect(gone == twins, f"{twins} twins were removed, but", *where)


@contextlib.contextmanager
def logged_in(endpoint):
    """A session of the account's user."""
    with Imap(endpoint.port, endpoint.host, endpoint.tls, endpoint.ca) as imap:
        yield imap.login(endpoint.user, endpoint.password)


def change(endpoint, *commands, folder="INBOX"):
    """What a user does in a folder, as commands."""
    with logged_in(endpoint) as imap:
        imap.command(f"SELECT {quoted(folder)}")
        for command in commands:
            imap.command(command)


def replace_folder(endpoint, folder, messages):
    """Deletes a folder and makes it again with MESSAGES: another UIDVALIDITY."""
    with logged_in(endpoint) as imap:
        old = status(imap, folder)["UIDVALIDITY"]
        imap.command(f"DELETE {quoted(folder)}")
        imap.command(f"CREATE {quoted(folder)}")
        new = though_just_deleted(lambda: status(imap, folder)["UIDVALIDITY"])
        expect(new != old, "the same UIDVALIDITY again")
    left = list(messages)
    though_just_deleted(lambda: add(endpoint, left, folder, left.remove))


def though_just_deleted(action):
    """Dovecot refuses for a while what is asked of a new folder, where another session was just filling the old one."""
    for attempt in range(10):
        try:
            return action()
        except ImapError as error:
            expect("deleted under us" in str(error) and attempt < 9, error)
            time.sleep(0.1)


def add(endpoint, messages, folder="INBOX", done=lambda message: None):
    """Appends messages of mailbox.py, as another program would, and tells which are there."""
    with logged_in(endpoint) as imap:
        for message in list(messages):
            imap.append(folder, message.data, message.flags + message.keywords, load.date_time(message))
            done(message)


def fill(server, user, mailbox):
    """Loads a mailbox the fast way where there is one; returns what the server refused."""
    if server.kind == "dovecot" and server.store == "maildir" and not server.prefix:
        return load.by_maildir(mailbox, server, user)
    return load.by_imap(mailbox, server, user)


def sanitized(world):
    """Whether the program was built with a sanitizer: slower, larger, wanting to be loaded first."""
    with open(world.program, "rb") as program:
        data = program.read()
    return b"__asan_" in data or b"__tsan_" in data


def set_no_core_dumps():
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
