"""The mailboxes that are measured.  Deterministic; messages are made one by one while they are written."""
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
from mailbox import FIRST_DATE, LAST_DATE, Folder, Mailbox, Maker, oddities  # noqa: E402

TREE = [("INBOX",), ("Sent",), ("Drafts",), ("Trash",), ("Junk",), ("Archive", "2019"), ("Archive", "2020"),
        ("Archive", "2021"), ("Archive", "2021", "Q1"), ("Lists", "tide"), ("Lists", "wind and weather"), ("Büro",),
        ("Café & Co",), ("日本語",), ("日本語", "受信箱"), ("Empty",)] + [("Work", f"w{i:02}") for i in range(24)]


def _usual(random):
    """Log-normal: median 8 KiB, mean about 72 KB, at most 8 MiB."""
    return int(min(8 << 20, max(700, random.lognormvariate(math.log(8192), 2.116))))


PROFILES = {  # name: (folders, messages, size, spread evenly)
    "small": ([("INBOX",)], 10_000, lambda random: random.randrange(2048, 4096), True),
    "typical": (TREE, 5_000, _usual, False),
    "pop3": ([("INBOX",)], 5_000, _usual, True),
    "folders": ([("INBOX",)] + [(f"g{i // 25:02}", f"f{i:03}") for i in range(499)], 2_000, _usual, True),
    "large": ([("INBOX",)], 300, lambda random: random.randrange(1 << 20, 8 << 20), True),
}


def build(name, scale=1.0, seed=1):
    """A Mailbox whose folders' messages are generators: good for one pass."""
    paths, messages, size, evenly = PROFILES[name]
    maker = Maker(f"bench/{name}/{seed}")
    filled = [p for p in paths if p != ("Empty",)]
    count = max(len(filled) if evenly and len(filled) > 1 else 1, int(messages * scale))
    if evenly:
        shares = {p: count // len(filled) + (i < count % len(filled)) for i, p in enumerate(filled)}
    else:
        weights = [1 / (1 + i) for i in range(len(filled))]
        shares = {p: max(1, round(count * w / sum(weights))) for p, w in zip(filled, weights)}
    odd = [data for name, data in oddities(maker) if len(data) < 100_000]
    out, done = [], 0
    for number, path in enumerate(paths):
        share = shares.get(path, 0)
        out.append(Folder(path, _messages(maker, size, share, done, count, odd), subscribed=number % 10 != 9))
        done += share
    return Mailbox(out)


def _messages(maker, size, share, done, count, odd):
    previous = None
    for i in range(share):
        chance = maker.random.random()
        data = maker.ordinary(size(maker.random))
        if chance < 0.01:
            data = maker.random.choice(odd)    # one in a hundred is awkward
        elif chance < 0.013 and previous:
            data = previous                    # a true copy
        when = FIRST_DATE + (LAST_DATE - FIRST_DATE) * (done + i) // count
        yield maker.message(f"{done + i}", data, when=when)
        previous = data
