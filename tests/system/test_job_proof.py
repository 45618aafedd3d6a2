"""What is proved and taken back of many accounts: failed, retry and undo of a job."""
import mailbox as mailboxes
from harness import Endpoint, add, expect, expect_equal, fill, logged_in, test
from test_fleet import job, outcomes, run


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
    files = [f for place in places for f in place.iterdir()]
    expect([f.read_bytes() for f in files] == [REFUSED] * 2, "files:", files)
    told = [a["failed"][0]["exported_to"] for n, a in sorted(by_name(exported).items()) if a["failed"]]
    expect(sorted(told) == sorted(map(str, files)), told, files)

    retry = run(world, file, command="retry").expect_code(65).expect_balance()
    expect(sorted(outcomes(retry)) == sorted([ann, bob]), "retried:", outcomes(retry))
    # There is a second message there that cannot be written: nothing is accepted.
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
