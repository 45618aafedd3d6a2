"""Deterministic mailboxes for tests, awkward ones above all.

A Mailbox is a list of Folders of Messages, as values; load.py puts them on a server.  The bytes
are those of the wire (CRLF).  Paths are tuples of levels, so that a level may hold any character.
The same arguments always make the same mailbox.
"""
import base64
import dataclasses
import random

WORDS = ("harbour crossing ferry tide anchor rope deck pilot cargo manifest ledger captain crew lantern bell "
         "fog buoy channel quay berth mooring sail engine rudder chart compass north wind wave foam gull "
         "the a of and to in is it that was for on are with as they at be this from have or by one had not but").split()
SYSTEM_FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted")
KEYWORDS = ("$Forwarded", "NonJunk", "$label1", "Projekt-X", "ToDo", "$MDNSent")
YEAR = 365 * 86400
FIRST_DATE = 420_000_000   # April 1983; anything before 1981 is taken for a server's mistake
LAST_DATE = 1_740_000_000  # February 2025; Dovecot keeps no date that is still to come


@dataclasses.dataclass(frozen=True)
class Message:
    name: str             # for reports
    data: bytes
    flags: tuple = ()
    keywords: tuple = ()
    when: int = LAST_DATE  # INTERNALDATE, seconds since 1970
    zone: int = 0          # and its zone, minutes east of Greenwich


@dataclasses.dataclass
class Folder:
    path: tuple
    messages: list = dataclasses.field(default_factory=list)
    role: str = None
    subscribed: bool = True


@dataclasses.dataclass
class Mailbox:
    folders: list

    def folder(self, *path):
        return next(f for f in self.folders if f.path == path)

    def count(self):
        return sum(len(f.messages) for f in self.folders)

    def roles(self):
        """{first level's name: role}, as Dovecot(special=...) wants it."""
        return {"/".join(f.path): f.role for f in self.folders if f.role}


class Maker:
    """Makes ordinary messages from one random stream."""

    def __init__(self, seed):
        self.random = random.Random(f"postferry/{seed}")
        self.made = 0
        self._noise = base64.encodebytes(self.random.randbytes(3 << 18)).replace(b"\n", b"\r\n")

    def text(self, size):
        """About SIZE bytes of prose in lines of about 70, CRLF."""
        lines, left = [], size
        while left > 0:
            line = " ".join(self.random.choices(WORDS, k=10))
            lines.append(line)
            left -= len(line) + 2
        return "\r\n".join(lines).encode() + b"\r\n"

    def attachment(self, size):
        """SIZE bytes of base64 lines, rounded up to a line."""
        whole, rest = divmod(size // 78 * 78 + 78, len(self._noise))
        return self._noise * whole + self._noise[:rest // 78 * 78]

    def head(self, subject=None, message_id=True, when=LAST_DATE):
        self.made += 1
        n, rnd = self.made, self.random
        sender = f"{rnd.choice(WORDS)}{rnd.randrange(900)}@sea.example"
        date = _rfc2822(when)
        lines = [f"Return-Path: <{sender}>",
                 f"Received: from mx{rnd.randrange(9)}.sea.example (mx.sea.example [192.0.2.{rnd.randrange(255)}])\r\n"
                 f"\tby mail.land.example with ESMTPS id {rnd.getrandbits(40):010X}; {date}",
                 f"From: {sender}", "To: crew@land.example",
                 f"Subject: {subject or ' '.join(rnd.choices(WORDS, k=4))}", f"Date: {date}"]
        if message_id:
            lines.append(f"Message-ID: <{n}.{rnd.getrandbits(48):012x}@sea.example>")
        return "\r\n".join(lines).encode() + b"\r\n"

    def ordinary(self, size, when=LAST_DATE):
        """One message of about SIZE bytes: text, and above 16 KiB an attachment."""
        head = self.head(when=when)
        room = max(1, size - len(head) - 2)
        if room < 16 << 10:
            return head + b"\r\n" + self.text(room)
        mark = b"=_%08x" % self.random.getrandbits(32)
        return b"".join([
            head, b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="', mark, b'"\r\n\r\n--', mark,
            b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", self.text(2000), b"--", mark,
            b"\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n",
            self.attachment(room - 2400), b"--", mark, b"--\r\n"])

    def flags(self):
        chances = (.8, .2, .08, .02, .01)
        return tuple(f for f, chance in zip(SYSTEM_FLAGS, chances) if self.random.random() < chance)

    def keywords(self):
        return tuple(k for k in KEYWORDS if self.random.random() < .05)

    def message(self, name, data, **fields):
        fields = {"when": self.random.randrange(FIRST_DATE, LAST_DATE), "zone": self.random.choice(ZONES),
                  "flags": self.flags(), "keywords": self.keywords(), **fields}
        return Message(name, data, **fields)


ZONES = (0, 60, 120, -300, 330, 345, -210, 765, -720)


def _rfc2822(when):
    import email.utils
    return email.utils.formatdate(when)


def oddities(maker):
    """Awkward messages that every server takes: (name, bytes)."""
    head, text = maker.head, maker.text
    return [
        ("no Message-ID", head(message_id=False) + b"\r\n" + text(300)),
        ("no Message-ID, again", head(message_id=False) + b"\r\n" + text(300)),
        ("only a subject", b"Subject: nothing else\r\n\r\nshort\r\n"),
        ("8-bit headers, Latin-1", head(message_id=False) + "From: Jörg Müller <j@sea.example>\r\nX-Größe: süß\r\n".encode(
            "latin-1") + b"\r\n" + text(200)),
        ("8-bit headers, UTF-8", head() + "X-Raw: Grüße, 日本語\r\n".encode() + b"\r\n" + text(200)),
        ("bare CR", head() + b"\r\nbefore\rafter, and \r\r twice\r\nend\r\n"),
        ("a line of 12,000 characters", head() + b"\r\n" + b"x" * 12000 + b"\r\n"),
        ("a header of 12,000 characters", head() + b"X-Long: " + b"y " * 6000 + b"\r\n\r\n" + text(100)),
        ("no body", head() + b"\r\n"),
        ("no final line end", head() + b"\r\n" + text(200) + b"the last line"),
        ("header only", head()),
        ("dots", head() + b"\r\n.\r\n..\r\n.leading\r\n...\r\n\r\n.\r\n"),
        ("ends in empty lines", head() + b"\r\n" + text(80) + b"\r\n\r\n\r\n"),
        ("looks like a protocol", head() + b"\r\n* 1 FETCH (BODY[] {5}\r\n)\r\n* BYE\r\na1 OK done\r\n+OK\r\n-ERR\r\n{10}\r\n"),
        ("every byte but NUL, CR, LF", head() + b"\r\n" + bytes(b for b in range(1, 256) if b not in (10, 13)) + b"\r\n"),
        ("folded and odd header names", b"sUBJECT:\r\n =?utf-8?q?folded?=\r\n\tagain\r\nx-empty:\r\nX-Tab:\ttab\r\n" + head() +
         b"\r\n" + text(100)),
        ("From in the body", head() + b"\r\nFrom the start of a line\r\n>From quoted\r\n" + text(80)),
        ("attachment of 300 KB", maker.ordinary(300_000)),
        ("attachment of 2 MB", maker.ordinary(2_000_000)),
    ]


def poisons(maker):
    """Messages that some servers refuse: (name, bytes).  Dovecot makes CRLF of a bare LF and gives a NUL as 0x80."""
    head, text = maker.head, maker.text
    return [
        ("NUL in the body", head() + b"\r\nbefore \0 after\r\n"),
        ("bare LF in the body", head() + b"\r\none\ntwo\nthree\r\n"),
        ("bare LF in the header", head()[:-2] + b"\nX-After: a bare LF\r\n\r\n" + text(60)),
        ("an mbox From line on top", b"From ann@sea.example Mon Jan  1 00:00:00 2001\r\n" + head() + b"\r\n" + text(60)),
        ("no line between header and body", head() + b"this is no header field\r\n" + text(60)),
        ("one byte", b"x"),
        ("only a line end", b"\r\n"),
    ]


def _copies(maker):
    """True duplicates, and near ones."""
    same = maker.ordinary(900)
    twice = maker.message("true copy", same, flags=("\\Seen",), keywords=(), when=1_000_000_000, zone=0)
    other = maker.ordinary(700)
    out = [twice, twice,
           maker.message("copy, other flags", other, flags=("\\Seen",), keywords=()),
           maker.message("copy, other flags", other, flags=("\\Flagged",), keywords=("$Forwarded",)),
           maker.message("copy, other flags", other, flags=(), keywords=())]
    # One Message-ID, three bodies.
    head = maker.head()
    out += [maker.message("one Message-ID, other body", head + b"\r\n" + maker.text(100)) for _ in range(3)]
    # Byte for byte one message but for a final line end.
    head = maker.head()
    out += [maker.message("but for the line end", head + b"\r\nbody", flags=()),
            maker.message("but for the line end", head + b"\r\nbody\r\n", flags=())]
    return out


# Awkward names; what a server cannot store is left out when it is loaded.
NAMES = [
    ("Archive", "2019"), ("Archive", "2019", "Q1"), ("Deep", "er", "and", "deeper"),
    ("日本語",), ("日本語", "受信箱"), ("Кириллица",), ("Entwürfe alt",), ("Café & Co",), ("AT&T-",), ("&AC8-",), ("&",),
    ("dotted.name",), ("slash/name",), ("100%",), ("star*",), ('say "hi"',), ("back\\slash",), ("emoji 🚢⛴️",),
    ("trailing ",), (" leading",), ("two  spaces",), ("(round)",), ("[Gmail]", "All Mail"), ("~tilde",), ("#hash",),
    ("{brace}",), ("colon: semi;",), ("it's",), ("Projects",), ("projects",), ("NIL",), ("x" * 90,), ("INBOX", "child"),
    ("inbox2",), ("comma, plus+",), ("%41",), ("ends with.",),
]


def awkward(seed=1, poison=True, each=3):
    """The fidelity mailbox: every oddity in INBOX, awkward folder names with EACH messages, roles with
    German names, folders that are empty or not subscribed, parents that do not exist."""
    maker = Maker(f"awkward/{seed}")
    inbox = Folder(("INBOX",))
    for name, data in oddities(maker):
        inbox.messages.append(maker.message(name, data))
    inbox.messages += _copies(maker)
    for flag in SYSTEM_FLAGS:
        inbox.messages.append(maker.message(f"flag {flag}", maker.ordinary(600), flags=(flag,), keywords=()))
    inbox.messages.append(maker.message("all flags", maker.ordinary(600), flags=SYSTEM_FLAGS, keywords=KEYWORDS))
    inbox.messages.append(maker.message("no flag", maker.ordinary(600), flags=(), keywords=()))
    for keyword in KEYWORDS:
        inbox.messages.append(maker.message(f"keyword {keyword}", maker.ordinary(600), flags=(), keywords=(keyword,)))
    for zone in ZONES:
        inbox.messages.append(maker.message(f"zone {zone}", maker.ordinary(600), zone=zone))
    for when in (FIRST_DATE, 946_684_799, 951_782_400, 1_111_885_200, LAST_DATE):
        inbox.messages.append(maker.message(f"date {when}", maker.ordinary(600), when=when))
    folders = [inbox]
    for name, role in (("Gesendet", "\\Sent"), ("Entwürfe", "\\Drafts"), ("Papierkorb", "\\Trash"), ("Werbung", "\\Junk")):
        folders.append(Folder((name,), [], role))
    folders += [Folder(path) for path in NAMES]
    for number, folder in enumerate(folders[1:]):
        folder.subscribed = number % 5 != 4
        folder.messages += [maker.message(f"{number}.{i}", maker.ordinary(maker.random.randrange(500, 4000)))
                            for i in range(each)]
    folders.append(Folder(("Leer",)))
    folders.append(Folder(("Copies",), [inbox.messages[0], inbox.messages[0], inbox.messages[1]]))
    if poison:
        folders.append(Folder(("Poison",), [maker.message(name, data) for name, data in poisons(maker)]))
    return Mailbox(folders)


def small(count, seed=1, sizes=(500, 1500), path=("INBOX",)):
    """One folder of COUNT small messages."""
    maker = Maker(f"small/{seed}")
    return Mailbox([Folder(path, [
        maker.message(f"{i}", maker.ordinary(maker.random.randrange(*sizes)), when=FIRST_DATE + i * 60)
        for i in range(count)])])


def big(size=64 << 20, seed=1):
    """INBOX with one message of SIZE bytes between two small ones."""
    maker = Maker(f"big/{seed}")
    return Mailbox([Folder(("INBOX",), [
        maker.message("before", maker.ordinary(800)), maker.message(f"{size} bytes", maker.ordinary(size)),
        maker.message("after", maker.ordinary(800))])])


def wide(folders=500, messages=2, seed=1):
    """Many folders, nested in tens, MESSAGES in each."""
    maker = Maker(f"wide/{seed}")
    out = [Folder(("INBOX",))] + [Folder((f"g{i // 10:02}", f"f{i:03}")) for i in range(folders)]
    for i, folder in enumerate(out):
        folder.subscribed = i % 7 != 0
        folder.messages = [maker.message(f"{i}.{j}", maker.ordinary(maker.random.randrange(400, 3000)))
                           for j in range(messages)]
    return Mailbox(out)


def mixed(messages=300, folders=6, seed=1, largest=200_000):
    """An everyday mailbox: some folders, sizes from small to LARGEST, a few true copies."""
    maker = Maker(f"mixed/{seed}")
    names = [("INBOX",), ("Sent",), ("Archive", "2020"), ("Archive", "2021"), ("Lists", "tide"), ("Büro",)]
    names += [("More", f"n{i}") for i in range(max(0, folders - len(names)))]
    out = [Folder(path, role="\\Sent" if path == ("Sent",) else None) for path in names[:folders]]
    for i in range(messages):
        folder = out[min(len(out) - 1, int(maker.random.expovariate(0.7)))]
        size = min(largest, int(maker.random.lognormvariate(7.8, 1.5)) + 500)
        folder.messages.append(maker.message(f"{i}", maker.ordinary(size)))
        if i % 50 == 49:
            folder.messages.append(folder.messages[-1])
    return Mailbox(out)
