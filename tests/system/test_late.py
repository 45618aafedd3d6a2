"""A server goes on after the line is cut.  Its session is stopped while the end of a transfer lies in
its socket, the line is cut, and later the session goes on: what it then stores must not be there twice."""
import pathlib
import signal
import time

import mailbox as mailboxes
from dovecot import hide
from harness import (Endpoint, Failed, expect, expect_appended_once, expect_equal, fill, logged_in, status, test, url)

COUNT = 1000
PIPELINED = hide("MULTIAPPEND")


class Late:
    """A crossing of COUNT small messages to a Dovecot whose session is stopped in the middle, and whose
    line is then cut; what the session has not read yet is a late commit when it goes on. They are
    small enough for one MULTIAPPEND: then all of them are late, or none."""

    def __init__(self, world, **server):
        self.world, self.source, self.target = world, world.dovecot(), world.target(**server)
        self.whole = server.get("capability") != PIPELINED
        self.user = world.user(self.source, self.target, stem="late")
        fill(self.source, self.user, mailboxes.small(COUNT, seed=self.user, sizes=(450, 600)))
        self.here, self.there = Endpoint.of(self.source, self.user), Endpoint.of(self.target, self.user)
        self.journal, self.twins, self._stopped = world.journal(), 0, []

    def count(self, *more):
        """How many messages are there, read from the disk: a session would wait for a stopped one.
        With "tmp", what is being stored counts too."""
        root = self.target.home(self.user) / "Maildir"
        return sum(len(list((root / sub).iterdir())) for sub in ("new", "cur", *more) if (root / sub).is_dir())

    def start(self, proxy):
        self.argv = self.world.argv(url(self.source, self.user),
                                    url(self.target, self.user, port=proxy[self.target.imap]), journal=self.journal)
        self.process = self.world.start(self.argv)

    def cut(self, proxy):
        """Stops the session once half of it is over, lets its socket fill, and cuts the line."""
        while self.count("tmp") < COUNT // 2:
            time.sleep(0.002)
        while True:
            self._stopped = self.target.sessions(self.user)
            expect(len(self._stopped) == 1, "sessions:", self._stopped)
            self.target.signal(signal.SIGSTOP, self._stopped)
            if not self.holds_lock():  # it would stop every other session, too
                break
            self.go_on()
            time.sleep(0.002)
        time.sleep(2 if self.whole else 0.4)  # until all of it, or some more, lies in the socket
        self.before = self.count()
        expect(self.before == 0 or not self.whole, f"{self.before} were stored: it was no MULTIAPPEND of {COUNT}")
        proxy.cut_now()

    def holds_lock(self):
        time.sleep(0.005)  # until the signal has arrived
        locks = [line.split() for line in pathlib.Path("/proc/locks").read_text().splitlines()]
        return (any(int(fields[4]) in self._stopped for fields in locks if fields[1] != "->")
                or list(self.target.home(self.user).glob("Maildir/**/*.lock")))

    def go_on(self):
        self.target.signal(signal.SIGCONT, self._stopped)

    def finish(self, *codes):
        run = self.world.finish(self.process).expect_code(*(codes or (0,)))
        if run.out:
            self.twins += run.expect_balance().messages["twins"]
        return run

    def run(self):
        self.process = self.world.start(self.argv)
        return self.finish()

    def expect_exact(self):
        expect_equal(self.here, self.there)
        expect_appended_once(self.there, self.twins)
        return f"{self.late} late, {self.twins} twins"


def late(world, killed, fin, **server):
    """The session goes on while the program waits for it."""
    it = Late(world, **server)
    with world.proxy(it.target.imap, mb_per_second=0.3, fin=fin, cut_after=1 << 40) as proxy:
        it.start(proxy)
        it.cut(proxy)
        if killed:
            world.signal(it.process, signal.SIGKILL)
            it.finish(-signal.SIGKILL)
            it.process = world.start(it.argv)
        time.sleep(2.5)
        expect(it.count() == it.before, "it did not wait:", it.before, "->", it.count())
        it.go_on()
        time.sleep(0.7)
        it.late = it.count() - it.before
        it.finish().expect_counts(seen=COUNT)
        it.run().expect_counts(seen=COUNT, copied=0)
    return it


def _late(name, **server):
    for killed in (False, True):
        @test(f"a late commit is waited for: {name}, {'killed and started again at once' if killed else 'going on'}",
              slow=not killed)
        def waited_for(world, killed=killed):
            for fin in (True, False, True, False):
                it = late(world, killed, fin, **server)
                told = it.expect_exact()
                expect(it.twins == 0, f"{it.twins} messages were appended twice")
                if it.late:
                    return told
            raise Failed("nothing was late, in four attempts")

    @test(f"a commit so late that it was given up is found as twins and removed: {name}", slow=True)
    def given_up(world):
        for attempt in range(4):
            it = Late(world, **server)
            with world.proxy(it.target.imap, mb_per_second=0.3, fin=attempt % 2 == 0, cut_after=1 << 40) as proxy:
                it.start(proxy)
                it.cut(proxy)
                it.finish()
                it.go_on()
                time.sleep(1)
                it.late = it.count() - COUNT
                again = it.run()
                told = it.expect_exact()
                if it.late:
                    expect(it.twins == it.late and "twice" in again.err, told, again)
                    return told
        raise Failed("nothing was late, in four attempts")

    @test(f"the line is cut at the end of it, and nothing is there twice: {name}", slow=True)
    def cut_at_the_end(world):
        told = []
        for number, share in enumerate((0.9, 0.97, 0.995, 1)):
            it = Late(world, **server)
            with world.proxy(it.target.imap, fin=number % 2 == 1, cut_after=1 << 40) as proxy:
                it.start(proxy)
                while it.count() < COUNT * share:
                    time.sleep(0.0005)
                proxy.cut_now()
                if number >= 2:
                    world.signal(it.process, signal.SIGKILL)
                    world.finish(it.process)
                    it.process = world.start(it.argv)
                before = it.count()
                it.finish()
                it.run().expect_counts(seen=COUNT, copied=0)
            it.late = COUNT - before
            told.append(it.expect_exact())
        return "; ".join(told)


_late(f"one MULTIAPPEND of {COUNT}")
_late(f"{COUNT} pipelined APPENDs", capability=PIPELINED)


@test("twins that cannot be removed one by one are told: no UIDPLUS", slow=True)
def twins_stay(world):
    for attempt in range(4):
        it = Late(world, capability=hide("UIDPLUS"))
        with world.proxy(it.target.imap, mb_per_second=0.3, fin=True, cut_after=1 << 40) as proxy:
            it.start(proxy)
            it.cut(proxy)
            it.finish()
            it.go_on()
            time.sleep(1)
            it.late = it.count() - COUNT
            again = it.run()
        if it.late:
            expect(it.twins == it.late and "UIDPLUS" in again.err, f"{it.late} late, {it.twins} twins:", again)
            with logged_in(it.there) as imap:
                expect(status(imap, "INBOX")["MESSAGES"] == COUNT + it.late, "something was removed")
            return f"{it.twins} twins"
    raise Failed("nothing was late, in four attempts")
