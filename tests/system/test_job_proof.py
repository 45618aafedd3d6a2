"""What is proved and taken back of many accounts: failed, retry and undo of a job."""
import email.policy
import pathlib
import re
import xml.etree.ElementTree

import mailbox as mailboxes
from harness import Endpoint, add, expect, expect_equal, fill, logged_in, test, url
from test_fleet import job, outcomes, run
from test_proof import findings, run as run_pair


def by_name(run):
    return {account["name"]: account for account in run.json["accounts"]}


REFUSED = b"Subject: broken\r\nthis is no header field\r\n\r\nhere\r\n"  # by Cyrus


@test("failed of a job lists, exports by account and accepts; retry takes only accounts that need it")
def failed_of_a_job(world):
    users, source, target, file, table = job(world, 3, messages=5, target=world.cyrus())
    ann, bob, cid = users
    for user in (ann, bob):  # what Cyrus refuses
        with logged_in(Endpoint.of(source, user)) as imap:
            imap.append("INBOX", REFUSED)
    run(world, file).expect_code(65).expect_balance()

    listed = run(world, file, command="failed").expect_code(65)
    expect({n: len(a["failed"]) for n, a in by_name(listed).items()} == {ann: 1, bob: 1, cid: 0}, listed.out[:600])
    expect(outcomes(listed) == {ann: "partial", bob: "partial", cid: "complete"}, outcomes(listed))

    folder = world.file("refused")
    exported = run(world, file, "--export", str(folder), command="failed").expect_code(65)
    places = sorted(folder.iterdir())
    expect(len(places) == 2 and all(p.stat().st_mode & 0o777 == 0o700 for p in places), "places:", places)
    files = [f for place in places for f in place.glob("*.eml")]
    expect([f.read_bytes() for f in files] == [REFUSED] * 2, "files:", files)
    told = [a["failed"][0]["exported_to"] for n, a in sorted(by_name(exported).items()) if a["failed"]]
    expect(sorted(told) == sorted(map(str, files)), told, files)

    retry = run(world, file, command="retry").expect_code(65).expect_balance()
    expect(sorted(outcomes(retry)) == sorted([ann, bob]), "retried:", outcomes(retry))
    # What cannot be written, for another message is there, is not accepted.
    for place in files:
        place.write_bytes(b"Subject: another\r\n\r\n")
    both = run(world, file, "--only", ann, "--export", str(folder), "--accept", command="failed").expect_code(65)
    expect("none of it is accepted" in both.err and "is there already" in both.out, both)
    run(world, file, "--only", ann, "--accept", command="failed").expect_code(0)
    rest = run(world, file, command="retry").expect_code(65)
    expect(list(outcomes(rest)) == [bob], outcomes(rest))
    run(world, file, "--accept", command="failed").expect_code(0)
    expect(run(world, file, command="retry").expect_code(0).json["accounts"] == [], "nothing is left to retry")
    run(world, file).expect_code(0).expect_balance()


@test("undo of a job takes back each account's last run, or one by its number, and asks or is told")
def undo_of_a_job(world):
    users, source, target, file, table = job(world, 3, messages=10)
    ann, bob, cid = users
    run(world, file).expect_code(0)
    for user in (ann, bob):
        add(Endpoint.of(source, user), mailboxes.small(4).folders[0].messages)
    run(world, file).expect_code(0)

    expect(run(world, file, command="undo").expect_code(64).out == "", "no run, and yet something is told")
    run(world, file, "last", command="undo").expect_code(64)
    run(world, file, "4711", "--yes", command="undo").expect_code(64)
    look = run(world, file, "last", "--dry-run", command="undo").expect_code(0)
    removed = {name: account["undo"]["removed"] for name, account in by_name(look).items()}
    expect(removed == {ann: 4, bob: 4, cid: 0}, "dry run:", removed)
    expect_equal(Endpoint.of(source, ann), Endpoint.of(target, ann))

    one = by_name(look)[ann]["undo"]["run"]
    by_number = run(world, file, str(one), "--yes", command="undo").expect_code(0)
    expect(list(by_name(by_number)) == [ann] and by_name(by_number)[ann]["undo"]["removed"] == 4, by_number.out[:600])
    only = run(world, file, "last", "--only", bob, "--yes", command="undo").expect_code(0)
    expect({n: a["undo"]["removed"] for n, a in by_name(only).items()} == {bob: 4}, only.out[:600])
    text = world.run([world.program, "undo", str(file), "last", "--dry-run"]).expect_code(0).out
    expect(f"== {cid}: complete" in text and "Nothing was removed." in text, text)

    again = run(world, file).expect_code(0).expect_balance()
    expect(again.json["totals"]["messages"]["copied"] == 8, again.json["totals"])
    for user in users:
        expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))


@test("undo of two accounts that were gathered into one folder, side by side, takes back just its own")
def gathered(world):
    users, source, target, file, table = job(world, 2, messages=0)
    for user in users:
        add(Endpoint.of(source, user), mailboxes.small(40, seed=user).folders[0].messages)
    shared = world.user(target)
    table.write_text("\n".join(",".join([*row.split(",")[:-1], shared]) if n else row
                               for n, row in enumerate(table.read_text().splitlines())) + "\n")
    run(world, file).expect_code(0)
    with logged_in(Endpoint.of(target, shared)) as imap:
        imap.append("INBOX", b"Subject: foreign\r\n\r\nforeign\r\n")
    undone = run(world, file, "last", "--yes", "--jobs", "2", command="undo").expect_code(0)
    expect([a["undo"]["removed"] for a in undone.json["accounts"]] == [40, 40], undone.out[:600])
    with logged_in(Endpoint.of(target, shared)) as imap:
        imap.command("SELECT INBOX")
        left = imap.command("UID SEARCH ALL").lines
    expect(any(b"* SEARCH 81" == line.strip() for line in left), "left:", left)
    again = run(world, file).expect_code(0).expect_balance()
    expect(again.json["totals"]["messages"]["copied"] == 80, again.json["totals"])


@test("in a job an account whose URL changed is refused by itself, and known again with --same-account")
def moved_in_a_job(world):
    users, source, target, file, table = job(world, 2, messages=5)
    run(world, file).expect_code(0)
    file.write_text(file.read_text().replace("127.0.0.1", "localhost"))
    refused = run(world, file).expect_code(64)
    expect(set(outcomes(refused).values()) == {"failed"} if refused.out else "--same-account" in refused.err, refused)
    run(world, file, "--same-account", "--jobs", "1").expect_code(0).expect_balance()
    again = run(world, file).expect_code(0).expect_balance()
    expect(again.json["totals"]["messages"]["present"] >= 10, again.json["totals"])


@test("report of a job is a page with the rates of it all and of each account")
def page(world):
    users, source, target, file, table = job(world, 2, messages=120, limit_messages=20)
    run(world, file).expect_code(0)
    html = world.run([world.program, "report", str(file), "--format", "html"]).expect_code(0).out
    body = html[html.index("<body>"):html.index("</html>")]
    root = xml.etree.ElementTree.fromstring(body.replace("&rarr;", "&#8594;").replace("<br>", "<br/>"))
    charts = [svg for svg in root.iter("svg") if svg.get("class") == "chart"]
    expect(len(charts) == 3, len(charts), "charts")
    texts = [text.text for text in charts[0].iter("text")]
    expect(any(re.fullmatch(r"average \d+(\.\d)?, peak \d+(\.\d)?", t) for t in texts), texts)
    for heavy in ("<script", "http:", "https:", "url(", "src=", "@import"):
        expect(heavy not in html, heavy, "is in the page")
    return f"{len(html)} bytes"


SOUND = b"Subject: sound\r\nMessage-ID: <sound@sea.example>\r\n\r\nhere\r\n"
NULS = b"Subject: NULs\r\nMessage-ID: <nuls@sea.example>\r\nDate: Mon, 7 Nov 2016 10:00:00 +0100\r\n\r\nbe\0fore\r\n"
HEADER = b"From ann@sea.example Mon Jan  1 00:00:00 2001\r\nSubject: header\r\nno header field\r\n\r\nhere\r\n"


def bodies(endpoint, folder="INBOX"):
    with logged_in(endpoint) as imap:
        imap.command(f"SELECT {folder}")
        return [body for (body,) in imap.command("UID FETCH 1:* (BODY.PEEK[])").literals if body]


@test("retry --repair changes in a refused message only what Cyrus does not take, and keeps the original")
def repair(world):
    target = world.cyrus(suppress=("BINARY",))
    user, folder = world.user(target), world.file("eml")
    folder.mkdir()
    for name, data in (("1", SOUND), ("2", NULS), ("3", HEADER)):
        (folder / f"{name}.eml").write_bytes(data)
    ends, journal = (f"eml:{folder}", url(target, user)), world.journal()
    no_password = dict(journal=journal, passwords=(False, None))
    world.copy(*ends, **no_password).expect_code(65).expect_balance().expect_counts(copied=1, rejected=2)
    run_pair(world, "retry", ends, **no_password).expect_code(65).expect_counts(rejected=2)
    originals = journal.with_name(journal.name + ".originals")
    expect(not originals.exists(), "something was kept without being asked")

    done = run_pair(world, "retry", ends, "--repair", **no_password).expect_code(0).expect_balance()
    done.expect_counts(copied=2, rejected=0)
    told = sorted((r["steps"], r["original"]) for r in done.account["repaired"])
    expect([steps for steps, _ in told] == [["from_lines", "header_end"], ["nuls"]], "told:", told)
    expect("NULs were left out" in done.err and "sent again, repaired" in done.err, "not told:", done.err)
    kept = {path: path.read_bytes() for path in originals.iterdir()}
    expect(sorted(kept.values()) == sorted([NULS, HEADER]) and {str(p) for p in kept} == {o for _, o in told}, kept, told)
    for form in ("text", "json"):
        words = run_pair(world, "report", ends, "--format", form, as_json=False, journal=journal, passwords=(False, False)).out
        expect("NULs were left out" in words or '"nuls"' in words, "the report tells no repair:", words)
    modes = [p.stat().st_mode & 0o777 for p in (originals, *kept)]
    expect(modes == [0o700, 0o600, 0o600], "modes:", modes)
    there = sorted(bodies(Endpoint.of(target, user)))
    mended = HEADER.split(b"\r\n", 1)[1].replace(b"no header field", b"\r\nno header field")
    expect(there == sorted([SOUND, NULS.replace(b"\0", b""), mended]), "there:", there)

    world.copy(*ends, **no_password).expect_code(0).expect_counts(copied=0, present=3)
    for level in ("count", "header", "bytes"):
        proof = run_pair(world, "verify", ends, "--level", level, **no_password).expect_code(0)
        counts = proof.account["verify"]["messages"]
        expect(counts["match"] == 3 and counts["repaired"] == 2, level, counts)
    expect(len(findings(proof, "repaired")) == 2, proof.out)
    text = run_pair(world, "verify", ends, "--level", "bytes", as_json=False, **no_password).out
    expect("repaired before they were sent" in text, text)


@test("retry --repair encodes a header's 8-bit words for a Cyrus that refuses them, and readers see what they were")
def repair_8bit(world):
    target = world.cyrus(extra="reject8bit: yes\n")
    user, folder = world.user(target), world.file("eml")
    folder.mkdir()
    name, subject = "Jörg Müller", "Grüße aus Köln, wo der Rhein so schön ist: 漢字 und mehr davon"
    data = (f'From: "{name}" <joerg@sea.example>\r\nSubject: {subject}\r\nDate: Mon, 7 Nov 2016 10:00:00 +0100\r\n'
            "Message-ID: <gruss@sea.example>\r\nContent-Type: text/plain; charset=utf-8; name=\"Grüße.txt\"\r\n"
            "\r\nGrüße\r\n").encode()
    (folder / "1.eml").write_bytes(data)
    ends, options = (f"eml:{folder}", url(target, user)), dict(journal=world.journal(), passwords=(False, None))
    refused = world.copy(*ends, **options).expect_code(65).expect_counts(copied=0, rejected=1)
    done = run_pair(world, "retry", ends, "--repair", **options).expect_code(0).expect_counts(copied=1, rejected=0)
    expect([r["steps"] for r in done.account["repaired"]] == [["header_words"]], "told:", done.account["repaired"])
    stored, = bodies(Endpoint.of(target, user))
    header, body = stored.split(b"\r\n\r\n", 1)
    expect(header.isascii() and body == data.split(b"\r\n\r\n", 1)[1], "stored:", stored)
    seen = email.message_from_bytes(stored, policy=email.policy.default)
    told = (seen["Subject"], seen["From"].addresses[0].display_name, seen.get_filename())
    expect(told == (subject, name, "Grüße.txt"), "readers see", told)
    for level in ("count", "header", "bytes"):
        run_pair(world, "verify", ends, "--level", level, **options).expect_code(0)
    world.copy(*ends, **options).expect_code(0).expect_counts(copied=0, present=1)
    return refused.err.strip()[-120:]


@test("retry --repair of a job keeps the originals of each account apart; what Dovecot makes of a NUL is no repair of ours")
def repair_in_a_job(world):
    users, source, target, file, table = job(world, 2, messages=3, target=world.cyrus())
    for user in users:
        with logged_in(Endpoint.of(source, user)) as imap:
            imap.append("INBOX", REFUSED)
    run(world, file).expect_code(65)
    done = run(world, file, "--repair", command="retry").expect_code(0).expect_balance()
    expect(all(a["messages"]["copied"] == 1 and len(a["repaired"]) == 1 for a in done.json["accounts"]), done.out[:900])
    places = {pathlib.Path(a["repaired"][0]["original"]) for a in done.json["accounts"]}
    expect(len({p.parent for p in places}) == 2 and {p.read_bytes() for p in places} == {REFUSED}, places)
    expect(outcomes(run(world, file, command="verify").expect_code(0)) == {u: "complete" for u in users}, "verify")
    for command in ("verify", "status", "failed", "run"):  # nothing looked at is nothing proved
        said = run(world, file, "--only", "nobody", command=command).expect_code(64)
        expect("no account matches --only" in said.err, command, said)

    dovecot = world.target()
    user, folder = world.user(dovecot), world.file("eml")
    folder.mkdir()
    (folder / "1.eml").write_bytes(NULS)
    (folder / "2.eml").write_bytes(HEADER)
    ends, more = (f"eml:{folder}", url(dovecot, user)), dict(journal=world.journal(), passwords=(False, None))
    world.copy(*ends, **more).expect_code(0).expect_counts(copied=2)
    again = run_pair(world, "retry", ends, "--repair", **more).expect_code(0)
    expect("repaired" not in again.account, "what had crossed was repaired:", again.out)
    # It takes a NUL and gives 0x80 for it, which is no difference.
    proof = run_pair(world, "verify", ends, "--level", "bytes", **more).expect_code(0)
    expect(not findings(proof, "differ"), proof.out[:900])
