"""Killed and cut at any moment: after the last run both sides are equal and nothing is there twice."""
import concurrent.futures
import itertools
import os
import random
import signal
import threading
import time

import mailbox as mailboxes
from dovecot import hide
from harness import Endpoint, Failed, expect, expect_appended_once, expect_equal, fill, test, url
from test_runs import forward

KILLS = int(os.environ.get("POSTFERRY_KILLS", "100"))
WORKERS = int(os.environ.get("POSTFERRY_FAULT_WORKERS", "4"))
SEED = int(os.environ.get("POSTFERRY_SEED", str(random.SystemRandom().randrange(1 << 30))))


def in_parallel(jobs):
    """Runs all; raises the first failure, with how many failed."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(job) for job in jobs]
    failed = [f.exception() for f in futures if f.exception()]
    if failed:
        raise Failed(f"{len(failed)} of {len(futures)}, seed {SEED}: {failed[0]}") from failed[0]
    return [f.result() for f in futures]


class Quota:
    """How many kills are still to be made, shared by the workers."""

    def __init__(self, count):
        self._left, self._lock = count, threading.Lock()

    def take(self):
        with self._lock:
            if not self._left:
                return False
            self._left -= 1
            return True

    def give_back(self):
        with self._lock:
            self._left += 1

    def left(self):
        with self._lock:
            return self._left > 0


def kill_an_account(world, number, quota, scheme, target, most=6):
    """One account, whose runs are killed up to MOST times; then one more run, left in peace."""
    rnd = random.Random(f"{SEED}/{number}")
    source = world.dovecot()
    user = world.user(source, target)
    box = mailboxes.mixed(400, 1 if scheme == "pop3" else 6, seed=number, largest=60_000)
    fill(source, user, box)
    journal, made = world.journal(), 0
    with world.proxy(getattr(source, scheme), target.imap, delay_ms=2, mb_per_second=0.6) as proxy:
        ends = (url(source, user, scheme, port=proxy[getattr(source, scheme)]),
                url(target, user, port=proxy[target.imap]))
        argv = world.argv(*ends, journal=journal)
        while made < most and quota.take():
            process = world.start(argv)
            # Most in the crossing itself; some in or behind the wait for a late commit, 5 s.
            time.sleep(rnd.choice([rnd.uniform(0, 0.3), rnd.uniform(0.2, 2), rnd.uniform(0.2, 2), rnd.uniform(0.5, 3),
                                   rnd.uniform(4.5, 6) if made else 1]))
            met = world.alive(process)
            world.signal(process, signal.SIGKILL)
            world.finish(process)
            if not met:  # it was done: on to a fresh account
                quota.give_back()
                break
            made += 1
        last = world.run(argv).expect_code(0).expect_balance()
        expect(last.messages["seen"] == box.count(), "seen:", last.messages)
        here, there = Endpoint.of(source, user), Endpoint.of(target, user)
        expect_equal(here, there, content_only=scheme == "pop3", allow_parents=True)
        again = world.run(argv).expect_code(0)
        again.expect_counts(copied=0, present=box.count())
        if target.kind == "dovecot":
            expect_appended_once(there)
        expect_equal(here, there, content_only=scheme == "pop3", allow_parents=True)
    return made, box.count()


def kills(world, count, scheme, target):
    """COUNT kills that each met a running program, over as many accounts as that takes."""
    quota, numbers = Quota(count), itertools.count()

    def worker():
        made = accounts = messages = 0
        while quota.left():
            killed, crossed = kill_an_account(world, f"{scheme}{target.kind}{next(numbers)}", quota, scheme, target)
            made, accounts, messages = made + killed, accounts + 1, messages + crossed
        return made, accounts, messages
    done = in_parallel([worker] * WORKERS)
    made, accounts, messages = (sum(one) for one in zip(*done))
    expect(made == count, f"{made} kills instead of {count}")
    return f"{made} kills over {accounts} accounts; {messages} messages, lost 0, doubled 0, seed {SEED}"


@test(f"kill -9 at {KILLS} random moments, IMAP to Dovecot", slow=True)
def killed(world):
    return kills(world, KILLS, "imap", world.target())


@test("kill -9 at random moments, IMAP to Cyrus", slow=True)
def killed_cyrus(world):
    return kills(world, max(1, KILLS // 5), "imap", world.cyrus())


@test("kill -9 at random moments, IMAP to a Dovecot without UIDPLUS and MULTIAPPEND", slow=True)
def killed_bare(world):
    return kills(world, max(1, KILLS // 5), "imap", world.target(capability=hide("UIDPLUS", "MULTIAPPEND", "LITERAL+")))


@test("kill -9 at random moments, POP3 to Dovecot", slow=True)
def killed_pop3(world):
    return kills(world, max(1, KILLS // 5), "pop3", world.target())


@test("kill -9 at a few moments")
def killed_quickly(world):
    return kills(world, 6, "imap", world.target())


def cut(world, number, end, way, after, count, scheme="imap", cyrus=""):
    """A crossing whose line is cut at one end after AFTER bytes, COUNT times (None: every connection)."""
    source = world.cyrus() if cyrus == "source" else world.dovecot()
    target = world.cyrus() if cyrus == "target" else world.target()
    user = world.user(source, target)
    box = mailboxes.mixed(250, 1 if scheme == "pop3" else 5, seed=f"cut{number}", largest=50_000)
    fill(source, user, box)
    journal = world.journal()
    port = getattr(source, scheme) if end == "source" else target.imap
    with world.proxy(port, cut_after=after, way=way, count=count) as proxy:
        ends = (url(source, user, scheme, port=proxy[port] if end == "source" else None),
                url(target, user, port=proxy[port] if end == "target" else None))
        codes = []
        for _ in range(4):
            run = world.copy(*ends, "--timeout", "30", "--retries", "3" if count else "2", journal=journal)
            run.expect_code(0, 69, 75).expect_balance()
            codes.append(run.code)
            if run.code == 0:
                break
        faults = proxy.counters()["faults"]
        expect(codes[-1] == 0, f"{scheme} {end} {way} after {after} bytes never ended well:", codes, run)
    there = Endpoint.of(target, user)
    expect_equal(Endpoint.of(source, user), there, content_only=scheme == "pop3", allow_parents=target.kind == "cyrus")
    if target.kind == "dovecot":
        expect_appended_once(there)
    return len(codes), faults, box.count()


def cuts(world, count, points, scheme="imap", cyrus=""):
    places = [("source", "down"), ("source", "up"), ("target", "up"), ("target", "down")]
    jobs = []
    rnd = random.Random(SEED)
    for end, way in places:
        # Towards a source and from a target only commands and answers flow: a few thousand bytes.
        most = 1500 if (end, way) in (("source", "up"), ("target", "down")) else 700_000
        for low, high in points:
            after = rnd.randrange(int(low * most), max(1, int(high * most)))
            jobs.append(lambda e=end, w=way, a=after, n=len(jobs): cut(world, n, e, w, a, count, scheme, cyrus))
    done = in_parallel(jobs)
    runs, faults, messages = zip(*done)
    met = sum(count > 0 for count in faults)
    expect(met * 2 > len(done), f"only {met} of {len(done)} lines were cut, seed {SEED}")
    return (f"{met} of {len(done)} lines were cut, up to {max(runs)} runs; {sum(messages)} messages, lost 0, doubled 0, "
            f"seed {SEED}")


POINTS = [(0, 0.0005), (0.0005, 0.01), (0.01, 0.1), (0.1, 0.4), (0.4, 0.8)]


@test("the line is cut once, at either end and in either direction, IMAP", slow=True)
def cut_once(world):
    return cuts(world, 1, POINTS)


@test("the line is cut three times, at either end and in either direction, IMAP", slow=True)
def cut_thrice(world):
    return cuts(world, 3, [(0.05, 0.3), (0.3, 0.6)])


@test("the line is cut once, at either end and in either direction, from Cyrus", slow=True)
def cut_from_cyrus(world):
    return cuts(world, 1, POINTS[1:], cyrus="source")


@test("the line is cut once, at either end and in either direction, to Cyrus", slow=True)
def cut_to_cyrus(world):
    return cuts(world, 1, POINTS[1:], cyrus="target")


@test("the line is cut once, at either end and in either direction, POP3", slow=True)
def cut_pop3(world):
    return cuts(world, 1, [(0.0005, 0.01), (0.1, 0.4)], "pop3")


@test("a line that never carries more than half a megabyte gets everything over in the end", slow=True)
def always_cut(world):
    return "; ".join(f"{end}: {cut(world, f'always{end}', end, way, 500_000, None)[0]} runs"
                     for end, way in (("source", "down"), ("target", "up")))


@test("a server that goes away in mid-run is taken up again by the next run: 75")
def server_lost(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.mixed(1000, 4))
    journal = world.journal()
    with world.proxy(target.imap, mb_per_second=2) as proxy:
        port = proxy[target.imap]
        ends = url(source, user), url(target, user, port=port)
        process = world.start(world.argv(*ends, "--retries", "1", journal=journal))
        time.sleep(1)
    run = world.finish(process).expect_code(75).expect_balance()
    expect(run.account["error"], "no error in the object:", run.out)
    with forward(world, port, target.imap):
        world.copy(*ends, journal=journal).expect_code(0)
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
