#!/usr/bin/env python3
"""Is one IMAP account a true copy of another?  Asked over IMAP, sharing no code with the program.

    python3 verify.py SOURCE_PORT USER TARGET_PORT USER [--password P] [--content-only]

Compared: the set of folders, their roles, the subscriptions, and in every folder the multiset of
(SHA-256 of the bytes, system flags, keywords without case, INTERNALDATE as an instant).  Prints a
JSON object; exit status 0 only if nothing differs, else 1.

The counts: missing (not on the target), extra (its bytes are nowhere in the source folder), altered
(the same Message-ID with other bytes), doubled (more copies than the source folder has), flags, keywords, dates (arrived, but with others),
folders_missing, folders_extra, subscriptions_missing, subscriptions_extra, roles, order (folders
whose common messages stand in another order; told, but no difference), unreadable (FETCH gave no body).
"""
import argparse
import calendar
import collections
import dataclasses
import hashlib
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from wire import Imap, ImapError, quoted, unmutf7  # noqa: E402

SYSTEM = {"\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft"}
ROLES = {"\\all", "\\archive", "\\drafts", "\\flagged", "\\important", "\\junk", "\\sent", "\\trash"}
_MONTHS = {m: i + 1 for i, m in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split())}
_FETCH = re.compile(rb"\* \d+ FETCH \((.*)\)$", re.S)
_UID, _FLAGS = re.compile(rb"\bUID (\d+)"), re.compile(rb"\bFLAGS \(([^)]*)\)")
_WHEN = re.compile(rb'INTERNALDATE "([^"]*)"')
_DATE = re.compile(r"\s*(\d+)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_LIST = re.compile(rb'\* (?:LIST|LSUB) \(([^)]*)\) (NIL|"(?:[^"\\]|\\.)*") (.*)$', re.S)
NOTES = ("order",)  # counted, but no difference

# One message as it stands in a folder.  `name` is only for reports.
Stored = collections.namedtuple("Stored", "uid digest size flags keywords when name")


@dataclasses.dataclass
class Endpoint:
    """Where an account is; password and port are those of a running server."""
    port: int
    user: str
    password: str = "ferry-over"
    host: str = "127.0.0.1"
    tls: str = None
    ca: str = None

    @classmethod
    def of(cls, server, user):
        return cls(server.imap, user, server.password)


def instant(text):
    """INTERNALDATE in seconds since 1970."""
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError(f"not a date: {text!r}")
    day, month, year, hour, minute, second, sign, zone_hour, zone_minute = match.groups()
    zone = (int(zone_hour) * 3600 + int(zone_minute) * 60) * (1 if sign == "+" else -1)
    return calendar.timegm((int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), int(second))) - zone


class Account:
    """One account, read over one connection.

    folders         {path: name on the wire} of what can be selected in the personal namespace
    roles           {role: path}
    subscriptions   set of paths
    A path is a tuple of decoded levels below the namespace's prefix.
    """

    def __init__(self, endpoint, final_crlf=False, fold_nul=False):
        self.final_crlf, self.fold_nul = final_crlf, fold_nul
        self.imap = Imap(endpoint.port, endpoint.host, endpoint.tls, endpoint.ca)
        self.imap.login(endpoint.user, endpoint.password)
        self.prefix, self._foreign = self._namespace()
        self.folders, self.roles, self.subscriptions = {}, {}, set()
        special = " RETURN (SPECIAL-USE)" if "SPECIAL-USE" in self.imap.capabilities() else ""
        for attributes, path, wire in self._list(f'LIST "" "*"{special}'):
            if not {"\\noselect", "\\nonexistent"} & attributes:
                self.folders[path] = wire
                for role in ROLES & attributes:
                    self.roles[role] = path
        for attributes, path, _ in self._list('LSUB "" "*"'):
            if "\\noselect" not in attributes:
                self.subscriptions.add(path)

    def close(self):
        self.imap.close()

    def _namespace(self):
        try:
            line = self.imap.command("NAMESPACE").lines[0].decode()
        except (ImapError, IndexError):
            return "", []
        personal, *others = re.findall(r'NIL|\((?:\("(?:[^"\\]|\\.)*" (?:NIL|"(?:[^"\\]|\\.)*")[^)]*\))+\)', line)
        prefixes = lambda text: re.findall(r'\("((?:[^"\\]|\\.)*)"', text)
        return (prefixes(personal) or [""])[0], [p for text in others for p in prefixes(text)]

    def _list(self, command):
        answer = self.imap.command(command)
        for line, literals in zip(answer.lines, answer.literals):
            match = _LIST.match(line)
            if not match:
                continue
            attributes = set(match.group(1).decode().lower().split())
            separator = _unquote(match.group(2)) if match.group(2) != b"NIL" else None
            wire = literals[0].decode() if match.group(3) == b"{}" and literals else _unquote(match.group(3))
            if any(p and (wire + (separator or "")).startswith(p) for p in self._foreign):
                continue
            yield attributes, self._path(wire, separator), wire

    def _path(self, wire, separator):
        if wire.upper() == "INBOX":
            return ("INBOX",)
        name = wire[len(self.prefix):] if self.prefix and wire.startswith(self.prefix) else wire
        levels = name.split(separator) if separator else [name]
        if len(levels) > 1 and levels[0].upper() == "INBOX":
            levels[0] = "INBOX"
        return tuple(unmutf7(level) for level in levels)

    def messages(self, path):
        """The messages of one folder, by UID; bodies are hashed while they arrive."""
        wire = self.folders[path]
        exists = re.compile(rb"\* (\d+) EXISTS")
        count = 0
        for line in self.imap.command(f"EXAMINE {quoted(wire)}").lines:
            match = exists.match(line)
            count = int(match.group(1)) if match else count
        out = []
        for low in range(1, count + 1, 2000):
            out += self._fetch(low, min(count, low + 1999))
        return sorted(out)

    def _fetch(self, low, high):
        tag = self.imap.tag()
        self.imap.send(tag + f" FETCH {low}:{high} (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n".encode())
        out = []
        for text, literals in self.imap.responses(tag, self._digest):
            match = _FETCH.match(text)
            if text.startswith(tag + b" ") and not text.startswith(tag + b" OK"):
                raise ImapError(text.decode(errors="replace"))
            if not match or b"BODY[]" not in text:
                continue
            digest, size, name = literals[0] if literals else self._digest(0, None) if b'BODY[] ""' in text else (None, 0, "")
            flags = {f.lower() for f in _FLAGS.search(text).group(1).decode().split()} - {"\\recent"}
            out.append(Stored(int(_UID.search(text).group(1)), digest, size, frozenset(flags & SYSTEM),
                              frozenset(flags - SYSTEM), instant(_WHEN.search(text).group(1).decode()), name))
        return out

    def _digest(self, size, read):
        """SHA-256, size and a name of a body; reads it in pieces."""
        sha, head, last, left = hashlib.sha256(), b"", b"", size
        while left:
            piece = read(min(left, 1 << 20))
            if not piece:
                raise ImapError(f"the server closed the connection with {left} bytes of a message to come")
            sha.update(piece.replace(b"\0", b"\x80") if self.fold_nul else piece)
            head = head or piece[:65536]
            last = (last + piece)[-2:]
            left -= len(piece)
        if self.final_crlf and last != b"\r\n":
            sha.update(b"\r\n"[len(last) if last == b"\r" else 0:])
        found = re.search(rb"(?im)^message-id:\s*\S+", head) or re.search(rb"(?im)^subject:[^\r]*", head)
        return sha.digest(), size, found.group(0).decode(errors="replace") if found else "(no name)"


def _unquote(token):
    text = token.decode()
    if text.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


class Report:
    """Counts of what differs, with samples.  equal is true if nothing does."""

    def __init__(self, samples=3):
        self.counts, self.samples, self._most = collections.Counter(), collections.defaultdict(list), samples
        self.source_messages = self.target_messages = 0
        self.renamed = {}

    def note(self, kind, where, detail=""):
        self.counts[kind] += 1
        if len(self.samples[kind]) < self._most:
            self.samples[kind].append(f"{'/'.join(where)}: {detail}" if detail else "/".join(where))

    @property
    def equal(self):
        return not any(count for kind, count in self.counts.items() if kind not in NOTES)

    def __str__(self):
        if self.equal:
            return f"equal, {self.source_messages} messages"
        return ", ".join(f"{n} {kind} ({'; '.join(self.samples[kind])})"
                         for kind, n in sorted(self.counts.items()) if kind not in NOTES)

    def as_json(self):
        return {"equal": self.equal, "source": self.source_messages, "target": self.target_messages,
                **dict(sorted(self.counts.items())), "samples": dict(self.samples),
                "renamed": {"/".join(a): "/".join(b) for a, b in self.renamed.items()}}


def _compare_folder(source, target, where, report, content_only):
    left, right = collections.defaultdict(list), collections.defaultdict(list)
    for side, messages in ((left, source), (right, target)):
        for message in messages:
            if message.digest is None:
                report.note("unreadable", where, f"UID {message.uid}")
            else:
                side[message.digest].append(message)
    missing, extra = [], []
    for digest in left.keys() | right.keys():
        ours, theirs = left.get(digest, []), right.get(digest, [])
        for message in list(ours):  # exact twins first
            twin = next((t for t in theirs if t[3:6] == message[3:6]), None)
            if twin:
                ours.remove(message)
                theirs.remove(twin)
        for message, other in zip(ours, theirs):
            for kind, a, b in (("flags", message.flags, other.flags), ("keywords", message.keywords, other.keywords),
                               ("dates", message.when, other.when)):
                if a != b and not content_only:
                    show = (lambda x: " ".join(sorted(x)) or "none") if kind != "dates" else str
                    report.note(kind, where, f"{message.name}: {show(a)} -> {show(b)}")
        missing += ours[len(theirs):]
        if digest in left:
            for message in theirs[len(ours):]:
                report.note("doubled", where, message.name)
        else:
            extra += theirs
    _note_unpaired(missing, extra, where, report)
    common = left.keys() & right.keys()
    order = lambda messages: [m.digest for m in messages if m.digest in common]
    if not report.counts["doubled"] and order(source) != order(target):
        report.note("order", where)


def _note_unpaired(missing, extra, where, report):
    """What has a partner by Message-ID arrived altered."""
    by_name = collections.defaultdict(list)
    for message in extra:
        by_name[message.name].append(message)
    for message in missing:
        if message.name.lower().startswith("message-id") and by_name[message.name]:
            other = by_name[message.name].pop()
            report.note("altered", where, f"{message.name}: {message.size} -> {other.size} bytes")
        else:
            report.note("missing", where, message.name)
    for messages in by_name.values():
        for message in messages:
            report.note("extra", where, message.name)


def verify(source, target, *, content_only=False, rename=lambda path: path, by_content=False, allow_parents=False,
           allow_empty=(), fold_nul=False, leave_out=lambda path, message: False, samples=3, subscriptions=True, roles=True):
    """Compares two Endpoints and returns a Report.

    content_only    a POP3 source: only the bytes of INBOX, each read as ending in CRLF
    rename          path at the source -> expected path at the target
    by_content      pair what is left by equal contents (names that the target cannot store); see Report.renamed
    allow_parents   empty target folders above a source folder are no extra ones (Cyrus makes them)
    allow_empty     paths of empty target folders that may exist without one at the source
    fold_nul        a NUL counts as 0x80, which is how Dovecot shows it
    leave_out       source messages that the target is known to refuse
    """
    report = Report(samples)
    one, two = (Account(end, content_only, fold_nul) for end in (source, target))
    try:
        there, here = dict(one.folders), dict(two.folders)
        if content_only:
            there, here = ({k: v for k, v in side.items() if k == ("INBOX",)} for side in (there, here))
        pairs = {path: rename(path) for path in there}
        contents = {}
        read = lambda account, path: contents.setdefault((account, path), account.messages(path))
        if by_content:
            _pair_by_content(one, two, there, here, pairs, read, leave_out)
        for path, wanted in sorted(pairs.items()):
            ours = [m for m in read(one, path) if not leave_out(path, m)]
            report.source_messages += len(ours)
            if wanted not in here:
                report.note("folders_missing", path)
                theirs = []
            else:
                theirs = read(two, wanted)
                if wanted != path:
                    report.renamed[path] = wanted
            report.target_messages += len(theirs)
            _compare_folder(ours, theirs, path, report, content_only)
            contents.pop((one, path), None)
            contents.pop((two, wanted), None)
        parents = {path[:n] for path in pairs.values() for n in range(1, len(path))}
        for path in sorted(set(here) - set(pairs.values())):
            messages = read(two, path)
            report.target_messages += len(messages)
            if not messages and (allow_parents and path in parents or path in allow_empty):
                continue
            report.note("folders_extra", path)
            for message in messages:
                report.note("extra", path, message.name)
        if not content_only:
            _compare_names(one, two, pairs, here, allow_empty, report, subscriptions, roles)
    finally:
        one.close()
        two.close()
    return report


def _pair_by_content(one, two, there, here, pairs, read, leave_out):
    free = [path for path in here if path not in pairs.values()]
    for path in sorted(there):
        if pairs[path] in here:
            continue
        wanted = collections.Counter(m.digest for m in read(one, path) if not leave_out(path, m))
        for other in free:
            if wanted and collections.Counter(m.digest for m in read(two, other)) == wanted:
                pairs[path] = other
                free.remove(other)
                break


def _compare_names(one, two, pairs, here, allow_empty, report, subscriptions, roles):
    if subscriptions:
        wanted = {pairs[path] for path in one.subscriptions if path in pairs}
        got = {path for path in two.subscriptions if path in here and path not in allow_empty}
        for path in sorted(wanted - got):
            report.note("subscriptions_missing", path)
        for path in sorted(got - wanted):
            report.note("subscriptions_extra", path)
    if roles:
        for role, path in sorted(one.roles.items()):
            if path in pairs and two.roles.get(role) != pairs[path]:
                report.note("roles", path, f"{role} -> {'/'.join(two.roles.get(role, ('nowhere',)))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source_port", type=int)
    parser.add_argument("source_user")
    parser.add_argument("target_port", type=int)
    parser.add_argument("target_user")
    parser.add_argument("--password", default="ferry-over")
    parser.add_argument("--content-only", action="store_true", help="a POP3 source: only INBOX, only bytes")
    parser.add_argument("--by-content", action="store_true", help="pair folders of other names by what is in them")
    parser.add_argument("--no-roles", action="store_true")
    parser.add_argument("--no-subscriptions", action="store_true")
    parser.add_argument("--samples", type=int, default=3)
    a = parser.parse_args()
    report = verify(Endpoint(a.source_port, a.source_user, a.password), Endpoint(a.target_port, a.target_user, a.password),
                    content_only=a.content_only, by_content=a.by_content, samples=a.samples, roles=not a.no_roles,
                    subscriptions=not a.no_subscriptions)
    print(json.dumps(report.as_json(), ensure_ascii=False, indent=1))
    sys.exit(0 if report.equal else 1)


if __name__ == "__main__":
    main()
