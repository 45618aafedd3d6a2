#!/usr/bin/env python3
"""Who may know whom: every include of the house against the arrows of its design.

engine/async  <-  engine  <-  { connectors, state }  <-  cli. No way back, and each library behind one door.
Connectors and state know the engine's model and ports, and none of its rooms:
engine  <-  settle  <-  removal  <-  crossing  <-  { relay, proof }.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BOXES = ["engine/async", "engine", "engine/settle", "engine/removal", "engine/crossing", "engine/relay", "engine/proof", "connectors/net", "connectors/mail", "connectors/imap/codec", "connectors/imap",
         "connectors/pop3/codec", "connectors/pop3", "connectors/smtp/codec", "connectors/smtp", "connectors/files", "connectors/maildir", "connectors/mbox/codec", "connectors/mbox", "connectors/eml", "connectors/memory", "connectors", "state", "cli"]

# What each box may include of the house, besides itself.
MAY = {
    "engine/async": [],
    "engine": ["engine/async"],
    "engine/settle": ["engine", "engine/async"],
    "engine/removal": ["engine/settle", "engine", "engine/async"],
    "engine/crossing": ["engine/removal", "engine/settle", "engine", "engine/async"],
    "engine/relay": ["engine/crossing", "engine/settle", "engine", "engine/async"],
    "engine/proof": ["engine/crossing", "engine/settle", "engine", "engine/async"],
    "connectors/net": ["engine", "engine/async"],
    "connectors/mail": [],
    "connectors/imap/codec": [],
    "connectors/pop3/codec": [],
    "connectors/smtp/codec": [],
    "connectors/imap": ["connectors/imap/codec", "connectors/mail", "connectors/net", "connectors", "engine", "engine/async"],
    "connectors/pop3": ["connectors/pop3/codec", "connectors/mail", "connectors/net", "connectors", "engine", "engine/async"],
    "connectors/smtp": ["connectors/smtp/codec", "connectors/net", "connectors", "engine", "engine/async"],
    "connectors/mbox/codec": ["connectors/mail", "engine"],
    "connectors/mbox": ["connectors/mbox/codec", "connectors/files", "connectors/mail", "connectors", "engine", "engine/async"],
    "connectors/eml": ["connectors/files", "connectors/mail", "connectors", "engine", "engine/async"],
    "connectors/files": ["connectors/mail", "connectors", "engine", "engine/async"],
    "connectors/maildir": ["connectors/files", "connectors/mail", "connectors", "engine", "engine/async"],
    "connectors/memory": ["engine", "engine/async"],
    "connectors": ["connectors/net", "connectors/mail", "connectors/imap", "connectors/pop3", "connectors/maildir", "connectors/mbox", "connectors/eml", "connectors/smtp", "engine", "engine/async"],
    "state": ["engine", "engine/async"],
    "cli": ["connectors", "connectors/net", "connectors/imap", "connectors/pop3", "state", "engine/proof", "engine/relay", "engine/crossing", "engine/removal", "engine/settle", "engine", "engine/async"],
}

# Only the registry knows the rooms of the connectors.
REGISTRY = {"connectors/imap", "connectors/pop3", "connectors/maildir", "connectors/mbox", "connectors/eml", "connectors/smtp"}

# Each foreign library, and the only boxes (or files) that may open it.
DOORS = [
    (r"uv\.h|openssl/(ssl|bio|x509.*|err)\.h", ["connectors/net"]),
    (r"openssl/evp\.h", ["connectors/net", "engine/digest.cc"]),
    (r"openssl/.*", ["connectors/net"]),
    (r"ares.*\.h", ["connectors/net"]),
    (r"zlib\.h", ["connectors/net", "connectors/mbox/zip.cc"]),
    (r"sqlite3\.h", ["state"]),
    (r"gsasl\.h", ["connectors/sasl.cc"]),
    (r"minizip/.*|zconf\.h", ["connectors/mbox/zip.cc"]),
    (r"CLI/.*|spdlog/.*|toml.*", ["cli"]),
]

SANS_IO = {"connectors/imap/codec", "connectors/pop3/codec", "connectors/smtp/codec", "connectors/mbox/codec", "connectors/mail"}
SYSTEM = re.compile(r"(sys|arpa|netinet)/.*|unistd\.h|fcntl\.h|poll\.h|netdb\.h|thread|mutex|fstream|iostream|random")


def box_of(path):
    return next((b for b in sorted(BOXES, key=len, reverse=True) if path == b or path.startswith(b + "/")), None)


def faults_of(path, text):
    box = box_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        if box in SANS_IO and "_clock" in line:
            yield f"{path}:{number}: a codec has no clock"
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not found:
            continue
        kind, name = found.groups()
        where = f"{path}:{number}: "
        if kind == '"':
            other = box_of(name)
            if other is None:
                yield where + f'"{name}" is not in the house'
            elif other != box and other not in MAY[box]:
                yield where + f"{box} must not know {other}"
            elif box == "connectors" and other in REGISTRY and path != "connectors/registry.cc":
                yield where + "only the registry knows every connector"
        else:
            for pattern, allowed in DOORS:
                if re.fullmatch(pattern, name):
                    if box not in allowed and path not in allowed:
                        yield where + f"<{name}> belongs to {', '.join(allowed)}"
                    break
            if box in SANS_IO and SYSTEM.fullmatch(name):
                yield where + f"<{name}> in a codec: bytes in and values out, nothing else"


def check(root):
    files = [p for top in ("engine", "connectors", "state", "cli") for p in sorted((root / top).rglob("*")) if p.suffix in (".h", ".cc")]
    if not files:
        sys.exit("no sources found below " + str(root))
    return len(files), [f for p in files for f in faults_of(str(p.relative_to(root)), p.read_text())]


def self_test():
    """The check itself can fail: one planted fault of each kind."""
    planted = [("engine/plan.cc", '#include "connectors/endpoint.h"'), ("engine/plan.cc", "#include <uv.h>"),
               ("connectors/imap/session.cc", '#include "state/sqlite.h"'), ("connectors/imap/codec/lexer.cc", "#include <unistd.h>"),
               ("state/sqlite.cc", '#include "connectors/endpoint.h"'), ("connectors/mail/date.cc", "system_clock::now()"), ("connectors/imap/x.cc", "#include <sqlite3.h>"),
               ("engine/async/task.h", '#include "engine/error.h"'), ("engine/model.cc", '#include "engine/settle/match.h"'),
               ("state/sqlite.cc", '#include "engine/crossing/crossing.h"'), ("connectors/sasl.cc", '#include "connectors/imap/session.h"')]
    for path, line in planted:
        if not list(faults_of(path, line)):
            sys.exit(f"the check is blind: {line} in {path} passes")
    head = "# Rules\n\nof this\nhouse\n\n"
    for wrong in ("Water is wet.\n", "Water is wet.\n- no such test\n", "- a test\n", "One.\n\nTwo.\n- a test\n"):
        if not list(faults_of_rules(head + wrong, {"a test"})):
            sys.exit(f"the check is blind: {wrong!r} passes")


def names_of_tests(root):
    """Every test's name as it stands in the code: Catch2's, the conformance suites' and the system tests'."""
    names = set()
    for path in sorted((root / "tests").rglob("*")):
        if path.suffix in (".cc", ".h"):
            for found in re.findall(r'(?m)^\s*TEST_CASE(?:_METHOD)?\(\s*(?:\w+,\s*)?((?:"(?:[^"\\]|\\.)*"\s*)+)', path.read_text()):
                names.add("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', found)))
        elif path.suffix == ".py":
            names.update(re.findall(r'@test\(f?"([^"]*)"', path.read_text()))
    return names


def faults_of_rules(text, names):
    """Rules without a test, and tests that are not there."""
    rule, tested = None, True
    for number, line in enumerate(text.splitlines(), 1):
        where = f"tests/rules.md:{number}: "
        if line.startswith("- "):
            tested = True
            if rule is None:
                yield where + "a test without a rule"
            if line[2:] not in names:
                yield where + f"there is no test called {line[2:]}"
        elif line and not line.startswith("#") and number > 5:
            if not tested:
                yield where + "the rule before has no test"
            rule, tested = line, False
    if not tested:
        yield "tests/rules.md: the last rule has no test"


if __name__ == "__main__":
    self_test()
    count, faults = check(ROOT)
    rules = (ROOT / "tests" / "rules.md").read_text()
    faults += faults_of_rules(rules, names_of_tests(ROOT))
    print("\n".join(faults) if faults else f"{count} files, every arrow points the right way")
    sys.exit(bool(faults))
