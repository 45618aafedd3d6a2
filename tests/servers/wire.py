"""A small IMAP client for tests: commands as text, answers as lines and literals.

It shares nothing with the program under test.  Literals can be handed to a sink while they
arrive, so that a message of any size is read in little memory.
"""
import base64
import re
import socket
import ssl

_LITERAL = re.compile(rb"\{(\d+)\}\r?\n$")


class ImapError(Exception):
    """The server said NO, BAD or BYE; str() is what it said."""


def mutf7(text):
    """Modified UTF-7 (RFC 3501 section 5.1.3) of one name, as ASCII text."""
    out, run = [], ""
    for char in text + "\0":
        if char != "\0" and not " " <= char <= "~":
            run += char
            continue
        if run:
            coded = base64.b64encode(run.encode("utf-16-be", "surrogatepass")).decode()
            out.append("&" + coded.rstrip("=").replace("/", ",") + "-")
            run = ""
        out.append({"&": "&-", "\0": ""}.get(char, char))
    return "".join(out)


def unmutf7(text):
    """The name that mutf7 made TEXT of; what is not modified UTF-7 comes back as it is."""
    def part(match):
        if not match.group(1):
            return "&"
        coded = match.group(1).replace(",", "/")
        return base64.b64decode(coded + "=" * (-len(coded) % 4)).decode("utf-16-be", "surrogatepass")
    return re.sub(r"&([A-Za-z0-9+,]*)-", part, text)


def quoted(name):
    """A quoted string of a name that is already on-the-wire text."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Answer:
    """All untagged lines of one command, literals cut out of them, and the tagged line."""

    def __init__(self):
        self.lines, self.literals, self.tagged = [], [], b""


class Imap:
    """One connection.  tls: None, "implicit" or "starttls" (verified against ca)."""

    def __init__(self, port, host="127.0.0.1", tls=None, ca=None, timeout=120):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = ssl.create_default_context(cafile=ca) if tls else None
        if tls == "implicit":
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        self.file = self.socket.makefile("rb", 1 << 18)
        self.count = 0
        self.greeting = self._line()
        if tls == "starttls":
            self.command("STARTTLS")
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
            self.file = self.socket.makefile("rb", 1 << 18)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def _line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise ImapError(f"the server closed the connection after {line!r}")
        return line

    def login(self, user, password):
        self.command(f"LOGIN {quoted(user)} {quoted(password)}")
        return self

    def capabilities(self):
        return set(b" ".join(self.command("CAPABILITY").lines).decode().upper().split()[2:])

    def send(self, data):
        self.socket.sendall(data)

    def tag(self):
        self.count += 1
        return b"t%d" % self.count

    def responses(self, tag, sink=None):
        """Yields (text of the line without its literals, [literals]) until the tagged line, which is
        yielded too.  sink(size, read) takes a literal's bytes by read(n) and returns what stands for it."""
        while True:
            text, literals = b"", []
            while True:
                line = self._line()
                match = _LITERAL.search(line)
                if not match:
                    text += line.rstrip(b"\r\n")
                    break
                text += line[:match.start()] + b"{}"
                size = int(match.group(1))
                literals.append(sink(size, self.file.read) if sink else self._exactly(size))
            yield text, literals
            if text.startswith(tag + b" "):
                return
            if text.startswith(b"* BYE") and not tag.endswith(b"!"):
                raise ImapError(text.decode(errors="replace"))

    def _exactly(self, size):
        data = self.file.read(size)
        if len(data) != size:
            raise ImapError(f"the server closed the connection {len(data)} bytes into a literal of {size}")
        return data

    def command(self, text, sink=None):
        """Sends one command without literals; raises ImapError unless it is answered OK."""
        tag = self.tag()
        self.send(tag + b" " + text.encode() + b"\r\n")
        answer = Answer()
        for line, literals in self.responses(tag, sink):
            if line.startswith(tag + b" "):
                answer.tagged = line
            else:
                answer.lines.append(line)
                answer.literals.append(literals)
        if not answer.tagged.startswith(tag + b" OK"):
            raise ImapError(f"{text[:80]}: {answer.tagged.decode(errors='replace')}")
        return answer

    def append(self, mailbox, data, flags=(), date=None):
        """Appends with a synchronising literal; MAILBOX is on-the-wire text.  Raises if refused.
        A NUL goes in a literal8 where the server has BINARY, its only lawful way (RFC 3516)."""
        eight = "~" if b"\0" in data and "BINARY" in self.capabilities() else ""
        tag = self.tag()
        stamp = f' "{date}"' if date else ""
        self.send(tag + f" APPEND {quoted(mailbox)} ({' '.join(flags)}){stamp} {eight}{{{len(data)}}}\r\n".encode())
        line = self._line()
        while line.startswith(b"* "):
            line = self._line()
        if line.startswith(b"+"):
            try:
                self.send(data + b"\r\n")
            except OSError as error:
                raise ImapError(f"APPEND of {len(data)} bytes: {error}") from None
            for line, _ in self.responses(tag):
                pass
        if not line.startswith(tag + b" OK"):
            raise ImapError(line.decode(errors="replace").strip())
        return line.decode(errors="replace")
