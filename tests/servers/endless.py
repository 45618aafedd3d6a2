"""A model IMAP server whose mail is made up while it is sent, and checked while it is taken: for
folders and messages larger than anything that could be kept.

    with Endless({"INBOX": 1_000_000}) as source, Endless(expects=source) as target: ...

A message's text follows from its folder and number alone.  As a target it keeps of each folder only
how many messages it holds and their sizes, and notes in `wrong` whatever is not the next message of
the source's folder, byte for byte.  Both ends offer LITERAL+, MULTIAPPEND, UIDPLUS and LIST-STATUS, one
that TRACKS changes CONDSTORE, too.
"""
import array
import re
import socket
import threading
import time

DATE = '"09-Sep-2001 01:46:40 +0000"'
CAPABILITIES = "IMAP4rev1 SASL-IR LITERAL+ UIDPLUS MULTIAPPEND LIST-EXTENDED LIST-STATUS"
BLOCK = bytes(32 + (i * 7) % 90 if (i + 2) % 80 else 10 for i in range(0, 80)).replace(b"\n", b"-")[:78] + b"\r\n"
CHUNK = BLOCK * 12_800  # a million bytes


def head(folder, number):
    return (f"From: a@a.example\r\nTo: b@b.example\r\nDate: Sun, 09 Sep 2001 01:46:40 +0000\r\nSubject: {folder} {number}\r\n"
            f"Message-ID: <{number}@{folder}.example>\r\n\r\n").encode()


class Endless:
    """A server on a port of its own; FOLDERS maps names to how many messages each has, every one of
    them with BLOCKS lines of text.  With EXPECTS, another Endless, it is a target of its mail, whose
    INBOX has FOREIGN messages of somebody else, and then HELD of those that are expected.  A
    STALLING target takes nothing from the first message on, until the source has come to a halt."""

    def __init__(self, folders=None, blocks=1, expects=None, stalling=False, tracks=False, foreign=0, held=0):
        self.folders = dict(folders or {"INBOX": 0})
        self.foreign = {"INBOX": foreign}
        self.blocks, self.expects, self.stalling, self.tracks = blocks, expects, stalling, tracks
        self.modseq = {name: 2 for name in self.folders}
        self.changed = {name: {} for name in self.folders}  # {number: mod-sequence}; those are \\Seen
        self.listed = 0               # FETCH responses without a body
        self.flagged = []             # what STORE was told, as a target
        self.stored = {name: array.array("Q") for name in self.folders}
        for number in range(1, foreign + held + 1):
            self.stored["INBOX"].append(self.size_there("INBOX", number))
        self.subscribed = set()
        self.sent_bytes = 0           # of messages
        self.sent_when_stalled = None
        self.wrong = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.imap = self.listener.getsockname()[1]
        self.threads = []

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(10)

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection):
        try:
            with connection:
                Session(self, connection).run()
        except (OSError, EOFError):
            pass  # the client went

    @property
    def capabilities(self):
        return CAPABILITIES + (" CONDSTORE" if self.tracks else "")

    def change(self, folder, numbers, new=0):
        """Messages that are there become \\Seen, and NEW ones come."""
        for number in numbers:
            self.modseq[folder] += 1
            self.changed[folder][number] = self.modseq[folder]
        for _ in range(new):
            self.folders[folder] += 1
            self.modseq[folder] += 1
            self.changed[folder][self.folders[folder]] = self.modseq[folder]

    def body_size(self, folder, number):
        return len(head(folder, number)) + self.blocks * len(BLOCK)

    def head_of(self, folder, number):
        """The header of what this server has there."""
        foreign = self.foreign.get(folder, 0)
        return head("theirs", number) if number <= foreign else head(folder, number - foreign)

    def size_there(self, folder, number):
        return len(self.head_of(folder, number)) + self.expects.blocks * len(BLOCK)

    def pieces(self, folder, number):
        """The message's bytes, a piece at a time."""
        yield head(folder, number)
        left = self.blocks * len(BLOCK)
        while left > 0:
            piece = CHUNK if left >= len(CHUNK) else CHUNK[:left]
            yield piece
            left -= len(piece)

    def wait_for_a_halt(self):
        """Until nothing more can be sent: every buffer on the way is full."""
        before, since = None, time.monotonic()
        while time.monotonic() - since < 1:
            if self.sent_bytes != before:
                before, since = self.sent_bytes, time.monotonic()
            time.sleep(0.05)
        return before


class Session:
    def __init__(self, server, connection):
        self.server, self.socket = server, connection
        self.input = connection.makefile("rb", buffering=1 << 18)
        self.folder = None

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def run(self):
        self.say(f"* OK [CAPABILITY {self.server.capabilities} AUTH=PLAIN] ready")
        while True:
            line = self.input.readline()
            if not line.endswith(b"\r\n"):
                return
            tag, _, rest = line.decode().rstrip("\r\n").partition(" ")
            name, _, arguments = rest.partition(" ")
            if name == "UID":
                name, _, arguments = arguments.partition(" ")
            answer = getattr(self, "do_" + name.lower(), None)
            if answer is None:
                self.say(f"{tag} BAD unknown command")
                continue
            told = answer(arguments)
            self.say(f"{tag} {told or 'OK done'}")
            if name == "LOGOUT":
                return

    def do_authenticate(self, _):
        return f"OK [CAPABILITY {self.server.capabilities}] in"

    do_login = do_authenticate

    def do_capability(self, _):
        self.say(f"* CAPABILITY {self.server.capabilities}")

    def do_noop(self, _):
        if self.folder:
            self.say(f"* {self._count(self.folder)} EXISTS")

    def do_logout(self, _):
        self.say("* BYE")

    def do_list(self, arguments):
        if arguments.startswith('"" ""'):
            self.say('* LIST (\\Noselect) "/" ""')
            return
        for name in sorted(self.server.folders):
            self.say(f'* LIST (\\Subscribed) "/" "{name}"')
            modseq = f" HIGHESTMODSEQ {self.server.modseq[name]}" if "HIGHESTMODSEQ" in arguments else ""
            self.say(f'* STATUS "{name}" (MESSAGES {self._count(name)} UIDNEXT {self._count(name) + 1} UIDVALIDITY 1{modseq})')

    def do_lsub(self, _):
        pass

    def _count(self, name):
        return len(self.server.stored[name]) if self.server.expects else self.server.folders[name]

    def do_create(self, arguments):
        with self.server.lock:
            name = arguments.split('"')[1]
            self.server.folders[name] = 0
            self.server.stored.setdefault(name, array.array("Q"))

    def do_subscribe(self, arguments):
        self.server.subscribed.add(arguments.split('"')[1])

    def do_select(self, arguments):
        self.folder = arguments.split('"')[1]
        if self.folder not in self.server.folders:
            return "NO there is no such folder"
        count = self._count(self.folder)
        self.say(f"* {count} EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] ok\r\n"
                 f"* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT {count + 1}] ok")
        if self.server.tracks:
            self.say(f"* OK [HIGHESTMODSEQ {self.server.modseq[self.folder]}] ok")

    do_examine = do_select

    def do_fetch(self, arguments):
        numbers, _, items = arguments.partition(" ")
        count = self._count(self.folder)
        changed, out = self.server.changed.get(self.folder, {}), []
        since = re.search(r"CHANGEDSINCE (\d+)", items)
        if since:  # only ever asked for all
            numbers = ",".join(str(number) for number, when in sorted(changed.items()) if when > int(since[1]))
            if not numbers:
                return
        for part in numbers.split(","):
            first, _, last = part.partition(":")
            end = count if last == "*" or first == "*" else int(last or first)
            for number in range(min(int(first), count), min(end, count) + 1):
                if "HEADER.FIELDS" in items:
                    text = self.server.head_of(self.folder, number)
                    out.append(f"* {number} FETCH (UID {number} BODY[HEADER.FIELDS (FROM)] {{{len(text)}}}\r\n".encode()
                               + text + b")\r\n")
                elif "BODY" in items:
                    self._send_message(number, out)
                else:
                    size = (self.server.stored[self.folder][number - 1] if self.server.expects
                            else self.server.body_size(self.folder, number))
                    flags = "\\Seen" if number in changed else ""
                    self.server.listed += 1
                    out.append(f"* {number} FETCH (UID {number} FLAGS ({flags}) INTERNALDATE {DATE} RFC822.SIZE {size})\r\n".encode())
                if len(out) >= 500:
                    self._flush(out)
        self._flush(out)

    def do_search(self, arguments):
        first = int(re.search(r"UID (\d+):\*$", arguments)[1])
        count = self._count(self.folder)
        self.say("* SEARCH" + "".join(f" {number}" for number in range(min(first, count), count + 1)))

    def do_store(self, arguments):
        numbers, _, what = arguments.partition(" ")
        for part in numbers.split(","):
            first, _, last = part.partition(":")
            self.server.flagged += [(number, what) for number in range(int(first), int(last or first) + 1)]

    def _flush(self, out):
        self.socket.sendall(b"".join(out))
        out.clear()

    def _send_message(self, number, out):
        size = self.server.body_size(self.folder, number)
        out.append(f"* {number} FETCH (UID {number} FLAGS () INTERNALDATE {DATE} BODY[] {{{size}}}\r\n".encode())
        for piece in self.server.pieces(self.folder, number):
            out.append(piece)
            if len(piece) > 1000:
                self._flush(out)
            with self.server.lock:
                self.server.sent_bytes += len(piece)
        out.append(b")\r\n")

    def do_append(self, arguments):
        """MULTIAPPEND: a head, a literal, and so on until the line ends."""
        name = arguments.split('"')[1]
        first = len(self.server.stored[name]) + 1
        rest = arguments.encode()
        while rest.strip():
            size = int(re.search(rb"\{(\d+)\+\}$", rest.strip())[1])
            self._take(name, size)
            rest = self.input.readline()
            if not rest:
                raise EOFError
        last = len(self.server.stored[name])
        return f"OK [APPENDUID 1 {first}:{last}] done" if last > first else f"OK [APPENDUID 1 {first}] done"

    def _take(self, name, size):
        server = self.server
        with server.lock:
            stalls, server.stalling = server.stalling, False
        if stalls:
            server.sent_when_stalled = server.expects.wait_for_a_halt()
        number = len(server.stored[name]) + 1 - server.foreign.get(name, 0)
        same = size == server.expects.body_size(name, number)
        for piece in server.expects.pieces(name, number) if same else ():
            same = self._read(len(piece)) == piece and same
            size -= len(piece)
        while size > 0:
            size -= len(self._read(min(size, 1 << 20)))
        if not same:
            server.wrong.append(f"message {number} of {name}")
        server.stored[name].append(server.expects.body_size(name, number))

    def _read(self, size):
        data = self.input.read(size)
        if len(data) < size:
            raise EOFError
        return data
