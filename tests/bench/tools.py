"""How each program is asked to copy one account: a function of a Job that returns a command line."""
import dataclasses
import os
import pathlib
import shutil


@dataclasses.dataclass
class Job:
    user: str
    password: str
    source: int          # ports to talk to
    target: int
    protocol: str        # of the source
    state: pathlib.Path  # a folder that lives as long as the target does


def _file(job, name, text):
    path = job.state / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def postferry(job):
    password = _file(job, "password", job.password)
    return [program("postferry"), "copy", f"{job.protocol}://{job.user}@127.0.0.1:{job.source}?tls=none",
            f"imap://{job.user}@127.0.0.1:{job.target}?tls=none", "--source-password-file", password,
            "--target-password-file", password, "--journal", job.state / "journal", "--no-progress", "--json"]


def mbsync(job, more=""):
    account = lambda name, port: (
        f"IMAPAccount {name}\nHost 127.0.0.1\nPort {port}\nUser {job.user}\nPass {job.password}\nSSLType None\n"
        f"AuthMechs LOGIN\nTimeout 120\n{more}\nIMAPStore {name}\nAccount {name}\n\n")
    (job.state / "sync").mkdir(exist_ok=True)
    conf = _file(job, "mbsyncrc", account("source", job.source) + account("target", job.target) +
                 "Channel all\nFar :source:\nNear :target:\nPatterns *\nSync Pull\nCreate Near\nExpunge Near\n"
                 f"CopyArrivalDate yes\nSyncState {job.state}/sync/\n")
    return [program("mbsync"), "-q", "-c", conf, "all"]


def mbsync_plain(job):
    return mbsync(job, "DisableExtension COMPRESS=DEFLATE\n")


def imapsync(job):
    return ["perl", program("imapsync"), "--host1", "127.0.0.1", "--port1", job.source, "--user1", job.user,
            "--password1", job.password, "--host2", "127.0.0.1", "--port2", job.target, "--user2", job.user,
            "--password2", job.password, "--nossl1", "--nossl2", "--notls1", "--notls2", "--noreleasecheck", "--nolog",
            "--pidfile", job.state / "pid", "--tmpdir", job.state]


TOOLS = {  # name: (command line, protocols of a source, program)
    "postferry": (postferry, ("imap", "pop3"), "postferry"),
    "mbsync": (mbsync, ("imap",), "mbsync"),
    "mbsync-plain": (mbsync_plain, ("imap",), "mbsync"),
    "imapsync": (imapsync, ("imap",), "imapsync"),
}


def program(name):
    """Where it is: $POSTFERRY, $IMAPSYNC, ... or the PATH."""
    return os.environ.get(name.upper()) or shutil.which(name)
