"""Servers and disks that fail: killed, stopped, full, forbidding, short of connections, with a clock
that jumps.  What can be carried is carried, the rest is told, and nothing is lost or doubled."""
import contextlib
import os
import signal
import subprocess
import time

import mailbox as mailboxes
from cyrus import ADMIN, Cyrus
from dovecot import Dovecot
from harness import (SERVERS, Endpoint, Failed, Skipped, expect, expect_appended_once, expect_equal, fill, logged_in,
                     sanitized, test, url)
from test_faults import in_parallel
from test_follow import box, some, stored
from test_runs import pair, picture
from verify import verify
from wire import Imap


def small_box(name):
    """700 messages: a batch shows at its end, so the folders are of many sizes, and come one after another."""
    counts = {"INBOX": 280, "One": 20, "Two": 40, "Three": 60, "Four": 80, "Five": 100, "Six": 120}
    return box(**{folder: mailboxes.small(count, seed=f"{name}{folder}").folders[0].messages
                  for folder, count in counts.items()})


def on_disk(server, user):
    """How many messages there are, without asking a server that may be down or stopped."""
    if server.kind == "cyrus":
        return sum(1 for _ in server.folder.glob("spool/**/[0-9]*."))
    return sum(1 for sub in ("new", "cur") for _ in server.home(user).glob(f"Maildir/**/{sub}/*"))


class UnderWay:
    """A crossing through slow lines, with servers of its own at both ends."""

    def __init__(self, world, source, target, *options):
        self.world, self.source, self.target = world, source, target
        self.user = world.user(source, target)
        fill(source, self.user, small_box(self.user))
        self.here, self.there = Endpoint.of(source, self.user), Endpoint.of(target, self.user)
        self.journal, self.options, self.twins = world.journal(), options, 0

    @contextlib.contextmanager
    def going(self, mb_per_second=0.1):
        with self.world.proxy(self.source.imap, self.target.imap, mb_per_second=mb_per_second) as proxy:
            self.argv = self.world.argv(*(url(end, self.user, port=proxy[end.imap]) for end in (self.source, self.target)),
                                        *self.options, journal=self.journal)
            self.process = self.world.start(self.argv)
            yield
            # A server that fails may be given up: then the next run goes on.
            run = self.world.finish(self.process, timeout=240)
            self.codes = [run.expect_code(0, 75).expect_balance().code]
            self.twins += run.messages["twins"]
            for _ in range(2):
                run = self.world.run(self.argv, timeout=240).expect_code(0).expect_balance()
                self.codes.append(run.code)
                self.twins += run.messages["twins"]
            run.expect_counts(seen=700, copied=0, present=700)

    def wait(self, share):
        """Until that share of the mail is on the target."""
        end = time.monotonic() + 240
        while on_disk(self.target, self.user) < 700 * share:
            expect(time.monotonic() < end, f"{share:.0%} are not there after 240 s")
            if not self.world.alive(self.process):
                raise Failed(f"it has ended before {share:.0%} were there: {self.world.finish(self.process)}")
            time.sleep(0.01)

    def expect_exact(self):
        expect_equal(self.here, self.there, allow_parents=True)
        if self.target.kind == "dovecot":
            expect_appended_once(self.there, self.twins)
        return f"exits {self.codes}, {self.twins} twins, 700 messages, lost 0, doubled 0"


def _killed(name, which, kind=Dovecot, times=3):
    @test(f"the {which}, {name}, is killed {times} times and started again under way", slow=True)
    def killed(world):
        with world.private(kind if which == "source" else Dovecot) as source, \
                world.private(kind if which == "target" else Dovecot) as target:
            it = UnderWay(world, source, target)
            victim = source if which == "source" else target
            with it.going():
                for number in range(times):
                    it.wait(0.15 + 0.2 * number)
                    victim.kill()
                    time.sleep(0.3)
                    victim.start()
            return it.expect_exact()


_killed("Dovecot", "source")
_killed("Dovecot", "target")
_killed("Cyrus", "source", Cyrus)
_killed("Cyrus", "target", Cyrus)


def _stopped(which):
    @test(f"a {which} that stops for longer than --timeout and goes on is waited for", slow=True)
    def stopped(world):
        with world.private() as source, world.private() as target:
            it = UnderWay(world, source, target, "--timeout", "3", "--retries", "8")
            victim = source if which == "source" else target
            with it.going():
                it.wait(0.4)
                victim.signal(signal.SIGSTOP)
                try:
                    time.sleep(10)
                finally:
                    victim.signal(signal.SIGCONT)
            return it.expect_exact()


for _which in ("source", "target"):
    _stopped(_which)


@test("a server of either end, and the program itself, that stand still for 65 s go on, and nothing is lost or doubled",
      slow=True)
def stopped_a_minute(world):
    def stop(which, source_kind=Dovecot, target_kind=Dovecot):
        with world.private(source_kind) as source, world.private(target_kind) as target:
            it = UnderWay(world, source, target, "--timeout", "20", "--retries", "8")
            with it.going(mb_per_second=0.05):  # five at a time, beside others
                it.wait(0.3)
                victims = {"source": source.signal, "target": target.signal,
                           "program": lambda number: world.signal(it.process, number)}
                victims[which](signal.SIGSTOP)
                try:
                    time.sleep(65)
                finally:
                    victims[which](signal.SIGCONT)
            kind = {"source": source.kind, "target": target.kind}.get(which, "")
            return f"{which} {kind}".strip() + f": {it.expect_exact()}"
    jobs = [("source",), ("target",), ("source", Cyrus), ("target", Dovecot, Cyrus), ("program",)]
    done = in_parallel([lambda job=job: stop(*job) for job in jobs])
    return "; ".join(done)


@test("fewer connections than sessions are a reason to go on with fewer, not to fail")
def few_connections(world):
    with world.private(connections=2) as few:
        plenty = world.dovecot()
        for source, target in ((few, plenty), (plenty, few)):
            folders = {f"F{i}": some(60, f"f{i}") for i in range(8)}
            user, here, there, ends = pair(world, box(INBOX=[], **folders), source, target)
            for end, server in enumerate((source, target)):
                if server is few:
                    with contextlib.ExitStack() as others:  # somebody else has one of the two
                        others.enter_context(logged_in((here, there)[end]))
                        run = world.copy(*ends, "--sessions", "4").expect_code(0).expect_balance()
            expect("fewer sessions" in run.err, "not told:", run)
            expect_equal(here, there)


# Full.

@test("a target over quota stops the account; with more room the next run goes on: Dovecot")
def quota_raised(world):
    with world.private(quota="*:storage=300K") as target:
        user, here, there, ends = pair(world, mailboxes.small(100, sizes=(5000, 6000)), target=target)
        journal = world.journal()
        first = world.copy(*ends, journal=journal).expect_code(65).expect_balance()
        expect(first.messages["pending"] > 0 and first.messages["rejected"] == 0, "quota is no refusal:", first.messages)
        again = world.copy(*ends, journal=journal).expect_code(65).expect_counts(rejected=0)
        target.stop()
        target.quota = "*:storage=10M"
        target.start()
        world.copy(*ends, journal=journal).expect_code(0).expect_balance()
        expect_equal(here, there)
        expect_appended_once(there)
        return f"{first.messages['copied']} + {again.messages['copied']} of 100 before"


@test("a target over quota stops the account; with more room the next run goes on: Cyrus")
def quota_raised_cyrus(world):
    source, target = world.dovecot(), world.cyrus()
    user = world.user(source)
    target.add_user(user, quota_kib=300)
    fill(source, user, mailboxes.small(100, sizes=(5000, 6000)))
    journal, ends = world.journal(), (url(source, user), url(target, user))
    check = world.run(world.argv(*ends, command="check", as_json=False)).expect_code(65)
    expect("would fail" in check.out and "room" in check.out, "check does not foretell it:", check)
    first = world.copy(*ends, journal=journal).expect_code(65).expect_balance()
    expect("quota" in (first.err + first.out).lower(), "the words are not told:", first)
    expect(first.messages["pending"] > 0 and first.messages["rejected"] == 0, "quota is no refusal:", first.messages)
    target.add_user(user, quota_kib=10_000)
    world.copy(*ends, journal=journal).expect_code(0).expect_balance()
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    return f"{first.messages['copied']} of 100 before"


@contextlib.contextmanager
def full_disk(world, size):
    """A file system of SIZE bytes."""
    if os.getuid():
        raise Skipped("not root: a full file system cannot be made")
    place = world.file("full")
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True).returncode:
        raise Skipped("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@test("a disk that fills up at the journal in mid-run is 74; with room the same journal goes on")
def journal_full(world):
    user, here, there, ends = pair(world, box(INBOX=mailboxes.small(4000, sizes=(200, 300)).folders[0].messages))
    with full_disk(world, 400 << 10) as place:
        journal = place / "journal"
        first = world.copy(*ends, journal=journal).expect_code(73, 74).expect_balance()
        done = len(picture(there)[0].get(("INBOX",), []))
        expect(0 < done < 4000, f"{done} messages were copied before the disk was full")
        subprocess.run(["mount", "-o", "remount,size=64M", str(place)], check=True)
        world.copy(*ends, journal=journal).expect_code(0).expect_balance()
        expect_equal(here, there)
        expect_appended_once(there)
    return f"exit {first.code} after {done}"


@test("a limit on the size of files is an error at the journal or the transcript, not a signal: 73 or 74")
def files_limited(world):
    user, here, there, ends = pair(world, box(INBOX=mailboxes.small(4000, sizes=(200, 300)).folders[0].messages))
    journal = world.journal()
    limit = ["sh", "-c", 'ulimit -f 500; exec "$@"', "sh"]
    first = world.run([*limit, *world.argv(*ends, journal=journal)]).expect_code(74)
    world.run([*limit, *world.argv(*ends, "--transcript", world.file("transcript"), journal=world.journal())]).expect_code(73, 74)
    world.copy(*ends, journal=journal).expect_code(0).expect_balance()
    expect_equal(here, there)
    expect_appended_once(there)
    return first.err.strip()[-100:]


@test("a disk that is full at the spool stops cleanly: 73; with room the next run goes on")
def spool_full(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    maker = mailboxes.Maker("spool")
    fill(source, user, box(INBOX=[*some(5), maker.message("large", maker.ordinary(6 << 20)), *some(5, "behind")]))
    journal, ends = world.journal(), (url(source, user, "pop3"), url(target, user))
    with full_disk(world, 1 << 20) as place:
        first = world.run(world.argv(*ends, journal=journal), TMPDIR=str(place)).expect_code(73).expect_balance()
        expect(not list(place.iterdir()), "the spool left files:", list(place.iterdir()))
    world.copy(*ends, journal=journal).expect_code(0).expect_balance()
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user), content_only=True)
    expect_appended_once(Endpoint.of(target, user))
    return f"exit {first.code}: {first.err.strip()[-120:]}"


# Forbidding.

def forbidden(world, here, there, ends, allow, folder="One", source=False):
    """One folder is forbidden: the others go over, it is told; once allowed it goes over, too."""
    journal = world.journal()
    first = world.copy(*ends, journal=journal).expect_code(65).expect_balance()
    expect(folder in first.err, "the folder is not told:", first)
    expect(first.account["folders_failed"] == 1 or first.messages["rejected"] == 6, "not one failed:", first.out[:600])
    expect(len(stored(there)) == 8 and len(stored(there, "Two")) == 4, "the other folders were not carried")
    words = world.argv(*ends, journal=journal, command="failed", passwords=(False, False), as_json=False)
    expect(folder in world.run(words).expect_code(65).out, "failed does not tell the folder")
    retry = world.argv(*ends, journal=journal, command="retry", as_json=False)
    expect(folder in world.run(retry).expect_code(65).out, "retry says nothing of the folder")
    allow()
    world.copy(*ends, journal=journal).expect_code(0).expect_balance().expect_counts(seen=18, copied=6, present=12)
    for command in (words, retry):
        expect("Nothing has failed" in world.run(command).expect_code(0).out, "the folder is told for ever")
    expect_equal(here, there, roles=False)
    return first.err.strip()[-160:]


def three_folders():
    return box(INBOX=some(8), One=some(6, "one"), Two=some(4, "two"))


def _acl(which, rights):
    @test(f"an ACL that refuses a folder at the {which} costs only that folder: 65, Dovecot")
    def acl(world):
        with world.private(extra="mail_plugins = $mail_plugins acl\n"
                                 "protocol imap {\n  mail_plugins = $mail_plugins acl\n}\n"
                                 "plugin {\n  acl = vfile\n}\n") as server:
            pairs = {"source": {"source": server}, "target": {"target": server}}
            user, here, there, ends = pair(world, three_folders(), **pairs[which])
            with logged_in(here if which == "source" else there) as imap:
                if which == "target":
                    imap.command("CREATE One")
            path = server.home(user) / "Maildir" / ".One" / "dovecot-acl"
            path.write_text(f"owner {rights}\n")
            server.own(path)
            return forbidden(world, here, there, ends, path.unlink)


_acl("target", "lrws")
_acl("source", "l")


@test("an ACL that refuses a folder at the target costs only that folder: 65, Cyrus")
def acl_cyrus(world):
    source, target = world.dovecot(), world.cyrus()
    user, here, there, ends = pair(world, three_folders(), source, target)

    def set_rights(rights):
        with Imap(target.imap) as admin:
            admin.login(ADMIN, target.password)
            admin.command(f'SETACL "user/{user}/One" {user} {rights}')
    with logged_in(there) as imap:
        imap.command("CREATE One")
    set_rights("lrsw")
    return forbidden(world, here, there, ends, lambda: set_rights("lrswipkxtecda"))


@test("a folder INBOX below INBOX, which Cyrus refuses, gets a name of its own there, and keeps it")
def inbox_below_inbox(world):
    source, target = world.dovecot(), world.cyrus()
    user, here, there, ends = pair(world, box(INBOX=some(3)), source, target)
    with logged_in(here) as imap:
        imap.command("CREATE INBOX/INBOX")
        for message in some(2, "below"):
            imap.append("INBOX/INBOX", message.data)
    journal = world.journal()
    run = world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=5)
    expect("INBOX/INBOX_" in run.err, "not told:", run.err)
    world.copy(*ends, journal=journal).expect_code(0).expect_counts(copied=0, present=5)


@test("a folder that cannot be written on the target's disk costs only that folder")
def read_only_folder(world):
    with world.private() as target:
        user, here, there, ends = pair(world, three_folders(), target=target)
        with logged_in(there) as imap:
            imap.command("CREATE One")
        folder = target.home(user) / "Maildir" / ".One"
        places = [folder, *(folder / sub for sub in ("new", "cur", "tmp"))]

        def set_mode(mode):
            for place in places:
                place.chmod(mode)
        set_mode(0o555)
        return forbidden(world, here, there, ends, lambda: set_mode(0o755))


@test("a clock that jumps back and forth by days changes nothing")
def clock(world):
    if sanitized(world):
        raise Skipped("a sanitizer wants to be loaded first")
    library = world.folder / "jumpyclock.so"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", str(library),
                    str(SERVERS / "jumpyclock.c"), "-ldl"], check=True)
    user, here, there, ends = pair(world, mailboxes.mixed(300, 4, seed="clock", largest=30_000))
    argv = world.argv(*ends, "--source-daily", "1G", journal=world.journal())
    world.run(argv, LD_PRELOAD=str(library)).expect_code(0).expect_balance()
    expect_equal(here, there)
    run = world.run(argv, LD_PRELOAD=str(library)).expect_code(0).expect_counts(copied=0)
    expect(run.seconds < 10, f"{run.seconds:.0f} s for nothing")
    expect_appended_once(there)
