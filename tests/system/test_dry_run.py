"""A dry run tells what a run would do: deletions, removals, flags, and what was lost with a target folder."""
from harness import change, expect, expect_equal, logged_in, replace_folder, test
from test_follow import box, gone, names, settled_pair, some, stored


def dry(world, ends, journal, *options, code=0):
    """The account of a dry run, which changes neither end nor the journal's files."""
    def files():
        return {p.name: p.read_bytes() for p in journal.parent.iterdir() if p.name == journal.name}
    before = files()
    run = world.copy(*ends, "--dry-run", *options, journal=journal).expect_code(code).expect_balance()
    expect(run.json["dry_run"] is True and files() == before, "a dry run wrote to its journal")
    return run


@test("a dry run tells what would be deleted on the target, and when that needs --force-deletions")
def deletions(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(60), Other=some(40, "o")))
    mirror = ("--deletions", "mirror")
    gone(here, "1:3")
    change(here, "STORE 5:6 +FLAGS (\\Flagged)")
    told = dry(world, ends, journal, *mirror)
    expect(told.account["deleted"] == 3 and told.account["flags_updated"] == 2, "told:", told)
    text = world.run(world.argv(*ends, "--dry-run", *mirror, journal=journal, as_json=False)).expect_code(0).out
    expect("3 messages would be deleted on the target" in text and "flags would be updated on 2" in text, "text:", text)
    expect(len(stored(there)) == 60, "a dry run deleted mail")
    run = world.copy(*ends, *mirror, journal=journal).expect_code(0)
    expect(run.account["deleted"] == 3 and run.account["flags_updated"] == 2, "done:", run)
    gone(here, "1:30", "Other")
    told = dry(world, ends, journal, *mirror, code=65)
    words = told.account["failed_folders"][0]["error"]["message"]
    expect(told.account["deleted"] == 0 and "30 of 40" in words and "--force-deletions" in words, "told:", told)
    expect(dry(world, ends, journal, *mirror, "--force-deletions").account["deleted"] == 30, "forced")


@test("a dry run tells what --after-copy would remove from the source")
def removals(world):
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(12), Other=some(3, "o")))
    told = dry(world, ends, journal, "--after-copy", "delete")
    expect(told.account["removed_from_source"] == 15 and len(stored(here)) == 12, "told:", told)
    expect(dry(world, ends, journal, "--after-copy", "delete-after=1").account["removed_from_source"] == 0, "too early")
    run = world.copy(*ends, "--after-copy", "delete", journal=journal).expect_code(0)
    expect(run.account["removed_from_source"] == 15, "done:", run)


@test("a dry run tells what would be copied to a target folder that was lost or made anew")
def replaced(world):
    mail = some(10)
    user, here, there, ends, journal = settled_pair(world, box(INBOX=some(2, "i"), One=mail))
    gone(here, "1:2", "One")
    with logged_in(there) as imap:
        imap.command("DELETE One")
    run = dry(world, ends, journal, "--deletions", "mirror")
    run.expect_counts(pending=8, present=2)
    expect("is gone from the target, and would be made and filled again" in run.err, "not told:", run)
    with logged_in(there) as imap:
        imap.command("CREATE One")
    replace_folder(there, "One", mail[2:6])
    run = dry(world, ends, journal, "--deletions", "mirror")
    run.expect_counts(pending=8, present=2)
    expect("UIDVALIDITY changed" in run.err and run.account["deleted"] == 0, "not told:", run)
    world.copy(*ends, "--deletions", "mirror", journal=journal).expect_code(0).expect_counts(copied=4, present=6)
    expect_equal(here, there)
    expect(stored(there, "One").keys() == names(mail[2:]), "not the right ones")
