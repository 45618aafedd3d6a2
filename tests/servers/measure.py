"""Wall time, CPU and peak memory of one program."""
import dataclasses
import os
import pathlib
import signal
import subprocess
import threading
import time


@dataclasses.dataclass
class Usage:
    code: int
    wall: float       # seconds
    cpu: float        # seconds, its children included
    peak_mib: float   # of the largest moment of the process itself
    timed_out: bool = False


def wait(process, began, timeout):
    """Waits for a Popen nobody has polled yet; kills it after TIMEOUT seconds.

    The peak is VmHWM, read every few milliseconds: what wait4 reports would count the memory of this
    interpreter too, which the child shares until it calls exec."""
    peak, ended, overdue = [0], threading.Event(), threading.Event()

    def look():
        status = pathlib.Path(f"/proc/{process.pid}/status")
        while not ended.wait(0.005):
            if time.monotonic() - began > timeout and not overdue.is_set():
                overdue.set()
                os.kill(process.pid, signal.SIGKILL)
            try:
                text = status.read_text()
            except OSError:
                return
            if "VmHWM:" in text:
                peak[0] = int(text.split("VmHWM:")[1].split()[0])

    watcher = threading.Thread(target=look)
    watcher.start()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # the id stays ours until the watcher is done
    wall = time.monotonic() - began
    ended.set()
    watcher.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Usage(process.returncode, wall, usage.ru_utime + usage.ru_stime, peak[0] / 1024, overdue.is_set())


def run(argv, log, timeout=600, **environment):
    """Runs ARGV to its end, its output appended to the file LOG."""
    with open(log, "ab") as out:
        began = time.monotonic()
        process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env={**os.environ, **environment})
        return wait(process, began, timeout)
