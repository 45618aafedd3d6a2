"""Servers that are far away: a proxy between that keeps each byte back for a while."""
import mailbox as mailboxes
from dovecot import hide
from harness import Endpoint, Proxy, expect, expect_equal, fill, test, url

RTT_MS = 60


@test("far away and without LITERAL+ and MULTIAPPEND several sessions fill one folder, and all is there once")
def several(world):
    source, target = world.dovecot(), world.target(capability=hide("LITERAL+", "MULTIAPPEND"))
    user = world.user(source, target)
    fill(source, user, mailboxes.small(400, seed="far", sizes=(500, 6000)))
    journal = world.journal()
    with Proxy(target.imap, delay_ms=RTT_MS / 2) as proxy:
        ends = url(source, user), url(target, user, port=proxy[target.imap])
        run = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
        connections = proxy.counters()["connections"]
        again = world.copy(*ends, journal=journal).expect_code(0)
    report = expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    again.expect_counts(copied=0, present=report.source_messages)
    expect(connections == 8, f"{connections} sessions were used:", run)
    expect(run.err.count("not in the order of the source") == 1, "it is not said, or not once, that the order is given up:", run)
    return f"{report.source_messages} messages in {run.seconds:.1f} s over {connections} sessions"


@test("messages that come at less than 1 KiB a second are told of, once a folder, and arrive", slow=True)
def crawl(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.small(7, seed="crawl", sizes=(7000, 8000)))
    with Proxy(source.imap, mb_per_second=0.0006) as proxy:
        run = world.copy(url(source, user, port=proxy[source.imap]), url(target, user), timeout=300).expect_code(0)
    expect(run.err.count("folder INBOX: its messages come at less than 1 KiB a second") == 1, "not told once:", run)
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))


ZLIB = "protocol imap {\n  mail_plugins = $mail_plugins imap_zlib\n}"


def crossed_bytes(world, source, target, user, mb_per_second=0, **query):
    """Copies through a proxy in front of each end; what passed at the source (down) and the target (up).
    With little memory, so that what is asked for in advance is soon here."""
    with Proxy(source.imap, mb_per_second=mb_per_second) as near, Proxy(target.imap, mb_per_second=mb_per_second) as far:
        run = world.copy(url(source, user, port=near[source.imap], **query), url(target, user, port=far[target.imap], **query),
                         "--sessions", 1, "--memory", "5M").expect_code(0).expect_balance()
        return near.counters()["down_bytes"], far.counters()["up_bytes"], run


@test("compress=on: to Dovecot and to Cyrus, and from them, all arrives, in fewer bytes")
def compressed(world):
    told, zlib, cyrus = [], world.dovecot(extra=ZLIB), world.cyrus()
    for source, target in ((zlib, cyrus), (cyrus, zlib)):
        user = world.user(source, target)
        fill(source, user, mailboxes.small(150, seed="deflated", sizes=(20_000, 60_000)))
        size = Endpoint.of(source, user)
        down, up, _ = crossed_bytes(world, source, target, user, compress="on")
        expect_equal(size, Endpoint.of(target, user), roles=False)
        plain_down, plain_up, _ = crossed_bytes(world, source, world.target(), user, compress="off")
        expect(down < 0.9 * plain_down and up < 0.9 * plain_up, f"{down} and {up} bytes, uncompressed {plain_down} and {plain_up}")
        told.append(f"{down / plain_down:.0%}")
    return " and ".join(told) + " of the bytes"


@test("compress=auto compresses on a slow line, and not on a fast one")
def by_the_line(world):
    source, target = world.dovecot(extra=ZLIB), world.target(extra=ZLIB)
    results, seconds = {}, []
    for name, speed, query in (("fast", 0, {}), ("slow", 1.5, {}), ("plain", 1.5, {"compress": "off"}),
                               ("fast plain", 0, {"compress": "off"}), ("fast deflated", 0, {"compress": "on"})):
        user = world.user(source, target)
        fill(source, user, mailboxes.small(250, seed="line", sizes=(20_000, 60_000)))
        results[name] = crossed_bytes(world, source, target, user, mb_per_second=speed, **query)
        expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
        seconds.append(f"{name} {results[name][2].seconds:.1f} s")
    (fast_down, fast_up, _), (slow_down, slow_up, run) = results["fast"], results["slow"]
    told = ", ".join(seconds)
    expect(slow_down < 0.95 * fast_down, f"{slow_down} bytes came on the slow line, {fast_down} on the fast one:", run)
    return f"down {slow_down / fast_down:.0%}, up {slow_up / fast_up:.0%} of the bytes; {told}"
