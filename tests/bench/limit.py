#!/usr/bin/env python3
"""The speed of light: how fast can these servers give and take this mail, with no client to speak of?

    python3 limit.py --profile typical [--rtt 40] [--sessions 1,2,4]

drain       every FETCH sent at once on K connections, the bytes thrown away
both-N      drain and fill-N, begun together on K connections each: what a crossing is measured against
fill        APPENDs made beforehand, sent without waiting for an answer (LITERAL+)
fill-N      the same with N messages in each APPEND (MULTIAPPEND)
fill-sync   one APPEND after another with synchronising literals, as for a server that has nothing else:
            two round trips a message, and what bench.py --hide LITERAL+,MULTIAPPEND is measured against
A crossing that reads and writes at the same time cannot be faster than the slower of drain and fill.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time

import profiles

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
import load  # noqa: E402
from dovecot import Dovecot  # noqa: E402
from proxy import Proxy  # noqa: E402
from wire import Imap, mutf7, quoted  # noqa: E402


def in_processes(works):
    """Runs each function in a child, all from one start; returns seconds to the last end and the sum."""
    start_read, start_write = os.pipe()
    ends = []
    for work in works:
        read, write = os.pipe()
        if os.fork() == 0:
            code = 1
            try:
                os.close(start_write)
                os.read(start_read, 1)
                os.write(write, str(work()).encode())
                code = 0
            finally:
                os._exit(code)
        os.close(write)
        ends.append(read)
    time.sleep(0.1)
    begin = time.monotonic()
    os.close(start_write)
    results = [os.read(end, 100) for end in ends]
    took = time.monotonic() - begin
    for end in (*ends, start_read):
        os.close(end)
    for _ in works:
        os.wait()
    if b"" in results:
        raise RuntimeError("a worker failed")
    return took, sum(map(int, results))


def login(port, user, password):
    imap = Imap(port, timeout=600)
    imap.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return imap.login(user, password)


def drain(port, user, password, folders, sessions):
    """What to run in processes.  folders: {wire name: messages}"""
    plans = [[] for _ in range(sessions)]
    if len(folders) == 1:
        (name, count), = folders.items()
        for i, plan in enumerate(plans):
            plan.append((name, i * count // sessions + 1, (i + 1) * count // sessions))
    else:
        load_of = [0] * sessions
        for name, count in sorted(folders.items(), key=lambda item: -item[1]):
            i = load_of.index(min(load_of))
            plans[i].append((name, 1, count))
            load_of[i] += count

    def work(plan):
        imap = login(port, user, password)
        commands = "".join(f"s EXAMINE {quoted(name)}\r\nf FETCH {low}:{high} (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n"
                           for name, low, high in plan) + "end NOOP\r\n"
        threading.Thread(target=imap.socket.sendall, args=(commands.encode(),)).start()
        buffer, total, tail = bytearray(4 << 20), 0, b""
        while b"\r\nend OK" not in tail:
            got = imap.socket.recv_into(buffer)
            if not got:
                raise EOFError
            total += got
            tail = (tail + bytes(buffer[max(0, got - 200):got]))[-200:]
        return total
    return [lambda p=plan: work(p) for plan in plans]


def shares(folders, sessions):
    """Folders dealt out by bytes; a lone folder is split by messages. [{(wire name): [message]}]"""
    if len(folders) == 1:
        (name, messages), = folders.items()
        return [{name: messages[i::sessions]} for i in range(sessions)]
    out, load_of = [{} for _ in range(sessions)], [0] * sessions
    for name, messages in sorted(folders.items(), key=lambda item: -sum(len(m.data) for m in item[1])):
        i = load_of.index(min(load_of))
        out[i][name] = messages
        load_of[i] += sum(len(m.data) for m in messages)
    return out


def _argument(message, plus="+"):
    flags = " ".join(message.flags + message.keywords)
    return f' ({flags}) "{load.date_time(message)}" {{{len(message.data)}{plus}}}\r\n'.encode()


def fill(port, user, password, folders, sessions, batch, folder):
    """What to run in processes, and the files that they need."""
    imap = login(port, user, password)
    for name in folders:
        if name != "INBOX":
            imap.command(f"CREATE {quoted(name)}")
    files = []
    for number, share in enumerate(shares(folders, sessions)):
        path, commands = folder / f"fill{number}", 0
        with open(path, "wb") as out:
            for name, messages in share.items():
                out.write(f"s SELECT {quoted(name)}\r\n".encode())
                for at in range(0, len(messages), batch):
                    out.write(f"a APPEND {quoted(name)}".encode())
                    for message in messages[at:at + batch]:
                        out.write(_argument(message) + message.data)
                    out.write(b"\r\n")
                    commands += 1
        files.append((path, commands))

    def work(path, commands):
        session, seen = login(port, user, password), 0
        with open(path, "rb") as source:
            sender = threading.Thread(target=session.socket.sendfile, args=(source,))
            sender.start()
            while seen < commands:
                line = session.file.readline()
                if not line or line.startswith((b"a NO", b"a BAD", b"* BYE")):
                    raise RuntimeError(repr(line))
                seen += line.startswith(b"a OK")
            sender.join()
        return seen
    return [lambda p=path, n=commands: work(p, n) for path, commands in files], [path for path, _ in files]


def fill_sync(port, user, password, folders, sessions):
    imap = login(port, user, password)
    for name in folders:
        if name != "INBOX":
            imap.command(f"CREATE {quoted(name)}")

    def work(share):
        session, count = login(port, user, password), 0
        for name, messages in share.items():
            session.command(f"SELECT {quoted(name)}")
            for message in messages:
                session.append(name, message.data, message.flags + message.keywords, load.date_time(message))
                count += 1
        return count
    return in_processes([lambda s=share: work(s) for share in shares(folders, sessions)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="small", choices=profiles.PROFILES)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rtt", type=int, default=0, help="milliseconds")
    parser.add_argument("--sessions", default="1,2,4")
    parser.add_argument("--modes", default="drain,fill,fill-50,fill-sync")
    parser.add_argument("--fsync", default="optimized", help="the servers' mail_fsync")
    parser.add_argument("--work", default="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    a = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postferry-limit-", dir=a.work))
    folder.chmod(0o755)
    try:
        box = profiles.build(a.profile, a.scale)
        for one in box.folders:
            one.messages = list(one.messages)
        folders = {"/".join(map(mutf7, f.path)): f.messages for f in box.folders if f.messages}
        size, count = sum(len(m.data) for ms in folders.values() for m in ms), box.count()
        with Dovecot(folder / "server", fsync=a.fsync) as server, \
                Proxy(server.imap, folder=folder, delay_ms=a.rtt / 2) as proxy:
            port = proxy[server.imap] if a.rtt else server.imap
            load.by_maildir(box, server, "full")
            imap = login(server.imap, "full", server.password)
            for name in folders:  # indexed before it is measured
                imap.command(f"EXAMINE {quoted(name)}")
                imap.command("FETCH 1:* (RFC822.SIZE INTERNALDATE)")
            counts = {name: len(messages) for name, messages in folders.items()}
            for mode in a.modes.split(","):
                for sessions in map(int, a.sessions.split(",")):
                    user = f"{mode}-{sessions}"
                    if mode == "fill-sync":
                        took, _ = fill_sync(port, user, server.password, folders, sessions)
                    else:
                        kind, _, batch = mode.partition("-")
                        works, paths = [], []
                        if kind in ("fill", "both"):
                            works, paths = fill(port, user, server.password, folders, sessions, int(batch or 1), folder)
                        if kind in ("drain", "both"):
                            works = works + drain(port, "full", server.password, counts, sessions)
                        took, _ = in_processes(works)
                        for path in paths:
                            path.unlink()
                    shutil.rmtree(server.home(user), ignore_errors=True)
                    print(json.dumps(dict(mode=mode, sessions=sessions, profile=a.profile, rtt_ms=a.rtt, seconds=round(took, 3),
                                          messages_s=round(count / took), mb_s=round(size / took / 1e6, 1))), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
