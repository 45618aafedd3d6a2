"""Every exit status, and the JSON object beside it."""
import json
import os
import subprocess
import time

import mailbox as mailboxes
from harness import Dovecot, Endpoint, Skipped, expect, expect_equal, fill, test, url
from ports import free_port


def ends(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.mixed(10, 2, largest=2000))
    return source, target, user


def expect_failed(run, code, told=()):
    """A run that ended before it began: its code, its object, its words."""
    run.expect_code(code).expect_balance()
    expect(run.json["outcome"] == "failed" and run.account["outcome"] == "failed", "outcome:", run.out[:300])
    expect(run.account["error"], "no error in the object:", run.out[:300])
    for word in told:
        expect(word.lower() in (run.err + run.out).lower(), f"{word!r} is not told:", run)
    return run


@test("a wrong password is 77 with the server's words, at either end, by IMAP and POP3")
def wrong_password(world):
    source, target, user = ends(world)
    cyrus = world.cyrus()
    cyrus.add_user(user)
    for scheme in ("imap", "pop3"):
        expect_failed(world.copy(url(source, user, scheme), url(target, user), passwords=("wrong", None)), 77, ["source"])
    expect_failed(world.copy(url(source, user), url(target, user), passwords=(None, "wrong")), 77,
                  ["target", "Authentication failed"])
    begin = time.monotonic()
    expect_failed(world.copy(url(cyrus, user), url(target, user), passwords=("wrong", None)), 77)
    expect(time.monotonic() - begin < 20, "a refused login was tried again and again")


@test("a port where nobody listens and a host that does not exist are 69")
def unreachable(world):
    source, target, user = ends(world)
    port = free_port()
    for scheme in ("imap", "pop3", "imaps"):
        expect_failed(world.copy(url(source, user, scheme, port=port), url(target, user), "--retries", "1"), 69)
    expect_failed(world.copy(url(source, user), url(target, user, port=port), "--retries", "1"), 69, [str(port)])
    expect_failed(world.copy(url(source, user, host="no-such-host.invalid"), url(target, user), "--retries", "1"), 69,
                  ["no-such-host.invalid"])


@test("what speaks another protocol is 76")
def other_protocol(world):
    source, target, user = ends(world)
    expect_failed(world.copy(url(source, user, port=source.pop3), url(target, user)), 76)
    expect_failed(world.copy(url(source, user, "pop3", port=source.imap), url(target, user)), 76)
    expect_failed(world.copy(url(source, user, "imaps", port=source.imap, ca=source.ca), url(target, user)), 76)


@test("wrong usage is 64, says why, and prints no object")
def usage(world):
    source, target, user = ends(world)
    good, other = url(source, user), url(target, user)
    host = f"127.0.0.1:{source.imap}"
    wrong = [
        [], ["copy"], ["copy", good], ["copy", good, other, "--no-such-option"], ["nonsense"],
        ["copy", "http://ann@127.0.0.1", other], ["copy", "ann@127.0.0.1", other], ["copy", "imap:ann", other],
        ["copy", f"imap://ann:secret@{host}?tls=none", other], ["copy", f"imap://{host}?tls=none", other],
        ["copy", f"imap://ann@{host}/INBOX?tls=none", other], ["copy", f"imap://ann@{host}?tls=maybe", other],
        ["copy", f"imap://ann@{host}?colour=blue", other], ["copy", f"imap://ann@127.0.0.1:70000?tls=none", other],
        ["copy", f"imap://ann@127.0.0.1:port?tls=none", other], ["copy", f"imaps://ann@{host}?ca=/no/such/file.pem", other],
        ["copy", f"imaps://ann@{host}?pin=sha256:xyz", other], ["copy", f"imap://ann@{host}?auth=telepathy&tls=none", other],
        ["copy", f"imap://ann%zz@{host}?tls=none", other], ["copy", good, url(target, user, "pop3")],
        ["copy", good, other, "--source-password-file", "/no/such/file"], ["copy", good, other, "--timeout", "never"],
    ]
    files = ["--source-password-file", world.file("p", "x"), "--target-password-file", world.file("p", "x")]
    taken = []
    for words in wrong:
        more = files if len(words) > 2 and not any("password-file" in w for w in words) else []
        run = world.run([world.program, *map(str, words + more), *(["--json"] if len(words) > 2 else [])], timeout=30)
        if run.code != 64:
            taken.append((words, run.code, run.err.strip()[-120:]))
            continue
        expect(run.err.strip(), words, "said nothing")
        expect(not run.out.strip().startswith("{"), words, "printed an object")
        expect("secret" not in run.err, "the password was printed again")
    expect(not taken, "not 64:", taken)


@test("--help and --version are 0 and on stdout")
def help_and_version(world):
    for words in (["--help"], ["copy", "--help"], ["check", "--help"], ["--version"]):
        run = world.run([world.program, *words]).expect_code(0)
        expect(run.out.strip(), words, "printed nothing on stdout")
    text = world.run([world.program, "copy", "--help"]).out
    for option in ("--journal", "--dry-run", "--json", "--source-password-file", "--target-password-command"):
        expect(option in text, option, "is not in the help")


@test("a journal that cannot be written is 73 or 74 and says which")
def journal_unwritable(world):
    source, target, user = ends(world)
    good = url(source, user), url(target, user)
    not_a_base = world.file("journal", "this is no SQLite file, whatever its name says\n" * 50)
    for path in ("/proc/no/journal", "/dev/null/journal", world.folder, not_a_base):
        run = world.copy(*good, journal=path).expect_code(73, 74).expect_balance()
        expect(str(path) in run.err or str(path) in run.out, f"{path} is not named:", run)
    expect(not_a_base.read_text().startswith("this is no SQLite"), "a file that is no journal was overwritten")


@test("a full disk under the journal is 74")
def journal_disk_full(world):
    if os.getuid():
        raise Skipped("not root: a full file system cannot be made")
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.small(3000, sizes=(200, 300)))
    place = world.file("full")
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(place)], capture_output=True).returncode:
        raise Skipped("no file system can be mounted here")
    try:
        run = world.copy(url(source, user), url(target, user), journal=place / "journal").expect_code(73, 74)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
    journal = world.journal()
    world.copy(url(source, user), url(target, user), journal=journal).expect_code(0)
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    return f"exit {run.code}"


@test("a second writer on one journal is told so and changes nothing")
def locked(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.mixed(400, 4, largest=60_000))
    journal = world.journal()
    with world.proxy(source.imap, delay_ms=5, mb_per_second=1) as proxy:
        pair = url(source, user, port=proxy[source.imap]), url(target, user)
        process = world.start(world.argv(*pair, journal=journal))
        time.sleep(1)
        second = world.copy(*pair, journal=journal)
        expect(world.alive(process), "the first run was too fast for this test")
        expect(second.code not in (0, 64, 65, 70), "the second writer went ahead:", second)
        expect(any(w in second.err.lower() for w in ("another", "lock", "in use", "already")), "not told:", second)
        world.finish(process).expect_code(0)
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    return f"exit {second.code}"


@test("stdout is the object and nothing else; without --json the ledger is on stdout and progress on stderr")
def streams(world):
    source, target, user = ends(world)
    run = world.copy(url(source, user), url(target, user)).expect_code(0)
    expect(run.out.count("\n") <= 1 or json.loads(run.out), "more than one object")
    files = [world.file("p", Dovecot.password + "\n") for _ in range(2)]
    plain = world.run([world.program, "copy", url(source, user), url(target, user), "--source-password-file", str(files[0]),
                       "--target-password-file", str(files[1]), "--journal", str(world.journal())]).expect_code(0)
    expect(str(run.messages["seen"]) in plain.out, "the ledger is not on stdout:", plain.out[:300])
    expect("\r" not in plain.err and "\x1b" not in plain.err, "a progress bar where there is no terminal")


@test("output into a closed pipe ends in an orderly way")
def closed_pipe(world):
    source, target, user = ends(world)
    argv = world.argv(url(source, user), url(target, user), journal=world.journal())
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    _, err = process.communicate(timeout=60)
    expect(process.returncode not in (70, -6, -11), f"exit {process.returncode}: {err[-300:]}")
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user), roles=False)
