#!/usr/bin/env python3
"""Puts a generated mailbox (mailbox.py) on a server: as Maildir files, or over IMAP.

    python3 load.py MAILBOX PORT USER [--password P] [arguments of the mailbox as NAME=VALUE]

MAILBOX is a function of mailbox.py: awkward, small, big, wide, mixed.
"""
import argparse
import dataclasses
import datetime
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import mailbox as mailboxes  # noqa: E402  (this folder's, not the standard library's)
from wire import Imap, ImapError, mutf7, quoted  # noqa: E402

_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@dataclasses.dataclass
class Loaded:
    """What the server did not take, with its words."""
    folders: list = dataclasses.field(default_factory=list)   # (path, words)
    messages: list = dataclasses.field(default_factory=list)  # (path, Message, words)


def date_time(message):
    """INTERNALDATE as APPEND wants it."""
    t = datetime.datetime.utcfromtimestamp(message.when + message.zone * 60)
    sign, zone = ("-" if message.zone < 0 else "+"), abs(message.zone)
    return f"{t.day:2d}-{_MONTHS[t.month - 1]}-{t.year} {t:%H:%M:%S} {sign}{zone // 60:02}{zone % 60:02}"


def by_maildir(mailbox, server, user):
    """Writes Maildir files below the home of USER on a Dovecot of store maildir, before its first login.
    The messages of a folder are taken one by one, so that they need not all be in memory.
    Folders whose names hold the server's separator are left out.  Dates lose their zone, as on any server."""
    home, loaded = server.home(user), Loaded()
    root = home / "Maildir"
    subscriptions = []
    for folder in mailbox.folders:
        if any(server.separator in level for level in folder.path):
            loaded.folders.append((folder.path, "the name holds the separator"))
            continue
        place = root if folder.path == ("INBOX",) else root / ("." + ".".join(_escaped(folder.path)))
        for sub in ("cur", "new", "tmp"):
            (place / sub).mkdir(parents=True, exist_ok=True)
        if place != root:
            (place / "maildirfolder").touch()
        keywords = []
        for number, message in enumerate(folder.messages):
            keywords += [k for k in message.keywords if k not in keywords]
            letters = "".join(sorted(_LETTERS[f] for f in message.flags))
            letters += "".join(sorted(chr(ord("a") + keywords.index(k)) for k in message.keywords))
            data = message.data.replace(b"\r\n", b"\n")
            virtual = len(data) + data.count(b"\n") - data.count(b"\r\n")
            path = place / "cur" / f"{1_000_000_000 + number}.M{number}P1.test,S={len(data)},W={virtual}:2,{letters}"
            path.write_bytes(data)
            os.utime(path, (message.when, message.when))
        (place / "dovecot-keywords").write_text("".join(f"{i} {k}\n" for i, k in enumerate(keywords)))
        if folder.subscribed:
            subscriptions.append("\t".join(_escaped(folder.path)))
    (root / "subscriptions").write_text("V\t2\n\n" + "".join(f"{line}\n" for line in subscriptions))
    server.own(home)
    return loaded


def _escaped(path):
    """The levels as Dovecot's listescape keeps them in names of files and in the subscriptions."""
    levels = ["".join(f"\\{ord(c):02x}" if c in "./\\" else c for c in mutf7(level)) for level in path]
    if levels[0].startswith("~"):
        levels[0] = "\\7e" + levels[0][1:]
    return levels


def by_imap(mailbox, server, user, port=None, subscribe=True):
    """Creates folders and appends, one message at a time.  Goes on after a refusal and returns them all."""
    loaded = Loaded()
    server.add_user(user)
    with Imap(port or server.imap) as imap:
        imap.login(user, server.password)
        with_use = "CREATE-SPECIAL-USE" in imap.capabilities()
        for folder in mailbox.folders:
            if any(server.separator in level for level in folder.path):
                loaded.folders.append((folder.path, "the name holds the separator"))
                continue
            inbox = folder.path[0] == "INBOX" and server.prefix
            name = server.separator.join(mutf7(level) for level in folder.path)
            name = name if folder.path == ("INBOX",) or inbox else server.prefix + name
            try:
                if folder.path != ("INBOX",):
                    use = f" (USE ({folder.role}))" if folder.role and with_use else ""
                    imap.command(f"CREATE {quoted(name)}{use}")
                if subscribe and folder.subscribed:
                    imap.command(f"SUBSCRIBE {quoted(name)}")
                elif folder.path != ("INBOX",):
                    imap.command(f"UNSUBSCRIBE {quoted(name)}")
            except ImapError as refusal:
                loaded.folders.append((folder.path, str(refusal)))
                continue
            for message in folder.messages:
                try:
                    imap.append(name, message.data, message.flags + message.keywords, date_time(message))
                except ImapError as refusal:
                    loaded.messages.append((folder.path, message, str(refusal)))
    return loaded


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mailbox", choices=["awkward", "small", "big", "wide", "mixed"])
    parser.add_argument("port", type=int)
    parser.add_argument("user")
    parser.add_argument("arguments", nargs="*", help="NAME=NUMBER")
    parser.add_argument("--password", default="ferry-over")
    parser.add_argument("--separator", default="/")
    parser.add_argument("--prefix", default="")
    a = parser.parse_args()
    made = getattr(mailboxes, a.mailbox)(**{k: int(v) for k, v in (pair.split("=") for pair in a.arguments)})

    class Server:
        imap, password, separator, prefix = a.port, a.password, a.separator, a.prefix
        add_user = staticmethod(lambda user: None)
    loaded = by_imap(made, Server, a.user)
    for path, words in loaded.folders:
        print(f"folder refused: {'/'.join(path)}: {words}")
    for path, message, words in loaded.messages:
        print(f"message refused: {'/'.join(path)}: {message.name}: {words}")


if __name__ == "__main__":
    main()
