"""Many accounts at a time: `postferry run JOB.toml`."""
import contextlib
import pathlib
import shutil
import signal
import sqlite3
import subprocess

import mailbox as mailboxes
from harness import Endpoint, Skipped, expect, expect_appended_once, expect_equal, fill, logged_in, status, test, url
from postfix import DOMAIN
from test_relay import letters, postfix, subjects


def job(world, count, messages=20, target=None, **more):
    """Accounts on one source and one target, and a job file for them; returns (users, source, target, file, table)."""
    source, target = world.dovecot(), target or world.target()
    users = [world.user(source, target, stem="crew") for _ in range(count)]
    for number, user in enumerate(users):
        fill(source, user, mailboxes.mixed(messages, 100 + number, largest=8_000))
    password = world.file("password", source.password + "\n")
    table = world.file("people", "source_user,source_password_file,target_password_file,target_user\n"
                       + "".join(f"{user},{password},{password},{user}\n" for user in users))
    text = "".join(f"{key} = {value}\n" for key, value in more.items()) + f'accounts = "{table.name}"\n'
    for name, server in (("source", source), ("target", target)):
        text += f'[{name}]\nurl = "imap://127.0.0.1:{server.imap}"\ntls = "none"\n'
    file = world.file("job").with_suffix(".toml")
    file.write_text(text)
    return users, source, target, file, table


def run(world, file, *options, command="run", timeout=120):
    return world.run([world.program, command, str(file), "--json", "--no-progress", *options], timeout)


def outcomes(run):
    return {account["name"]: account["outcome"] for account in run.json["accounts"]}


@test("twenty accounts cross side by side, and one with a wrong password stops no other")
def twenty(world):
    users, source, target, file, table = job(world, 20, messages=8)
    bad = users[7]
    good, wrong = table.read_text(), world.file("password", "not this one\n")
    row = next(row for row in good.splitlines() if row.startswith(bad + ","))
    table.write_text(good.replace(row, f"{bad},{wrong},{row.split(',', 2)[2]}"))
    first = run(world, file).expect_code(65).expect_balance()
    expect(outcomes(first) == {u: "failed" if u == bad else "complete" for u in users}, outcomes(first))
    refused = next(a for a in first.json["accounts"] if a["name"] == bad)
    expect(refused["error"]["kind"] == "auth", refused)
    for user in (users[0], users[8], users[19]):
        expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    # Its password mended, only that one is left to do.
    table.write_text(good)
    rest = run(world, file, "--failed").expect_code(0).expect_balance()
    expect(outcomes(rest) == {bad: "complete"}, outcomes(rest))
    expect_equal(Endpoint.of(source, bad), Endpoint.of(target, bad))
    none = run(world, file, "--skip-complete").expect_code(0)
    expect(none.json["accounts"] == [], none.out[:300])
    one = run(world, file, "--only", users[3]).expect_code(0)
    expect(outcomes(one) == {users[3]: "complete"}, outcomes(one))
    expect(one.json["totals"]["messages"]["copied"] == 0, one.json["totals"])


@test("a job killed in the middle goes on where it was, and copies nothing twice")
def killed(world):
    users, source, target, file, _ = job(world, 4, messages=100, jobs=2)
    journal = file.with_suffix(".db")
    process = world.start([world.program, "run", str(file), "--no-progress"])
    while world.alive(process):
        try:
            with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as there:
                if there.execute("SELECT count(*) FROM message").fetchone()[0] >= 100:
                    break
        except sqlite3.Error:
            pass  # not made yet
    killed_early = world.alive(process)
    if killed_early:
        world.signal(process, signal.SIGKILL)
    world.finish(process)
    again = run(world, file).expect_code(0).expect_balance()
    for user in users:
        expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
        expect_appended_once(Endpoint.of(target, user))
    present = again.json["totals"]["messages"]["present"]
    expect(present > 0, "nothing was there from before:", again.json["totals"])
    return "killed in the middle" if killed_early else "done before it could be killed"


@test("a job file that is wrong is told with every fault and its line, and begins nothing")
def wrong_file(world):
    _, _, _, file, _ = job(world, 2, colour='"blue"', max_size='"much"')
    refused = run(world, file).expect_code(78)
    faults = [(fault["line"], fault["text"]) for fault in refused.json["faults"]]
    expect([line for line, _ in faults] == [1, 2], faults)
    expect(f"{file}:1: " in refused.err and f"{file}:2: " in refused.err, refused)
    expect(not file.with_suffix(".db").exists(), "a journal was made")


@test("check, verify, status, failed and report take a whole job")
def all_of_it(world):
    users, source, target, file, table = job(world, 3)
    checked = run(world, file, command="check").expect_code(0)
    expect([a["name"] for a in checked.json["accounts"]] == users, checked.out[:400])
    expect(all("check" in a for a in checked.json["accounts"]), checked.out[:400])
    expect(not file.with_suffix(".db").exists(), "check made a journal")
    run(world, file, "--only", users[0]).expect_code(0)
    state = run(world, file, command="status").expect_code(0).json["accounts"]
    expect(["last_run" in a for a in state] == [True, False, False], state)
    expect(run(world, file, command="verify").expect_code(65).json["outcome"] == "partial", "verify is content")
    run(world, file).expect_code(0)
    expect(outcomes(run(world, file, command="verify").expect_code(0)) == {u: "complete" for u in users}, "verify")
    expect(run(world, file, command="failed").expect_code(0).json["totals"]["messages"]["rejected"] == 0, "failed")
    page = world.run([world.program, "report", str(file), "--format", "html"]).expect_code(0).out
    expect(all(f">{u}</a>" in page for u in users) and "<script" not in page, page[:300])
    rows = world.run([world.program, "report", str(file), "--format", "csv"]).expect_code(0).out.splitlines()
    expect(sum(row.startswith("folder,") for row in rows) >= 3, rows[:4])


@test("status tells from another process how far a job is while it runs")
def under_way(world):
    users, source, target, file, _ = job(world, 2, messages=300, limit_rate='"40K"')
    process = world.start([world.program, "run", str(file), "--no-progress"])
    try:
        seen = None
        while world.alive(process):
            look = world.run([world.program, "status", str(file), "--json"])
            # Before the journal is made there is nothing to tell.
            accounts = look.json["accounts"] if look.code == 0 else []
            running = [a for a in accounts if a.get("last_run", {}).get("ended_at", 0) is None]
            if any(a["last_run"]["copied_so_far"] > 0 for a in running):
                seen = look.json
                break
        expect(seen is not None, "the job ended before it was seen")
        expect(seen["holder"] == str(process.pid), seen)
    finally:
        if world.alive(process):
            world.signal(process, signal.SIGTERM)
        world.finish(process)


@test("a day's bytes end a run in good order, are counted across runs, and the copy goes on a day later")
def daily(world):
    source, target = world.dovecot(), world.target()
    user = world.user(source, target)
    fill(source, user, mailboxes.mixed(60, 9, largest=20_000))
    journal = world.journal()
    ends = url(source, user), url(target, user)
    first = world.copy(*ends, "--source-daily", "100K", "--no-wait", journal=journal).expect_code(75).expect_balance()
    expect(first.account["error"]["kind"] == "throttled" and "100 kB" in first.account["error"]["message"], first.account)
    copied, pending = first.messages["copied"], first.messages["pending"]
    expect(copied > 0 and pending > 0, first.messages)
    # What the first run carried is remembered: nothing is begun on the same day.
    again = world.copy(*ends, "--source-daily", "100K", "--no-wait", journal=journal).expect_code(75)
    expect(again.account["folders"] == 0 and again.messages["seen"] == 0, again.out[:400])
    with sqlite3.connect(journal) as there:
        carried = there.execute("SELECT direction, sum(bytes) FROM traffic GROUP BY 1").fetchall()
        expect(len(carried) == 1 and carried[0][0] == "down" and carried[0][1] >= 100_000, carried)
        there.execute("UPDATE traffic SET hour = hour - 30")  # a day passes
    world.copy(*ends, "--source-daily", "10M", journal=journal).expect_code(0).expect_balance()
    expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))
    expect_appended_once(Endpoint.of(target, user))


@test("a job says when an account whose day is used up goes on, while the others do, and waits for it")
def daily_job(world):
    users, source, target, file, table = job(world, 3, messages=30)
    rows = table.read_text().splitlines()
    limits = ["target_daily", "20K", "none", "none"]
    table.write_text("".join(f"{row},{limit}\n" for row, limit in zip(rows, limits)))
    process = world.start([world.program, "run", str(file), "--no-progress", "--json"])
    out, err = process.files
    try:
        while world.alive(process) and "goes on at" not in err.read_text():
            pass
        expect(world.alive(process), "it did not wait:", err.read_text())
        while world.alive(process) and any(not has_ended(file, user) for user in users[1:]):
            pass
    finally:
        if world.alive(process):
            world.signal(process, signal.SIGTERM)
        ended = world.finish(process)
    expect(ended.code == 75, ended)
    expect(outcomes(ended) == {users[0]: "interrupted", users[1]: "complete", users[2]: "complete"}, ended.out[:400])
    expect(f"{users[0]}: target imap://{users[0]}@" in ended.err and " UTC" in ended.err, ended)


def has_ended(file, account):
    """Whether the account's last run has ended, by the job's journal."""
    with contextlib.closing(sqlite3.connect(f"file:{file.with_suffix('.db')}?mode=ro", uri=True)) as there:
        return there.execute("SELECT 1 FROM run JOIN account ON account.id = run.account WHERE name = ? AND ended_at IS NOT NULL",
                             (account,)).fetchone() is not None


@test("accounts of a job never have more sessions with a host than its limit, and all cross")
def sessions(world):
    users, source, target, file, table = job(world, 8, messages=12, limit_sessions=3, jobs=8)
    with world.proxy(source.imap) as before, world.proxy(target.imap) as behind:
        text = file.read_text().replace(f"127.0.0.1:{source.imap}", f"localhost:{before[source.imap]}")  # two hosts
        file.write_text(text.replace(f":{target.imap}", f":{behind[target.imap]}"))
        run(world, file).expect_code(0).expect_balance()
        most = [proxy.counters()["most_at_once"] for proxy in (before, behind)]
    expect(max(most) == 3, "sessions at once:", most)
    for user in users:
        expect_equal(Endpoint.of(source, user), Endpoint.of(target, user))


def relay_job(world, source, users, target, domain, **options):
    """A job that hands each user's mail to the target's server, for USER@domain."""
    password = world.file("password", source.password + "\n")
    file = world.file("job").with_suffix(".toml")
    lines = [f'[source]\nurl = "{local(source)}"\npassword_file = "{password}"\n[target]\nurl = "{target}"\n']
    lines += [f'[[account]]\nsource_user = "{user}"\nrecipient = "{name}@{domain}"\n' for user, name in users.items()]
    file.write_text("".join(f"{key} = {value}\n" for key, value in options.items()) + "".join(lines))
    return file


@test("a job hands each account's mail to its recipient by SMTP; a recipient who is refused stops no other")
def by_smtp(world):
    source = world.dovecot()
    with postfix(world) as target:
        users = [letters(world, source, 5)[0] for _ in range(4)]
        names = {user: "nobody" if user == users[2] else user for user in users}
        there = f"smtp://127.0.0.1:{target.smtp}?ca={world.authority.file}"
        file = relay_job(world, source, names, there, DOMAIN, envelope_sender='"mover@test.example"')
        first = run(world, file).expect_code(65).expect_balance()
        kinds = {name: "complete" for name in users} | {users[2]: "partial"}
        expect(outcomes(first) == kinds, outcomes(first))
        again = run(world, file).expect_code(65).expect_balance()
        expect(again.json["totals"]["messages"]["copied"] == 0, again.json["totals"])
        for user in users:
            want = [] if user == users[2] else sorted(f"letter-{user}-{number}" for number in range(5))
            expect(subjects(target.mail(user, len(want))) == want, user)
        checked = run(world, file, command="check")
        expect(len(checked.json["accounts"]) == 4, checked.out[:300])
        run(world, file, command="verify").expect_code(78)


@test("a job hands accounts over by LMTP side by side, one gathered from two")
def by_lmtp(world):
    source, target = world.dovecot(), world.target()
    users = [letters(world, source, 5)[0] for _ in range(3)]
    one, other = world.user(target), world.user(target)
    names = {users[0]: one, users[1]: one, users[2]: other}
    file = relay_job(world, source, names, f"lmtp://127.0.0.1:{target.lmtp}", "test.example", envelope_sender='"<>"', jobs=3)
    text = file.read_text()
    for name in (one, other):
        text = text.replace(f'"{name}@test.example"', f'"{name}"')
    file.write_text(text)
    run(world, file).expect_code(0).expect_balance()
    for name, count in ((one, 10), (other, 5)):
        with logged_in(Endpoint.of(target, name)) as imap:
            expect(status(imap, "INBOX")["MESSAGES"] == count, name)
    expect(run(world, file).expect_code(0).json["totals"]["messages"]["copied"] == 0, "a second run sends")


EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def example(world, name, **changes):
    """A copy of an example, in a folder of its own, with other servers and users; each must be in it."""
    folder = world.file("example")
    folder.mkdir()
    text = (EXAMPLES / name).read_text()
    for old, new in changes.items():
        expect(old in text, old, "is not in", name)
        text = text.replace(old, new)
    (folder / name).write_text(text)
    (folder / "passwords").mkdir()
    return folder, folder / name


def local(server, user=""):
    return f"imap://{user + '@' if user else ''}127.0.0.1:{server.imap}?tls=none"


def secret(path, server):
    path.write_text(server.password + "\n")
    path.chmod(0o600)


@test("the example of a company's move moves it")
def company_move(world):
    source, target = world.dovecot(), world.target()
    folder, file = example(world, "company-move.toml", **{"imaps://imap.old.example": local(source),
                                                          "imaps://imap.new.example": local(target)})
    users = [world.user(source, target) for _ in range(2)]
    people = (EXAMPLES / "people.csv").read_text()
    for name, user in zip(("ann", "bob"), users):
        fill(source, user, mailboxes.mixed(10, 5, largest=5_000))
        people = people.replace(f"{name}@new.example", user).replace(f"{name},", f"{user},")
        for side in ("old", "new"):
            secret(folder / "passwords" / f"{name}.{side}", source)
    (folder / "people.csv").write_text(people)
    expect(outcomes(run(world, file).expect_code(0).expect_balance()) == {u: "complete" for u in users}, people)


@test("the example of gathered accounts puts IMAP and POP3 below folders of their own")
def gather(world):
    source, target = world.dovecot(), world.target()
    work, school, ann = world.user(source), world.user(source), world.user(target)
    for user in (work, school):
        fill(source, user, mailboxes.mixed(10, 5, largest=5_000))
    folder, file = example(world, "gather-accounts.toml", **{
        "imaps://ann@new.example": local(target, ann), "imaps://ann@work.example": local(source, work),
        "pop3s://ann@school.example": f"pop3://{school}@127.0.0.1:{source.pop3}?tls=none"})
    for name in ("new", "work", "school"):
        secret(folder / "passwords" / name, source)
    first = run(world, file).expect_code(0).expect_balance()
    expect(outcomes(first) == {"work": "complete", "school": "complete"}, first.out[:400])
    with logged_in(Endpoint.of(target, ann)) as imap:
        lines = b" ".join(line for line in imap.command('LIST "" "*"').lines)
    expect(b"Work" in lines and b"School" in lines, lines)
    expect(run(world, file).expect_code(0).json["totals"]["messages"]["copied"] == 0, "a second run copies")


@test("the example of a nightly backup takes systemd's credentials, and its units are well-formed")
def nightly(world):
    source = world.dovecot()
    users = [world.user(source) for _ in range(2)]
    place = world.file("backup")
    folder, file = example(world, "nightly-backup.toml", **{
        "imaps://mail.example": local(source), "/var/lib/postferry": str(place),
        '"ann"': f'"{users[0]}"', '"bob"': f'"{users[1]}"'})
    for user in users:
        fill(source, user, mailboxes.mixed(10, 5, largest=5_000))
        secret(folder / "passwords" / user, source)
    argv = [world.program, "run", str(file), "--json"]
    world.run(argv, CREDENTIALS_DIRECTORY=str(folder / "passwords")).expect_code(0).expect_balance()
    expect(all((place / "backup" / user / "cur").is_dir() for user in users), "no Maildirs")
    if not shutil.which("systemd-analyze"):
        raise Skipped("systemd-analyze is missing: the units were not looked at")
    units = []
    for name in ("nightly-backup.service", "nightly-backup.timer"):
        units.append(folder / name)
        units[-1].write_text((EXAMPLES / name).read_text().replace("/usr/bin/postferry", str(world.program)))
    told = subprocess.run(["systemd-analyze", "--man=no", "verify", *map(str, units)], capture_output=True, text=True, timeout=60)
    expect(told.returncode == 0, told.stderr)
