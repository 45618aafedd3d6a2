#!/usr/bin/env python3
"""How fast is the program, what does it cost, and is the copy true?  Beside its peers.

    python3 tests/bench/bench.py --postferry build/release/postferry --profiles small,typical --rtt 0,40

Each profile x round-trip time x tool crosses from one private Dovecot to another: `initial` into an
empty account, then `again` with nothing to do.  With --repeat N the run with the median initial time
is told.  Every phase is verified (tests/servers/verify.py).  One table at the end; a line of JSON a
measurement with --out, a chart of the first copies with --chart.  Peers that are not installed are
left out.

Numbers are only worth comparing within one run on an idle machine; on few cores the servers' work is
most of the time at RTT 0 (see limit.py).
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile

import profiles
from tools import TOOLS, Job, program

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
import load  # noqa: E402
import measure  # noqa: E402
from dovecot import Dovecot, hide  # noqa: E402
from proxy import Proxy  # noqa: E402
from verify import NOTES, Endpoint, verify  # noqa: E402
from wire import Imap, quoted  # noqa: E402


class Bench:
    def __init__(self, folder, scale, seed, timeout, fsync, hidden, always):
        self.folder, self.scale, self.seed, self.timeout, self.always = folder, scale, seed, timeout, always
        self.source = Dovecot(folder / "source")
        self.target = Dovecot(folder / "target", fsync=fsync, capability=hide(*hidden) if hidden else None)
        self.number = 0

    def master(self, profile):
        """The profile's mail, made once and indexed once by Dovecot; returns (home, messages, bytes)."""
        home, facts = self.source.home(f"master-{profile}"), self.folder / f"{profile}.json"
        if not facts.exists():
            load.by_maildir(profiles.build(profile, self.scale, self.seed), self.source, home.name)
            with Imap(self.source.imap, timeout=self.timeout) as imap:
                imap.login(home.name, self.source.password)
                for line in imap.command('LIST "" "*"').lines:
                    if b"\\NonExistent" not in line and b"\\Noselect" not in line:
                        name = line.split(b' "/" ', 1)[1].decode().strip('"')
                        exists = [int(l.split()[1]) for l in imap.command(f"EXAMINE {quoted(name)}").lines if l.endswith(b" EXISTS")]
                        if exists[0]:
                            imap.command("FETCH 1:* (RFC822.SIZE INTERNALDATE)")
            files = [p for p in home.glob("Maildir/**/cur/*")]
            facts.write_text(json.dumps([len(files), sum(p.stat().st_size for p in files)]))
        return home, *json.loads(facts.read_text())

    def clone(self, home):
        """A fresh user with the master's mail: messages as hard links, indexes as copies."""
        self.number += 1
        user = f"u{self.number}"
        link = lambda a, b: os.link(a, b) if "/cur/" in a else shutil.copy2(a, b)
        shutil.copytree(home, self.source.home(user), copy_function=link)
        self.source.own(self.source.home(user))
        return user

    def run(self, tool, profile, rtt):
        """Both phases, as a list of measurements."""
        home, messages, size = self.master(profile)
        user, protocol = self.clone(home), "pop3" if profile == "pop3" else "imap"
        state = self.folder / f"state-{user}"
        state.mkdir()
        out = []
        try:
            with Proxy(getattr(self.source, protocol), self.target.imap, folder=self.folder, delay_ms=rtt / 2) as proxy:
                through = (lambda port: proxy[port]) if rtt or self.always else (lambda port: port)
                for phase in ("initial", "again"):
                    job = Job(user, self.source.password, through(getattr(self.source, protocol)), through(self.target.imap),
                              protocol, state)
                    server = self.source.cpu() + self.target.cpu()
                    used = measure.run(TOOLS[tool][0](job), self.folder / f"{tool}.log", self.timeout)
                    server = self.source.cpu() + self.target.cpu() - server
                    report = verify(Endpoint.of(self.source, user), Endpoint.of(self.target, user), roles=False,
                                    content_only=protocol == "pop3")
                    out.append(dict(
                        tool=tool, profile=profile, rtt_ms=rtt, phase=phase, messages=messages, bytes=size,
                        wall_s=round(used.wall, 3), cpu_s=round(used.cpu, 3), peak_mib=round(used.peak_mib, 1),
                        server_cpu_s=round(server, 2), exit=used.code, timed_out=used.timed_out,
                        messages_s=round(report.target_messages / used.wall), mb_s=round(size / used.wall / 1e6, 1),
                        fidelity=fidelity(report)))
                    if used.timed_out:
                        break
        finally:
            for path in (self.source.home(user), self.target.home(user), state):
                shutil.rmtree(path, ignore_errors=True)
        return out


def fidelity(report):
    return "equal" if report.equal else ", ".join(f"{n} {kind}" for kind, n in sorted(report.counts.items()) if kind not in NOTES)


def table(rows, versus):
    reference = {(r["profile"], r["rtt_ms"], r["phase"]): r["wall_s"] for r in rows if r["tool"] == versus}
    print(f"\n| profile | RTT ms | phase | tool | wall s | x {versus} | CPU s | peak MiB | servers' CPU s | messages/s | MB/s | copy |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        base = reference.get((r["profile"], r["rtt_ms"], r["phase"]))
        ratio = f"{r['wall_s'] / base:.2f}" if base and not r["timed_out"] else ""
        wall = f"> {r['wall_s']:.0f}" if r["timed_out"] else f"{r['wall_s']:.2f}"
        rates = ["", ""] if r["phase"] == "again" else [r["messages_s"], r["mb_s"]]
        failed = f", exit {r['exit']}" if r["exit"] else ""
        print("|", " | ".join(map(str, [r["profile"], r["rtt_ms"], r["phase"], r["tool"], wall, ratio, f"{r['cpu_s']:.2f}",
                                        f"{r['peak_mib']:.0f}", f"{r['server_cpu_s']:.1f}", *rates,
                                        r["fidelity"][:120] + failed])), "|")


def chart(rows):
    """The initial copies as an SVG: a group of bars a profile and round-trip time, the longest one full width."""
    groups = {}
    for r in rows:
        if r["phase"] == "initial" and not r["timed_out"]:
            groups.setdefault((r["profile"], r["rtt_ms"]), []).append(r)
    left, width, bar, y, shapes = 130, 460, 18, 24, []
    text = lambda x, y, words, more="": shapes.append(f'<text x="{x}" y="{y}"{more}>{words}</text>')
    for (profile, rtt), members in groups.items():
        r = members[0]
        text(8, y, f"{profile}, round trip {rtt} ms: {r['messages']:,} messages, {r['bytes'] / 1e6:.0f} MB", ' font-weight="bold"')
        longest = max(m["wall_s"] for m in members)
        for m in members:
            y += bar + 4
            own = m["tool"] == "postferry"
            shapes.append(f'<rect x="{left}" y="{y - 13}" width="{max(2, width * m["wall_s"] / longest):.0f}" height="{bar}" '
                          f'fill="{"#0b7285" if own else "#adb5bd"}"/>')
            text(left - 6, y, m["tool"], ' text-anchor="end"')
            text(left + 6 + width * m["wall_s"] / longest, y, f"{m['wall_s']:.2f} s")
        y += 2 * bar
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 80}" height="{y}" font-family="sans-serif" '
            f'font-size="13" fill="#212529"><rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(shapes) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postferry", help="the program (default: $POSTFERRY, else from the PATH)")
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--profiles", default="small,typical", help=",".join(profiles.PROFILES))
    parser.add_argument("--rtt", default="0,40", help="milliseconds")
    parser.add_argument("--proxy", action="store_true", help="through the proxy at 0 ms, too: what distances are measured against")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the messages")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=600, help="seconds a phase")
    parser.add_argument("--fsync", default="optimized", help="the target's mail_fsync")
    parser.add_argument("--hide", default="", help="what the target does not offer: LITERAL+,MULTIAPPEND")
    parser.add_argument("--versus", default="mbsync-plain", help="tool of the ratio column")
    parser.add_argument("--work", default="/dev/shm" if os.access("/dev/shm", os.W_OK) else None, help="where, best in memory")
    parser.add_argument("--out", help="append JSON lines here")
    parser.add_argument("--chart", type=pathlib.Path, help="write an SVG here")
    a = parser.parse_args()
    if a.postferry:
        os.environ["POSTFERRY"] = str(pathlib.Path(a.postferry).resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postferry-bench-", dir=a.work))
    folder.chmod(0o755)
    tools = [t for t in a.tools.split(",") if program(TOOLS[t][2])]
    for missing in set(a.tools.split(",")) - set(tools):
        print(f"{missing} is not installed", file=sys.stderr)
    rows, bench = [], Bench(folder, a.scale, a.seed, a.timeout, a.fsync, [word for word in a.hide.split(",") if word], a.proxy)
    try:
        with bench.source, bench.target:
            for profile in a.profiles.split(","):
                for rtt in map(int, a.rtt.split(",")):
                    for tool in tools:
                        if ("pop3" if profile == "pop3" else "imap") not in TOOLS[tool][1]:
                            continue
                        runs = sorted((bench.run(tool, profile, rtt) for _ in range(a.repeat)), key=lambda r: r[0]["wall_s"])
                        chosen = runs[(len(runs) - 1) // 2]
                        if len(chosen) > 1:  # each phase its own median
                            chosen[1]["wall_s"] = statistics.median_low(r[-1]["wall_s"] for r in runs if len(r) > 1)
                        worst = next((row for run in runs for row in run if row["fidelity"] != "equal"), None)
                        for row in chosen:
                            if worst and row["fidelity"] == "equal":
                                row["fidelity"] = "in another run: " + worst["fidelity"]
                            row["all_walls"] = [r["wall_s"] for run in runs for r in run if r["phase"] == row["phase"]]
                            rows.append(row)
                            print(f"{profile} {rtt} ms {tool} {row['phase']}: {row['wall_s']:.2f} s, {row['fidelity'][:200]}",
                                  file=sys.stderr, flush=True)
                            if a.out:
                                with open(a.out, "a") as out:
                                    out.write(json.dumps(row, ensure_ascii=False) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table(rows, a.versus)
    if a.chart:
        a.chart.write_text(chart(rows))


if __name__ == "__main__":
    main()
