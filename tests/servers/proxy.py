"""Runs cutproxy.c (see there): a proxy that delays, cuts or stalls connections."""
import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import threading

_building = threading.Lock()
SOURCE = pathlib.Path(__file__).resolve().parent / "cutproxy.c"


def build(folder=None):
    """Compiles the proxy once into FOLDER and returns the program's path."""
    folder = pathlib.Path(folder or pathlib.Path(tempfile.gettempdir()) / f"postferry-proxy-{os.getuid()}")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "cutproxy"
    with _building:
        _compile(folder, program)
    return program


def _compile(folder, program):
    if not program.exists() or program.stat().st_mtime < SOURCE.stat().st_mtime:
        fresh = folder / f"cutproxy.{os.getpid()}"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra", "-o", str(fresh), str(SOURCE)], check=True)
        fresh.rename(program)


class Proxy:
    """One proxy in front of some ports; a context manager.  proxy[port] is the port to connect to.

    delay_ms, mb_per_second     as cutproxy's -d and -b
    cut_after, way              bytes that pass in the direction "up" (to the server) or "down"
    fin, stall, count, skip     as -f, -s, -n and -k
    listen                      ports of its own, in the same order; else free ones
    """

    def __init__(self, *ports, folder=None, delay_ms=0, mb_per_second=0, cut_after=None, way="down", fin=False,
                 stall=False, count=None, skip=0, listen=None):
        options = ["-d", str(delay_ms)]
        if mb_per_second:
            options += ["-b", str(mb_per_second)]
        if cut_after is not None:
            options += ["-c", str(cut_after), "-w", way, *["-f"] * fin, *["-s"] * stall, "-k", str(skip)]
            if count is not None:
                options += ["-n", str(count)]
        self._argv = [str(build(folder)), *options, *(f"{own}:{port}" for own, port in zip(listen or [0] * len(ports), ports))]
        self._ports, self._process = {}, None

    def __getitem__(self, port):
        return self._ports[port]

    def start(self):
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, text=True, bufsize=1)
        for line in self._process.stdout:
            if line == "ready\n":
                return self
            listen, port = map(int, line.split())
            self._ports[port] = listen
        raise RuntimeError(f"cutproxy ended: {' '.join(self._argv)}")

    def counters(self):
        """{"connections", "most_at_once", "faults", "up_bytes", "down_bytes"} so far."""
        self._process.send_signal(signal.SIGUSR1)
        if not select.select([self._process.stdout], [], [], 10)[0]:
            raise TimeoutError("cutproxy does not answer")
        return json.loads(self._process.stdout.readline())

    def cut_now(self):
        self._process.send_signal(signal.SIGUSR2)

    def stop(self):
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
