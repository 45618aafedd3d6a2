#!/usr/bin/env python3
"""Are the tests' own tools right?  Loads mailboxes into real servers and plants differences that
the verifier must find.

    python3 selftest.py         one line a check; exit status 1 if one fails
"""
import dataclasses
import pathlib
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import load  # noqa: E402
import mailbox as mailboxes  # noqa: E402
from cyrus import Cyrus  # noqa: E402
from dovecot import Dovecot, MASTER, MASTER_PASSWORD, hide  # noqa: E402
from proxy import Proxy  # noqa: E402
from verify import Endpoint, verify  # noqa: E402
from wire import Imap, ImapError, mutf7, quoted, unmutf7  # noqa: E402

failures = 0


def check(name, passed, detail=""):
    global failures
    failures += not passed
    print(f"{'ok  ' if passed else 'FAIL'} {name}{'' if passed else ': ' + str(detail)}", flush=True)


def planted(dovecot):
    """Each change of the target must be found, and nothing else."""
    box = mailboxes.mixed(120, 4, seed=7, largest=20_000)
    load.by_maildir(box, dovecot, "plain")

    def changed(what, kind, command):
        user = what.replace(" ", "-")
        load.by_maildir(box, dovecot, user)
        with Imap(dovecot.imap) as imap:
            imap.login(user, dovecot.password)
            imap.command('SELECT "INBOX"')
            command(imap)
        report = verify(Endpoint.of(dovecot, "plain"), Endpoint.of(dovecot, user))
        differs = {k: n for k, n in report.counts.items() if k != "order"}
        check(f"the verifier finds: {what}", differs == kind, f"{differs}, {report}")

    def store(item):
        return lambda imap: imap.command(f"STORE 3 {item}")
    def append(data=None, when=1_000_000_000):
        def run(imap):
            first = box.folder("INBOX").messages[0]
            imap.append("INBOX", data or first.data, first.flags + first.keywords,
                        load.date_time(mailboxes.Message("", b"", when=when)))
        return run

    first = box.folder("INBOX").messages[0]
    third = box.folder("INBOX").messages[2]
    changed("nothing", {}, lambda imap: None)
    changed("a flag", {"flags": 1}, store(("-" if "\\Answered" in third.flags else "+") + "FLAGS (\\Answered)"))
    changed("a keyword", {"keywords": 1}, store("+FLAGS ($Planted)"))
    changed("a doubled message", {"doubled": 1}, append(when=first.when))
    changed("a doubled message of another date", {"doubled": 1}, append())
    changed("an extra message", {"extra": 1}, append(b"Subject: extra\r\n\r\nextra\r\n"))
    changed("an extra folder", {"folders_extra": 1}, lambda imap: imap.command("CREATE planted"))
    changed("a missing subscription", {"subscriptions_missing": 1}, lambda imap: imap.command("UNSUBSCRIBE INBOX"))

    def altered(what, kinds, change):
        user = what.replace(" ", "-")
        copy = mailboxes.mixed(120, 4, seed=7, largest=20_000)
        change(copy, copy.folder("INBOX").messages)
        load.by_maildir(copy, dovecot, user)
        report = verify(Endpoint.of(dovecot, "plain"), Endpoint.of(dovecot, user))
        differs = {k: n for k, n in report.counts.items() if k != "order"}
        check(f"the verifier finds: {what}", differs == kinds, f"{differs}, {report}")

    altered("a date one second off", {"dates": 1},
            lambda _, m: m.__setitem__(3, dataclasses.replace(m[3], when=m[3].when + 1)))
    altered("a changed byte", {"altered": 1},
            lambda _, m: m.__setitem__(3, dataclasses.replace(m[3], data=m[3].data[:-4] + b"~" + m[3].data[-3:])))
    altered("a missing message", {"missing": 1}, lambda _, m: m.pop(4))
    altered("a missing copy of a true duplicate", {"missing": 1}, lambda _, m: m.pop(
        next(i for i in range(1, len(m)) if m[i] is m[i - 1] or m[i].data == m[i - 1].data)))
    altered("a missing folder", {"folders_missing": 1, "missing": len(box.folders[2].messages), "subscriptions_missing": 1},
            lambda copy, _: copy.folders.pop(2))
    altered("two messages swapped between folders", {"missing": 2, "extra": 2}, _swap)
    report = verify(Endpoint.of(dovecot, "plain"), Endpoint.of(dovecot, "a-date-one-second-off"), content_only=True)
    check("content_only looks at bytes alone", report.equal, report)


def _swap(copy, messages):
    other = copy.folders[1].messages
    messages[3], other[0] = other[0], messages[3]


def loading(dovecot, dots, cyrus):
    box = mailboxes.awkward()
    for server in (dovecot, dots):
        left = load.by_maildir(box, server, "files"), load.by_imap(box, server, "imap")
        check(f"Dovecot with {server.separator!r} takes every message", not left[1].messages, left[1].messages)
        report = verify(Endpoint.of(server, "files"), Endpoint.of(server, "imap"))
        check(f"Maildir files and APPEND give the same with {server.separator!r}", report.equal, report)
    refused = load.by_imap(box, cyrus, "imap")
    check("Cyrus refuses bare LF and broken headers",
          {m.name for _, m, _ in refused.messages} >= {"bare LF in the body", "one byte", "no line between header and body"},
          refused.messages)
    check("Cyrus refuses some names", ("100%",) in [path for path, _ in refused.folders], refused.folders)
    names = {path for path, _ in refused.folders}
    rest = mailboxes.Mailbox([f for f in box.folders if f.path not in names and f.path != ("Poison",)])
    load.by_imap(rest, dovecot, "rest")
    report = verify(Endpoint.of(dovecot, "rest"), Endpoint.of(cyrus, "imap"), allow_parents=True,
                    allow_empty=[("Poison",)])
    check("Cyrus and Dovecot give the same bytes, flags, dates, roles",
          set(report.counts) - {"order"} <= {"folders_extra", "extra"} and "Poison" in str(report), report)
    check("the mailbox is the same every time", mailboxes.awkward() == mailboxes.awkward())


def sizes(dovecot):
    begin = time.monotonic()
    for user, box in (("many", mailboxes.small(50_000)), ("wide", mailboxes.wide(500)), ("big", mailboxes.big())):
        load.by_maildir(box, dovecot, user)
        report = verify(Endpoint.of(dovecot, user), Endpoint.of(dovecot, user))
        check(f"{user}: {box.count()} messages, {len(box.folders)} folders", report.equal and
              report.source_messages == box.count(), report)
    check(f"big mailboxes are read in bounded time ({time.monotonic() - begin:.0f} s)", time.monotonic() - begin < 120)


def odds_and_ends(folder, dovecot):
    for text in ("Entwürfe", "a&b", "日本語", "🚢", "~x~", "&-"):
        check(f"modified UTF-7 of {text}", unmutf7(mutf7(text)) == text, mutf7(text))
    with Imap(dovecot.imap) as imap:
        imap.login(f"ann*{MASTER}", MASTER_PASSWORD)
        check("the master user logs in", True)
    for tls, port in (("implicit", dovecot.imaps), ("starttls", dovecot.imap)):
        with Imap(port, "localhost", tls, dovecot.ca) as imap:
            imap.login("ann", dovecot.password)
            check(f"{tls} with the tests' authority", True)
    with Dovecot(folder / "poor", capability=hide("LITERAL+", "MULTIAPPEND", "UIDPLUS"), plaintext=False,
                 quota="*:storage=20K", separator=".", prefix="INBOX.", timezone="Asia/Kolkata") as poor:
        try:
            with Imap(poor.imap, "127.0.0.2", timeout=20) as imap:
                imap.login("ann", poor.password)
            check("no login without TLS", False)
        except ImapError:
            check("no login without TLS", True)
        with Imap(poor.imap, tls="starttls", ca=poor.ca) as imap:
            imap.login("ann", poor.password)
            check("capabilities can be hidden", not {"LITERAL+", "UIDPLUS"} & imap.capabilities())
            check("the namespace has its prefix", b'"INBOX." "."' in imap.command("NAMESPACE").lines[0])
            imap.append("INBOX", b"Subject: x\r\n\r\nx\r\n", date="17-Jul-1996 02:44:25 -0700")
            imap.command("SELECT INBOX")
            date = imap.command("FETCH 1 INTERNALDATE").lines[0]
            check("the server's own time zone", b"+0530" in date, date)
            try:
                imap.append("INBOX", b"Subject: x\r\n\r\n" + b"x" * 70 * 1024)
                check("the quota refuses", False)
            except ImapError as words:
                check("the quota refuses", "OVERQUOTA" in str(words), words)
    with Proxy(dovecot.imap, folder=folder, cut_after=200, way="down") as proxy:
        try:
            Imap(proxy[dovecot.imap], timeout=20).login("ann", dovecot.password)
            check("the proxy cuts", False)
        except (ImapError, OSError):
            check("the proxy cuts", proxy.counters()["faults"] == 1)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postferry-selftest-"))
    folder.chmod(0o755)
    special = mailboxes.awkward().roles()
    try:
        with Dovecot(folder / "slash", special=special) as dovecot, \
                Dovecot(folder / "dots", special=special, separator=".") as dots, Cyrus(folder / "cyrus") as cyrus:
            planted(dovecot)
            loading(dovecot, dots, cyrus)
            odds_and_ends(folder, dovecot)
            sizes(dovecot)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("all right" if not failures else f"{failures} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
