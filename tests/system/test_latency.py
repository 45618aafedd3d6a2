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
