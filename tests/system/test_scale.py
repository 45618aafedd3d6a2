"""Memory stays small, whatever the mailbox: on a model server, so that it may be as large as it likes.

POSTFERRY_SCALE multiplies the sizes; 10 gives a folder of 1,000,000 messages and a message of 500 MiB.
"""
import os
import pathlib
import sys

from harness import SERVERS, expect, sanitized, test, url

sys.path.insert(0, str(SERVERS))
from endless import BLOCK, Endless  # noqa: E402

PEAK_MIB = 96    # of a release build; sanitizers take several times as much
BUFFERS_MIB = 24  # what the system holds on the way, of every connection
SCALE = float(os.environ.get("POSTFERRY_SCALE", "1"))


def cross(world, folders, blocks=1, stalling=False, most_mib=PEAK_MIB):
    with Endless(folders, blocks) as source, Endless(expects=source, stalling=stalling) as target:
        run = world.copy(url(source, "ann"), url(target, "ann"), timeout=280).expect_code(0).expect_balance()
        run.expect_counts(seen=sum(folders.values()), copied=sum(folders.values()))
        expect(not target.wrong, f"{len(target.wrong)} are not what was sent, first:", *target.wrong[:3])
        held = {name: len(sizes) for name, sizes in target.stored.items() if name in folders}
        expect(held == folders, "the target's folders differ from the source's")
    if not sanitized(world):
        expect(run.peak_mib < most_mib, f"peak memory {run.peak_mib:.0f} MiB")
    return target.sent_when_stalled, f"{run.seconds:.1f} s, peak {run.peak_mib:.0f} MiB"


@test("memory: a folder of 100,000 messages")
def many(world):
    # Its list alone grows with it, by 36 bytes a message.
    return cross(world, {"INBOX": int(100_000 * SCALE)}, most_mib=56 + 4 * SCALE)[1]


@test("memory: a message of 50 MiB")
def long(world):
    return cross(world, {"INBOX": 1}, blocks=int(50 * SCALE * (1 << 20)) // len(BLOCK))[1]


@test("memory: 5,000 folders")
def wide(world):
    return cross(world, {"INBOX": 1, **{f"f{i}": 1 for i in range(5000)}})[1]


@test("memory: a target that takes nothing halts the source")
def stalled(world):
    sent, told = cross(world, {"INBOX": int(2000 * SCALE)}, blocks=(200 << 10) // len(BLOCK), stalling=True)
    expect(sent is not None and sent < (48 + BUFFERS_MIB) << 20, f"{(sent or 0) >> 20} MiB were fetched meanwhile")
    return told


@test("memory: a target that has all of 100,000 messages, and one of somebody else's")
def held(world):
    # 16 bytes a message for the list, and 49 for what is there.
    count = int(100_000 * SCALE)
    return adopted(world, count, foreign=1, held=count, most_mib=30 + 6.6 * SCALE)


@test("memory: a target that has half of 100,000 messages, and 100,000 of somebody else's")
def half_held(world):
    count = int(100_000 * SCALE)
    return adopted(world, count, foreign=count, held=count // 2, most_mib=42 + 10 * SCALE)


def adopted(world, count, foreign, held, most_mib):
    with Endless({"INBOX": count}) as source, Endless(expects=source, foreign=foreign, held=held) as target:
        run = world.copy(url(source, "ann"), url(target, "ann"), timeout=580).expect_code(0).expect_balance()
        run.expect_counts(seen=count, present=held, copied=count - held, twins=0)
        expect(not target.wrong, f"{len(target.wrong)} are not what was sent, first:", *target.wrong[:3])
        expect(len(target.stored["INBOX"]) == foreign + count, "the target does not hold what it should")
    told = f"{run.seconds:.1f} s, peak {run.peak_mib:.0f} MiB"
    if not sanitized(world):
        expect(run.peak_mib < most_mib, told)
    return told


@test("memory: verify of 100,000 messages, at every level")
def verified(world):
    # The list costs 20 bytes a message at either end; without the journal what is known of each
    # message is held, at both ends, until it has met its copy.
    with_journal, without = 40 + 5 * SCALE, 40 + 100 * SCALE
    count, journal, told, over = int(100_000 * SCALE), world.journal(), [], False
    with Endless({"INBOX": count}) as source, Endless(expects=source, held=count) as target:
        ends = url(source, "ann"), url(target, "ann")
        world.copy(*ends, journal=journal, timeout=280).expect_code(0).expect_counts(present=count)
        for level, memory, most_mib in (("count", journal, with_journal), ("header", journal, with_journal),
                                        ("bytes", journal, with_journal), ("header", world.journal(), without)):
            argv = world.argv(*ends, "--level", level, journal=memory, command="verify")
            run = world.run(argv, timeout=580).expect_code(0)
            counts = run.account["verify"]["messages"]
            expect(counts["seen"] == counts["match"] == count, "not all of it was looked at:", counts)
            told.append(f"{level} {'with' if memory is journal else 'without'} the journal {run.seconds:.1f} s, {run.peak_mib:.0f} MiB")
            over = over or run.peak_mib >= most_mib
    expect(sanitized(world) or not over, *told)
    return "; ".join(told)


@test("delta: 100 changes in a folder of 100,000 messages")
def delta(world):
    count, journal = int(100_000 * SCALE), world.journal()
    with Endless({"INBOX": count}, tracks=True) as source, Endless(expects=source) as target:
        ends = url(source, "ann"), url(target, "ann")
        world.copy(*ends, journal=journal, timeout=280).expect_code(0).expect_counts(copied=count)
        source.change("INBOX", range(1, count, count // 50), new=50)
        source.listed = target.listed = 0
        run = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
        run.expect_counts(seen=count + 50, copied=50, present=count)
    expect(not target.wrong, "not what was sent:", *target.wrong[:3])
    expect(run.account["flags_updated"] == len(target.flagged) == 50, f"{len(target.flagged)} flags were set:", run)
    expect(source.listed + target.listed < 400, f"{source.listed} messages of the source were listed, and {target.listed} of the target")
    return f"{run.seconds:.2f} s, peak {run.peak_mib:.0f} MiB"


@test("delta: 100 changes in a folder of 1,000,000 messages, which the target has")
def million(world):
    # What no --scale makes larger: the literal numbers of a large mailbox.
    count, journal = 1_000_000, world.journal()
    with Endless({"INBOX": count}, tracks=True) as source, Endless(expects=source, held=count) as target:
        ends = url(source, "ann"), url(target, "ann")
        first = world.copy(*ends, journal=journal, timeout=580).expect_code(0)
        first.expect_counts(seen=count, present=count)
        size = pathlib.Path(journal).stat().st_size / count
        source.change("INBOX", range(1, count, count // 50), new=50)
        source.listed = target.listed = 0
        run = world.copy(*ends, journal=journal).expect_code(0).expect_balance()
        run.expect_counts(seen=count + 50, copied=50, present=count)
    told = (f"{first.seconds:.1f} s, peak {first.peak_mib:.0f} MiB, then {run.seconds:.2f} s, peak {run.peak_mib:.0f} MiB, "
            f"{size:.0f} bytes a message in the journal")
    expect(not target.wrong, "not what was sent:", *target.wrong[:3])
    expect(run.account["flags_updated"] == len(target.flagged) == 50, f"{len(target.flagged)} flags were set:", run)
    expect(source.listed + target.listed < 400, f"{source.listed} messages of the source were listed, and {target.listed} of the target")
    expect(size < 150, told)
    if not sanitized(world):
        expect(first.peak_mib < PEAK_MIB, told)
        expect(run.seconds < 3, told)
    return told
