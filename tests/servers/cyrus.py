#!/usr/bin/env python3
"""A private Cyrus IMAP 3.6 for tests: IMAP, IMAPS, POP3 and POP3S on high ports of 127.0.0.1.

    python3 cyrus.py start FOLDER [options]       prints the ports as JSON and leaves it running
    python3 cyrus.py stop FOLDER

Everything lies below FOLDER.  install.sh has unpacked imapd and pop3d; the rest of Cyrus is the
Debian package cyrus-common.  As root it runs as the user cyrus, else as the user who calls.
Users must be added (add_user); FOLDER must be on a path that the user cyrus may enter.
"""
import argparse
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from certificates import LOCAL, Authority  # noqa: E402
from ports import free_port, wait_for_port  # noqa: E402
from wire import Imap, mutf7  # noqa: E402

PASSWORD = "ferry-over"
ADMIN = "cyrusadmin"
LIBEXEC = pathlib.Path("/usr/lib/cyrus/bin")
CACHE = pathlib.Path(os.environ.get("POSTFERRY_SERVERS") or
                     pathlib.Path(__file__).resolve().parents[2] / "build" / "servers")

IMAPD_CONF = """\
configdirectory: {dir}/conf
partition-default: {dir}/spool
defaultpartition: default
cyrus_user: {user}
admins: {admin}
servername: cyrus.test.example
virtdomains: off
unixhierarchysep: {unixsep}
altnamespace: {altnamespace}
allowplaintext: {plaintext}
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {dir}/sasldb2
sasl_mech_list: {mechanisms}
tls_server_cert: {cert}
tls_server_key: {key}
tls_session_timeout: 0
idlesocket: {dir}/socket/idle
lmtpsocket: {dir}/socket/lmtp
notifysocket: {dir}/socket/notify
mboxname_lockpath: {dir}/lock
proc_path: {dir}/proc
temp_path: {dir}/tmp
sieveusehomedir: false
sievedir: {dir}/sieve
hashimapspool: true
createonpost: no
anyoneuseracl: no
conversations: 0
duplicatesuppression: no
expunge_mode: immediate
delete_mode: immediate
popminpoll: 0
failedloginpause: 0
maxlogins_per_user: 0
syslog_prefix: postferry-test
{munge}{suppress}{extra}
"""

CYRUS_CONF = """\
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {conf} -r"
}}
SERVICES {{
  imap  cmd="{own}/imapd -C {conf} -U 50"    listen="127.0.0.1:{imap}"  prefork=1 maxchild=200
  imaps cmd="{own}/imapd -C {conf} -s -U 50" listen="127.0.0.1:{imaps}" prefork=0 maxchild=200
  pop3  cmd="{own}/pop3d -C {conf} -U 50"    listen="127.0.0.1:{pop3}"  prefork=0 maxchild=200
  pop3s cmd="{own}/pop3d -C {conf} -s -U 50" listen="127.0.0.1:{pop3s}" prefork=0 maxchild=200
}}
EVENTS {{
}}
"""


class Cyrus:
    """One instance; a context manager.

    munge8bit           False keeps 8-bit header bytes as they are; None is Cyrus's default (they become X)
    altnamespace        False: everything lies below INBOX, as Cyrus did by default for long
    unixsep             False: the hierarchy delimiter is a dot
    mechanisms          sasl_mech_list
    suppress            capabilities not to announce
    plaintext           False: no login without TLS (LOGINDISABLED)
    hosts, expired      of the certificate; authority is shared if given
    extra               more lines of imapd.conf
    """

    kind = "cyrus"
    password = PASSWORD
    rejects = True  # bare LF, broken headers; NUL but in a literal8

    def __init__(self, folder, *, munge8bit=False, altnamespace=True, unixsep=True, plaintext=True,
                 mechanisms="PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5", suppress=(), hosts=LOCAL, expired=False,
                 authority=None, timezone="UTC", ports=None, extra=""):
        self.folder = pathlib.Path(folder).resolve()
        self.munge8bit, self.altnamespace, self.unixsep = munge8bit, altnamespace, unixsep
        self.plaintext, self.mechanisms, self.suppress = plaintext, mechanisms, suppress
        self.hosts, self.expired, self.authority, self.extra = hosts, expired, authority, extra
        self.timezone = timezone
        self.separator = "/" if unixsep else "."
        self.prefix = "" if altnamespace else "INBOX" + self.separator
        self.imap, self.imaps, self.pop3, self.pop3s = ports or [free_port() for _ in range(4)]
        self.owner = pwd.getpwnam("cyrus") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._master = None

    @property
    def ca(self):
        return self.authority.file

    @property
    def _conf(self):
        return self.folder / "imapd.conf"

    def _as_owner(self, command, **options):
        """Runs a command as the user who owns the mail."""
        if os.getuid() == 0:
            options.update(user=self.owner.pw_uid, group=self.owner.pw_gid, extra_groups=[])
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": self.timezone, "HOME": str(self.folder)}
        return subprocess.Popen([str(word) for word in command], cwd=self.folder, env=environment, **options)

    def start(self):
        if self.pid():
            self.stop()
        programs = CACHE / "cyrus" / "usr" / "lib" / "cyrus" / "bin"
        if not (programs / "imapd").exists() or not LIBEXEC.exists():
            raise RuntimeError("there is no Cyrus; run tests/servers/install.sh")
        for sub in ("conf/db", "conf/socket", "spool", "socket", "lock", "proc", "tmp", "sieve", "bin"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
        for program in ("imapd", "pop3d"):  # the cache may be where the user cyrus cannot look
            shutil.copy2(programs / program, self.folder / "bin" / program)
        self.folder.chmod(0o755)
        self.authority = self.authority or Authority(self.folder / "tls")
        cert, key = self.authority.issue(self.folder.name, self.hosts, self.expired)
        yes = lambda flag: "yes" if flag else "no"
        munge = "" if self.munge8bit is None else f"munge8bit: {yes(self.munge8bit)}\n"
        suppress = f"suppress_capabilities: {' '.join(self.suppress)}\n" if self.suppress else ""
        self._conf.write_text(IMAPD_CONF.format(
            dir=self.folder, user=self.owner.pw_name, admin=ADMIN, unixsep=yes(self.unixsep), cert=cert, key=key,
            altnamespace=yes(self.altnamespace), plaintext=yes(self.plaintext), mechanisms=self.mechanisms,
            munge=munge, suppress=suppress, extra=self.extra))
        (self.folder / "cyrus.conf").write_text(CYRUS_CONF.format(
            bin=LIBEXEC, own=self.folder / "bin", conf=self._conf, imap=self.imap, imaps=self.imaps, pop3=self.pop3,
            pop3s=self.pop3s))
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", f"{self.owner.pw_uid}:{self.owner.pw_gid}", str(self.folder)], check=True)
        self.set_password(ADMIN)
        with open(self.folder / "master.log", "a") as log:
            self._master = self._as_owner(
                [LIBEXEC / "master", "-C", self._conf, "-M", self.folder / "cyrus.conf", "-p", self.folder / "master.pid"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        for port in (self.imap, self.imaps, self.pop3, self.pop3s):
            wait_for_port(port, alive=lambda: self._master.poll() is None)
        while not self.pid():
            time.sleep(0.01)
        return self

    def set_password(self, user, password=PASSWORD):
        done = self._as_owner(["saslpasswd2", "-p", "-c", "-f", self.folder / "sasldb2", "-u", "cyrus.test.example", user],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said, _ = done.communicate(password)
        if done.returncode:
            raise RuntimeError(f"saslpasswd2 {user}: {said.strip()}")

    def add_user(self, user, quota_kib=None):
        """Makes the login and its INBOX; a user who exists already is left as is."""
        self.set_password(user)
        with Imap(self.imap) as admin:
            admin.login(ADMIN, PASSWORD)
            root = '"user' + self.separator + mutf7(user) + '"'
            if not any(r.startswith(b"* LIST") for r in admin.command(f'LIST "" {root}').lines):
                admin.command(f"CREATE {root}")
            if quota_kib is not None:
                admin.command(f"SETQUOTA {root} (STORAGE {quota_kib})")

    def pid(self):
        try:
            pid = int((self.folder / "master.pid").read_text())
            os.kill(pid, 0)
            return pid
        except (OSError, ValueError):
            return None

    def stop(self):
        """Ends the instance and its children and waits until they are gone."""
        pid, begin = self.pid(), time.monotonic()
        if pid:
            os.kill(pid, signal.SIGTERM)
        while pid and _alive(pid, self._master):
            if time.monotonic() - begin > 10:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.02)
        if self._master:
            self._master.wait()
        (self.folder / "master.pid").unlink(missing_ok=True)

    def signal(self, number):
        """Sends a signal to all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid(), number)  # it leads a session of its own

    def kill(self):
        """Ends the instance as a crash does; start() brings it back on the same ports."""
        self.signal(signal.SIGKILL)
        self.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def _alive(pid, child):
    if child is not None:
        return child.poll() is None
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("folder")
    parser.add_argument("--port", type=int, help="first of four consecutive ports (default: any free ones)")
    parser.add_argument("--user", action="append", default=[], help="users to make")
    parser.add_argument("--munge8bit", action="store_true", help="Cyrus's own default: 8-bit header bytes become X")
    parser.add_argument("--below-inbox", action="store_true", help="all folders lie below INBOX")
    parser.add_argument("--dots", action="store_true", help="the hierarchy delimiter is a dot")
    parser.add_argument("--hide", default="", help="capabilities not to announce, separated by spaces")
    parser.add_argument("--no-plaintext", action="store_true", help="no login without TLS")
    parser.add_argument("--host", action="append", help="name in the certificate")
    parser.add_argument("--expired", action="store_true", help="let the certificate have expired")
    a = parser.parse_args()
    server = Cyrus(a.folder, munge8bit=None if a.munge8bit else False, altnamespace=not a.below_inbox,
                   unixsep=not a.dots, suppress=a.hide.split(), plaintext=not a.no_plaintext, hosts=a.host or LOCAL,
                   expired=a.expired, ports=range(a.port, a.port + 4) if a.port else None)
    if a.action == "stop":
        return server.stop()
    server.start()
    for user in a.user:
        server.add_user(user)
    print(json.dumps(dict(kind="cyrus", pid=server.pid(), imap=server.imap, imaps=server.imaps, pop3=server.pop3,
                          pop3s=server.pop3s, ca=str(server.ca), password=PASSWORD)))


if __name__ == "__main__":
    main()
