"""Free ports of 127.0.0.1, and waiting until something listens on one.

Ports lie below the range the kernel hands out to clients, so that no outgoing connection of a
test takes one between our look and the server's bind.
"""
import random
import socket
import time

_taken = set()


def free_port():
    """A port nobody listens on; never the same twice in one process."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        if port in _taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _taken.add(port)
        return port


def wait_for_port(port, seconds=20, alive=lambda: True):
    """Returns once PORT accepts; raises if that takes too long or alive() turns false."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if not alive():
                raise RuntimeError(f"the server for port {port} has ended") from None
            if time.monotonic() > end:
                raise TimeoutError(f"nothing listens on port {port} after {seconds} s") from None
            time.sleep(0.02)
