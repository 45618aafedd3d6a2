"""Proof for the user: verify finds each planted defect."""
import contextlib
import os
import pty
import signal
import time

import mailbox as mailboxes
from harness import Endpoint, expect, fill, test, url
from wire import Imap


def copied(world, mailbox=None, source=None, target=None):
    """A mailbox that has been carried over; gives user, both Endpoints, URLs and the journal."""
    source, target = source or world.dovecot(), target or world.target()
    user = world.user(source, target)
    fill(source, user, mailbox or mailboxes.mixed(120, 4, largest=50_000))
    ends, journal = (url(source, user), url(target, user)), world.journal()
    world.copy(*ends, journal=journal).expect_code(0).expect_balance()
    return user, Endpoint.of(source, user), Endpoint.of(target, user), ends, journal


def verify(world, ends, journal=None, level="header", **more):
    argv = world.argv(*ends, "--level", level, journal=journal or world.journal(), command="verify", **more)
    run = world.run(argv)
    if run.json["accounts"][0].get("verify"):
        counts = run.account["verify"]["messages"]
        parts = sum(counts[k] for k in ("match", "differ", "missing", "refused", "accepted", "filtered", "unproven", "marked"))
        expect(counts["seen"] == parts, "verify does not balance:", counts)
        expect((run.code == 0) == run.account["verify"]["accounted_for"], "exit and verdict differ:", run)
    return run


def findings(run, kind):
    return [(folder["source"], f["key"], f["target_uid"], f["message_id"])
            for folder in run.account["verify"]["folders"] for f in folder["findings"] if f["kind"] == kind]


@contextlib.contextmanager
def logged_in(end, user, folder="INBOX"):
    with Imap(end.port) as imap:
        imap.login(user, end.password)
        imap.command(f"SELECT {folder}")
        yield imap


def bodies(store, home):
    """The files of INBOX's messages, in the order of their UIDs."""
    if store == "maildir":
        return sorted((home / "Maildir" / "cur").iterdir(), key=lambda p: p.name)
    return sorted((home / store / "mailboxes" / "INBOX" / "dbox-Mails").glob("u.*"), key=lambda p: int(p.suffix[1:]))


def flip(path):
    """Changes one byte near the end of a message's file, and not its size."""
    data = bytearray(path.read_bytes())
    end = data.rindex(b"\n\x01\x03\n") if path.name.startswith("u.") else len(data)
    data[data.rindex(b"e", 0, end)] ^= 0x20
    owner, times = path.stat(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(data)
    os.utime(path, ns=times)
    expect(path.stat().st_size == owner.st_size, "the size changed")


@test("verify: a true copy is accounted for, at every level, with the journal and without")
def true_copy(world):
    user, here, there, ends, journal = copied(world)
    for level in ("count", "header", "bytes"):
        for memory in (journal, None):
            counts = verify(world, ends, memory, level).expect_code(0).account["verify"]["messages"]
            expect(counts["match"] == counts["seen"] >= 120 and counts["extra"] == 0, "counts:", counts)
    return f"{counts['seen']} messages"


@test("verify: a message removed, moved, doubled; flags and date changed; foreign mail")
def planted_by_imap(world):
    user, here, there, ends, journal = copied(world, mailboxes.small(12))
    with logged_in(there, user) as imap:
        imap.command("CREATE Aside")
        imap.command("UID STORE 3 +FLAGS.SILENT (\\Deleted)")
        imap.command("UID EXPUNGE 3")
        imap.command("UID MOVE 5 Aside")
        imap.command("UID COPY 7 INBOX")
        imap.command("UID STORE 9 FLAGS.SILENT (\\Answered $Planted)")
        imap.append("INBOX", b"Subject: hello\r\nMessage-ID: <foreign@sea.example>\r\n\r\nforeign\r\n")
    run = verify(world, ends, journal, "bytes").expect_code(65)
    expect([(f[0], f[1]) for f in findings(run, "missing")] == [("INBOX", "3"), ("INBOX", "5")], "missing:", run.out)
    expect(all(f[3] for f in findings(run, "missing")), "no Message-IDs:", run.out)
    expect([f[2] for f in findings(run, "doubled")] == [13], "doubled:", run.out)
    expect([f[1] for f in findings(run, "flags")] == ["9"], "flags:", run.out)
    expect([f[3] for f in findings(run, "extra")] == ["<foreign@sea.example>"], "extra:", run.out)
    expect(run.account["verify"]["extra_folders"] == ["Aside"], "extra folders:", run.out)
    text = world.run(world.argv(*ends, journal=journal, command="verify", as_json=False)).expect_code(65).out
    expect("NOT every message is accounted for" in text and "missing  INBOX, UID 3 (target UID 3) <" in text, "text:", text)


@test("verify: one flipped byte in a maildir and in a dbox file is found by bytes")
def flipped(world):
    for store in ("maildir", "sdbox"):
        target = world.target(store=store)
        user, here, there, ends, journal = copied(world, mailboxes.small(10), target=target)
        flip(bodies(store, target.folder / "home" / user)[4])
        verify(world, ends, journal, "header").expect_code(0)
        for memory in (journal, None):
            run = verify(world, ends, memory, "bytes")
            expect([f[1] for f in findings(run, "differ")] == ["5"], store, memory, "differ:", run, run.out)


@test("verify: a Maildir and an mbox on this disk: cut short, changed, taken out, twice there")
def on_disk(world):
    source = world.dovecot()
    user = world.user(source)
    fill(source, user, mailboxes.small(8))
    for scheme in ("maildir", "mbox"):
        place, journal = world.file(scheme), world.journal()
        ends = (url(source, user), f"{scheme}:{place}")

        def levels(*wanted):
            codes = [run(world, "verify", ends, "--level", level, journal=memory, passwords=(None, False)).code
                     for level in ("count", "header", "bytes") for memory in (journal, None) if memory or level != "count"]
            expect(codes == list(wanted), scheme, "exits:", codes, "wanted", wanted)

        world.copy(*ends, journal=journal, passwords=(None, False)).expect_code(0)
        levels(0, 0, 0, 0, 0)
        if scheme == "maildir":
            path = sorted((place / "cur").iterdir())[3]
        else:
            path = next(p for p in place.iterdir() if p.is_file() and not p.name.startswith("."))
        whole, times = path.read_bytes(), path.stat()
        cut = whole[:-40] if scheme == "maildir" else whole[:-40] + b"\n"
        path.write_bytes(cut)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        levels(65, 65, 65, 65, 65)
        flipped = bytearray(whole)
        flipped[whole.rindex(b"e")] ^= 1
        path.write_bytes(flipped)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        levels(0, 0, 0, 65, 65)
        if scheme == "maildir":
            path.unlink()
            levels(65, 65, 65, 65, 65)
            (place / "cur" / "1.copy:2,").write_bytes(whole)
            (place / "cur" / "2.copy:2,").write_bytes(whole)
            levels(65, 65, 65, 65, 65)


@test("verify: a changed date is told and is no error")
def other_date(world):
    user, here, there, ends, journal = copied(world, mailboxes.small(5))
    path = bodies("maildir", world.target().folder / "home" / user)[2]
    os.utime(path, (1_000_000_000, 1_000_000_000))
    # The date is in the cache; without it Dovecot asks the file.
    for cache in path.parents[1].glob("dovecot.index.cache"):
        cache.unlink()
    run = verify(world, ends, journal, "count").expect_code(0)
    expect([f[1] for f in findings(run, "date")] == ["3"], "date:", run.out)


@test("verify: when the source is gone the journal stands for it")
def source_gone(world):
    user, here, there, ends, journal = copied(world, mailboxes.small(10))
    dead = ends[0].replace(f":{here.port}", ":9")
    flip(bodies("maildir", world.target().folder / "home" / user)[4])
    with logged_in(there, user) as imap:
        imap.command("UID STORE 3 +FLAGS.SILENT (\\Deleted)")
        imap.command("UID EXPUNGE 3")
    # The identity has the port, so the server must seem gone, not elsewhere.
    wrong = world.argv(*ends, "--level", "bytes", journal=journal, command="verify", passwords=("wrong", None))
    expect("--against journal" in world.run(wrong).expect_code(77).err, "no word of --against journal")
    run = world.run([*wrong, "--against", "journal"]).expect_code(65)
    expect(run.account["verify"]["against"] == "journal", "against:", run.out, run.err)
    expect([f[1] for f in findings(run, "missing")] == ["3"], "missing:", run.out)
    expect([f[1] for f in findings(run, "differ")] == ["5"], "differ:", run.out)
    verify(world, (dead, ends[1])).expect_code(69)


@test("verify: Cyrus, also where it munges headers; POP3")
def other_servers(world):
    for target in (world.cyrus(), world.cyrus(munge8bit=None)):
        user, here, there, ends, journal = copied(world, mailboxes.awkward(poison=False), target=target)
        for level in ("count", "header", "bytes"):
            verify(world, ends, journal, level).expect_code(0)
        with logged_in(there, user) as imap:
            imap.command("UID STORE 1 +FLAGS.SILENT (\\Deleted)")
            imap.command("UID EXPUNGE 1")
        expect(len(findings(verify(world, ends, journal).expect_code(65), "missing")) == 1, "nothing missing")
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.small(20))
    ends, journal = (url(source, user, "pop3"), url(target, user)), world.journal()
    world.copy(*ends, journal=journal).expect_code(0)
    verify(world, ends, journal, "bytes").expect_code(0)
    verify(world, ends, None, "bytes").expect_code(0)


def run(world, command, ends, *options, journal, as_json=True, passwords=(None, None), **more):
    return world.run(world.argv(*ends, *options, journal=journal, command=command, as_json=as_json,
                                passwords=passwords), **more)


@test("undo takes back exactly what a run appended; another copy brings it again")
def undo(world):
    user, here, there, ends, journal = copied(world, mailboxes.small(10))
    with logged_in(here, user) as imap:
        for n in range(5):
            imap.append("INBOX", f"Subject: new {n}\r\nMessage-ID: <new{n}@sea.example>\r\n\r\nnew\r\n".encode())
        imap.command("UID STORE 12 +FLAGS.SILENT (\\Flagged)")
    with logged_in(there, user) as imap:
        imap.append("INBOX", b"Subject: foreign\r\n\r\nforeign\r\n")
    second = world.copy(*ends, journal=journal).expect_code(0).json["run"]
    # As the target numbers them: ten, the foreign one, and five of the second run.
    with logged_in(there, user) as imap:
        imap.command("UID STORE 13 +FLAGS.SILENT (\\Answered)")
        imap.command("CREATE Aside")
        imap.command("UID MOVE 14 Aside")
    with logged_in(here, user) as imap:
        imap.command("UID STORE 15 +FLAGS.SILENT (\\Deleted)")
        imap.command("UID EXPUNGE 15")
    run(world, "undo", ends, second, journal=journal).expect_code(64)
    look = run(world, "undo", ends, second, "--dry-run", journal=journal).expect_code(65).account["undo"]
    expect({k: look[k] for k in ("appended", "removed", "kept", "gone")}
           == {"appended": 5, "removed": 2, "kept": 2, "gone": 1}, "dry run:", look)
    done = run(world, "undo", ends, "last", "--yes", journal=journal).expect_code(65).account["undo"]
    expect(done["removed"] == 2 and done["run"] == second, "undo:", done)
    reasons = [k["text"] for k in done["folders"][0]["kept"]]
    expect("flags" in reasons[0] and "only copy" in reasons[1], "reasons:", reasons)
    with logged_in(there, user) as imap:
        left = imap.command("UID SEARCH ALL").lines
        expect(any(b"1 2 3 4 5 6 7 8 9 10 11 13 16" in line for line in left), "left:", left)
    again = world.copy(*ends, journal=journal).expect_code(0)
    again.expect_counts(copied=2, present=12)
    return "2 of 5 removed, 2 kept, 1 gone"


@test("undo's question can be left: a signal ends it there, and nothing is removed")
def undo_question(world):
    user, here, there, ends, journal = copied(world, mailboxes.small(5))
    argv = [str(word) for word in world.argv(*ends, "last", journal=journal, command="undo", as_json=False)]
    for number in (signal.SIGINT, signal.SIGTERM):
        process, terminal = pty.fork()
        if process == 0:
            os.execve(argv[0], argv, {**os.environ, "TERM": "xterm"})
        asked = b""
        while b"yes or no" not in asked:
            asked += os.read(terminal, 4096)
        os.kill(process, number)
        patience = time.monotonic() + 10
        while not (ended := os.waitpid(process, os.WNOHANG))[0] and time.monotonic() < patience:
            time.sleep(0.05)
        if not ended[0]:
            os.kill(process, signal.SIGKILL)
            ended = os.waitpid(process, 0)
        os.close(terminal)
        expect(os.WIFSIGNALED(ended[1]) and os.WTERMSIG(ended[1]) == number, "ended otherwise:", ended[1])
    expect(run(world, "undo", ends, "last", "--dry-run", journal=journal).account["undo"]["removed"] == 5, "removed")


@test("failed lists, exports and settles what was refused; retry tries it again")
def refused(world):
    source, target = world.dovecot(), world.cyrus()
    user = world.user(source, target)
    fill(source, user, mailboxes.awkward())
    ends, journal = (url(source, user), url(target, user)), world.journal()
    first = world.copy(*ends, journal=journal).expect_code(65)
    many = first.messages["rejected"]
    expect(many > 0, "Cyrus refused nothing")
    listed = run(world, "failed", ends, journal=journal, passwords=(False, False)).expect_code(65).account["failed"]
    expect(len(listed) == many and all(f["text"] and f["folder"] for f in listed), "failed:", listed)
    folder = world.file("refused")
    exported = run(world, "failed", ends, "--export", folder, journal=journal, passwords=(None, False)).expect_code(65)
    files = sorted(folder.glob("*.eml"))
    expect(len(files) == many and len(list(folder.iterdir())) == 2 * many, "exported:", files, exported)
    expect(all(f.stat().st_mode & 0o777 == 0o600 for f in folder.iterdir()), "modes:", files)
    words = [f.with_suffix(".txt").read_text() for f in files]
    expect(all(any(one["text"] in w for w in words) for one in listed), "the server's words are not beside it:", words)
    sizes = sorted(f["bytes"] for f in listed)
    expect(sorted(f.stat().st_size for f in files) == sizes, "sizes:", sizes)
    retry = run(world, "retry", ends, journal=journal).expect_code(65).expect_balance()
    retry.expect_counts(rejected=many, copied=0)
    verify(world, ends, journal).expect_code(65)
    # What was written before is as good as written now.
    files[0].unlink()
    again = run(world, "failed", ends, "--export", folder, "--accept", journal=journal, passwords=(None, False)).expect_code(0)
    expect(sorted(f["exported_to"] for f in again.account["failed"]) == [str(f) for f in files], again.out[:600])
    later = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
    later.expect_counts(rejected=many, accepted=many)
    verify(world, ends, journal).expect_code(0)
    return f"{many} refused"


def broken(count):
    """Mail that Dovecot takes and Cyrus does not."""
    return [b"Subject: %d\r\nthis is no header field\r\n\r\n%s" % (n, b"some text of it\r\n" * 1500) for n in range(count)]


@test("failed --export goes on after a lost line, and after it was stopped: all is written, once and whole")
def export_interrupted(world):
    source, target, messages = world.dovecot(), world.cyrus(), broken(40)
    user, folder, journal = world.user(source, target), world.file("refused"), world.journal()
    with Imap(source.imap) as imap:
        imap.login(user, source.password)
        for message in messages:
            imap.append("INBOX", message)
    with world.proxy(source.imap) as proxy:
        port = proxy[source.imap]
        ends = (url(source, user, port=port), url(target, user))
        world.copy(*ends, journal=journal).expect_code(65).expect_counts(rejected=40)
    argv = world.argv(*ends, "--export", folder, journal=journal, command="failed", passwords=(None, False))

    def written():
        return len(list(folder.glob("*.eml"))) if folder.exists() else 0
    with world.proxy(source.imap, listen=[port], mb_per_second=0.3):
        process = world.start(argv)
        while written() < 3:
            expect(world.alive(process), "it was too fast for this test")
            time.sleep(0.01)
        world.signal(process, signal.SIGTERM)
        stopped = world.finish(process).expect_code(75)
        first = written()
    told = [failed for failed in stopped.account["failed"] if failed.get("exported_to")]
    expect(3 <= len(told) == first < 40, f"{first} written and {len(told)} told of 40:", stopped.out[:400])
    with world.proxy(source.imap, listen=[port], cut_after=300_000, count=2) as proxy:
        done = world.run(argv).expect_code(65)
        expect(proxy.counters()["faults"] == 2, "the line was not cut")
    expect(all(failed.get("exported_to") for failed in done.account["failed"]), "not all written:", done.out[:400])
    files = [path.read_bytes() for path in folder.glob("*.eml")]
    expect(sorted(files) == sorted(messages) and len(list(folder.iterdir())) == 80, "files:", len(files))
    return f"{first} before the stop, then the line cut twice; 40 messages, lost 0, doubled 0"


@test("status tells what a run under way has copied, and report tells it in every form when it was killed")
def killed_report(world):
    source, target = world.dovecot(), world.target()
    user, journal = world.user(source, target), world.journal()
    fill(source, user, mailboxes.mixed(400, 6, largest=20_000))
    ends, past = (url(source, user), url(target, user)), dict(journal=journal, passwords=(False, False))
    process = world.start(world.argv(*ends, "--limit-messages", "50", journal=journal))
    copied = 0
    while copied < 20:
        expect(world.alive(process), "the run was too fast for this test")
        time.sleep(0.1)
        under_way = run(world, "status", ends, **past)
        copied = under_way.account["runs"][0].get("copied_so_far", 0) if under_way.code == 0 else 0
    world.signal(process, signal.SIGKILL)
    world.finish(process)
    told = run(world, "status", ends, **past).expect_code(0).account["runs"][0]["copied_so_far"]
    expect(copied <= told < 400, f"{copied} were copied, and it tells", told)
    for form in ("text", "csv", "html", "json"):
        out = run(world, "report", ends, "last", "--format", form, as_json=False, **past).expect_code(0).out
        expect(str(told) in out, f"{form} does not tell {told}:", out[:600])
    return f"{told} of 400"


@test("status shows the runs; report has four forms")
def history(world):
    user, here, there, ends, journal = copied(world, mailboxes.small(10))
    no_passwords = dict(journal=journal, passwords=(False, False))
    runs = run(world, "status", ends, **no_passwords).expect_code(0).account["runs"]
    expect([(r["command"], r["outcome"], r["messages"]["copied"]) for r in runs] == [("copy", "complete", 10)], runs)
    run(world, "report", ends, "7", **no_passwords).expect_code(64)
    report = run(world, "report", ends, "--format", "json", **no_passwords).expect_code(0).expect_balance()
    report.expect_counts(seen=10, copied=10)
    for form, word in (("text", "seen 10 = copied 10"), ("csv", '"INBOX"'), ("html", "copied 10")):
        out = run(world, "report", ends, "last", "--format", form, as_json=False, **no_passwords).expect_code(0).out
        expect(word in out, form, out[:500])
    world.run(world.argv(*ends, journal=journal, passwords=("wrong", None))).expect_code(77)
    for form in ("text", "csv", "html", "json"):
        out = run(world, "report", ends, "last", "--format", form, as_json=False, **no_passwords).expect_code(0).out
        expect("login" in out, f"{form} does not say why the run failed:", out[:500])
    return f"run {runs[0]['run']}"


@test("--same-account: a server under another name is known again, another account is refused and untouched")
def same_account(world):
    user, here, there, ends, journal = copied(world, mailboxes.small(12))
    renamed = tuple(end.replace("127.0.0.1", "localhost") for end in ends)
    with logged_in(here, user) as imap:
        imap.append("INBOX", b"Subject: new\r\nMessage-ID: <new@sea.example>\r\n\r\nnew\r\n")
    said = world.copy(*renamed, journal=journal).expect_code(64)
    expect("--same-account" in said.err and "localhost" in said.err, "words:", said)
    world.run(world.argv(*renamed, "--same-account")).expect_code(64)  # which journal?

    # Others on the same servers, with as many messages of the same sizes.
    other, other_here, other_there, other_ends, _ = copied(world, mailboxes.small(12, seed=2))
    before = journal.read_bytes()
    for wrong in ((other_ends[0], ends[1]), (ends[0], other_ends[1]), other_ends):
        refused = world.copy(*wrong, "--same-account", journal=journal).expect_code(64)
        expect("is another account than the journal's" in refused.err, "words:", refused)
    expect(journal.read_bytes() == before, "the journal was written")
    with logged_in(other_there, other) as imap:
        expect(any(b"* SEARCH 1 2 3 4 5 6 7 8 9 10 11 12" == line.strip() for line in imap.command("UID SEARCH ALL").lines),
               "the other account was written to")

    look = world.copy(*renamed, "--same-account", "--dry-run", journal=journal).expect_code(0)
    expect(look.messages["pending"] == 1, look.messages)
    world.copy(*renamed, journal=journal).expect_code(64)
    done = world.copy(*renamed, "--same-account", journal=journal).expect_code(0).expect_balance()
    done.expect_counts(copied=1, present=12)
    expect("from now on" in done.err, "not told:", done)
    world.copy(*renamed, journal=journal).expect_code(0).expect_counts(copied=0, present=13)
    run(world, "verify", renamed, "--level", "bytes", journal=journal).expect_code(0)
    world.copy(*ends, journal=journal).expect_code(64)
