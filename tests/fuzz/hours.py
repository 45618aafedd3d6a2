#!/usr/bin/env python3
"""How long each fuzz target has been run, beyond the minute in every run of the suite: hours.csv.

    tests/fuzz/hours.py                               what is in it, target by target
    tests/fuzz/hours.py --run build/fuzz/tests --for 3600 --commit $(git rev-parse --short=12 HEAD)

The second runs one target after another on one core (--jobs: on several), always the one with the
least time so far, and writes down what it really took: processor time, not the clock's. One line is
one target on one day on one commit, that of the binaries. A target is due until it has an hour since
its last finding.
"""
import argparse
import concurrent.futures
import csv
import datetime
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
FIELDS = ["target", "date", "commit", "cpu_seconds", "executions", "findings"]
HOUR = 3600
INTERRUPTED = 72  # libFuzzer's own


def targets():
    return sorted(path.stem for path in HERE.glob("*_fuzz.cc"))


def read(table):
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return [row | {name: int(row[name]) for name in FIELDS[3:]} for row in csv.DictReader(file)]


def write(table, rows):
    beside = table.with_suffix(".new")
    with beside.open("w", newline="") as file:
        out = csv.DictWriter(file, FIELDS, lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    os.replace(beside, table)


def add(rows, run):
    """To the line of its target, day and commit. After a finding a new line begins: the hour starts anew."""
    for row in rows:
        if all(row[name] == run[name] for name in FIELDS[:3]) and not row["findings"] and not run["findings"]:
            for name in FIELDS[3:]:
                row[name] += run[name]
            return
    rows.append(run)


def seconds_of(rows, target):
    """In total, and since the last finding."""
    total = clean = 0
    for row in rows:
        if row["target"] == target:
            total += row["cpu_seconds"]
            clean = 0 if row["findings"] else clean + row["cpu_seconds"]
    return total, clean


def show(rows):
    print(f"{'target':<22}{'hours':>7}{'since a finding':>17}{'executions':>14}{'findings':>10}")
    for target in targets():
        total, clean = seconds_of(rows, target)
        mine = [row for row in rows if row["target"] == target]
        runs, found = (sum(row[name] for row in mine) for name in FIELDS[4:])
        print(f"{target:<22}{total / HOUR:>7.2f}{clean / HOUR:>17.2f}{runs:>14,}{found:>10}"
              + ("" if clean >= HOUR else "  due"))


def run_one(binaries, work, target, seconds, commit):
    log = work / f"{target}.log"
    with log.open("w") as out:
        process = subprocess.Popen(["nice", "-n", "10", HERE / "fuzz.sh", binaries / target, work / target,
                                    f"-max_total_time={seconds}", "-print_final_stats=1"],
                                   stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    done = re.search(r"number_of_executed_units: (\d+)", log.read_text(errors="replace"))
    if code < 0 or code == INTERRUPTED:
        sys.exit(f"{target} was ended by somebody: nothing is written down")
    if code:
        print(f"{target} ends with {code}: see {log}", file=sys.stderr, flush=True)
    elif not done:
        sys.exit(f"{target} says nothing of what it did: see {log}")
    return {"target": target, "date": datetime.date.today().isoformat(), "commit": commit,
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime), "executions": int(done[1]) if done else 0,
            "findings": int(code != 0)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=pathlib.Path, default=HERE / "hours.csv")
    parser.add_argument("--run", type=pathlib.Path, metavar="DIRECTORY", help="of the targets' binaries")
    parser.add_argument("--work", type=pathlib.Path, help="where inputs and logs are kept: DIRECTORY/hours")
    parser.add_argument("--commit", help="that the binaries were built of")
    parser.add_argument("--for", dest="total", type=int, default=HOUR, metavar="SECONDS")
    parser.add_argument("--slice", type=int, default=120, metavar="SECONDS", help="for one target at a time")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="targets at a time")
    options = parser.parse_args()
    if not options.run:
        return show(read(options.table))
    if not options.commit:
        parser.error("--commit: hours are those of a commit")
    work = options.work or options.run / "hours"
    work.mkdir(parents=True, exist_ok=True)
    there = [target for target in targets() if (options.run / target).exists()]
    if not there:
        parser.error(f"no fuzz target in {options.run}")
    end = time.monotonic() + options.total
    rows, lock = read(options.table), threading.Lock()

    def work_on():
        while True:
            with lock:
                left = int(end - time.monotonic())
                if left <= 0 or not there:
                    return
                target = min(there, key=lambda name: seconds_of(rows, name)[1])
                there.remove(target)
            run = run_one(options.run, work, target, min(options.slice, left), options.commit)
            with lock:
                add(rows, run)
                write(options.table, rows)
                if not run["findings"]:  # else not again, until it is mended
                    there.append(target)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as crew:
        for worker in [crew.submit(work_on) for _ in range(options.jobs)]:
            worker.result()
    if not there:
        sys.exit("every target found something")


if __name__ == "__main__":
    main()
