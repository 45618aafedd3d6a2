#!/usr/bin/env python3
"""System tests: the program as a user runs it, against real servers.

    python3 tests/system/run.py --postferry build/release/postferry [--filter WORDS] [--quick] [--jobs N]

One line a test, then "N passed, N failed"; exit status 1 if one failed.  install.sh of tests/servers
says what must be installed.  POSTFERRY_KILLS sets how often the program is killed (100).
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
import test_after_copy  # noqa: E402, F401
import test_archives  # noqa: E402, F401
import test_exits  # noqa: E402, F401
import test_faults  # noqa: E402, F401
import test_fidelity  # noqa: E402, F401
import test_fleet  # noqa: E402, F401
import test_dry_run  # noqa: E402, F401
import test_follow  # noqa: E402, F401
import test_job_proof  # noqa: E402, F401
import test_late  # noqa: E402, F401
import test_latency  # noqa: E402, F401
import test_maildir  # noqa: E402, F401
import test_moved  # noqa: E402, F401
import test_pop3  # noqa: E402, F401
import test_relay  # noqa: E402, F401
import test_proof  # noqa: E402, F401
import test_runs  # noqa: E402, F401
import test_scale  # noqa: E402, F401
import test_servers  # noqa: E402, F401
import test_sizes  # noqa: E402, F401
import test_takeout  # noqa: E402, F401
import test_transport  # noqa: E402, F401


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postferry", default=os.environ.get("POSTFERRY") or shutil.which("postferry"))
    parser.add_argument("--filter", action="append", default=[], help="only tests whose sentence or module has this")
    parser.add_argument("--quick", action="store_true", help="leave out the slow tests")
    parser.add_argument("--jobs", type=int, default=3, help="tests at a time")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--no-install", action="store_true", help="do not look for missing packages")
    parser.add_argument("--work", help="folder for servers and mail (default: /dev/shm, else the system's)")
    a = parser.parse_args()
    chosen = [t for t in harness.TESTS if not (a.quick and t.slow) and
              (not a.filter or any(f.lower() in f"{t.__module__}: {t.sentence}".lower() for f in a.filter))]
    if a.list:
        print("\n".join(f"{t.__module__}: {t.sentence}" for t in chosen))
        return 0
    if not a.postferry or not os.access(a.postferry, os.X_OK):
        sys.exit(f"no program at {a.postferry}; give --postferry PATH")
    if not a.no_install:
        subprocess.run([harness.SERVERS / "install.sh"], check=True)
    harness.set_no_core_dumps()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped
    world = harness.World(pathlib.Path(a.postferry).resolve(), a.work)
    counts, lock = {"ok": 0, "FAIL": 0, "skip": 0}, threading.Lock()

    def one(function):
        begin, told = time.monotonic(), ""
        try:
            told, verdict = function(world) or "", "ok"
        except harness.Skipped as reason:
            told, verdict = reason, "skip"
        except harness.Failed as reason:
            told, verdict = reason, "FAIL"
        except Exception as error:  # a test that breaks is a failed one
            place = traceback.extract_tb(error.__traceback__)[-1]
            told, verdict = f"{type(error).__name__}: {error} ({pathlib.Path(place.filename).name}:{place.lineno})", "FAIL"
        with lock:
            counts[verdict] += 1
            print(f"{verdict:4} {function.sentence} ({time.monotonic() - begin:.1f} s)" + (f": {told}" if told else ""),
                  flush=True)

    begin = time.monotonic()
    try:
        # What runs long goes first, so that the end is not one test on its own.
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            list(pool.map(one, sorted(chosen, key=lambda t: not t.slow)))
    finally:
        world.close()
    skipped = f", {counts['skip']} skipped" if counts["skip"] else ""
    print(f"{counts['ok']} passed, {counts['FAIL']} failed{skipped} in {time.monotonic() - begin:.0f} s")
    return 1 if counts["FAIL"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
