#!/usr/bin/env python3
"""A private Dovecot 2.3 for tests: IMAP, IMAPS, POP3, POP3S and LMTP on high ports of 127.0.0.1.

    python3 dovecot.py start FOLDER [options]       prints the ports as JSON and leaves it running
    python3 dovecot.py stop FOLDER

Everything lies below FOLDER: configuration, log, sockets, certificate and the mail of each user.
Any user name is accepted with one password.  IMAP and POP3 serve the same mail; `user*master`
logs in as user.  Works as root (mail then belongs to the user mail) and as anybody else.
"""
import argparse
import contextlib
import grp
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

PASSWORD = "ferry-over"
MASTER, MASTER_PASSWORD = "harbour", "ferry-master"
SPECIAL = {"Drafts": "\\Drafts", "Sent": "\\Sent", "Trash": "\\Trash", "Junk": "\\Junk", "Archive": "\\Archive"}
STORES = {"maildir": "maildir:~/Maildir", "sdbox": "sdbox:~/sdbox", "mdbox": "mdbox:~/mdbox"}
# What Dovecot 2.3 announces after login; capability=hide(...) takes words away.
CAPABILITY = ("IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS "
              "THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS "
              "LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH "
              "LIST-STATUS BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE")

CONF = """\
base_dir = {dir}/run
state_dir = {dir}/state
instance_name = {name}
log_path = {dir}/dovecot.log
protocols = imap pop3 lmtp
listen = 127.0.0.1, 127.0.0.2
default_vsz_limit = 2G
default_process_limit = 400
default_client_limit = 4000
first_valid_uid = 1
ssl = {ssl}
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = {disable_plaintext}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
auth_master_user_separator = *
auth_username_format = %Lu
verbose_proctitle = yes
auth_username_chars = abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@+/
mail_location = {location}
mail_fsync = {fsync}
mail_plugins = {plugins}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {dir}/masters
  master = yes
}}
{passdb}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/home/%u
}}
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = {separator}
{mailboxes}}}
protocol imap {{
  mail_plugins = {imap_plugins}
  mail_max_userip_connections = {connections}
{capability}}}
protocol pop3 {{
  mail_max_userip_connections = {connections}
}}
protocol lmtp {{
  postmaster_address = postmaster@test.example
}}
service imap-login {{
  {chroot}
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  {chroot}
  service_count = 0
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service anvil {{
  {chroot}
  # Wrong passwords are part of the tests: no waiting after them.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
plugin {{
{plugin}}}
{extra}
"""


def hide(*words):
    """A capability list without WORDS, for Dovecot(capability=...): the server still understands
    the commands, but a client that goes by the list must do without."""
    return " ".join(word for word in CAPABILITY.split() if word not in words)


class Dovecot:
    """One instance; a context manager.

    separator, prefix   of the personal namespace ("." and "INBOX." imitate Courier)
    store               maildir, sdbox, mdbox or a mail_location; any character is kept in names
    mechanisms          auth_mechanisms; xoauth2 and oauthbearer take the token `token`
    capability          None, or the whole list after login (see hide)
    plaintext           False: no login without TLS (LOGINDISABLED); seen at 127.0.0.2 only, because
                        Dovecot takes a connection between equal addresses for a safe one
    ssl                 "yes", or "no" for a server that offers no TLS at all
    fsync               mail_fsync: never for speed, optimized as in real life
    quota               a rule such as "*:storage=1M", or None
    special             {folder name: role}; auto=True creates and subscribes those folders
    hosts, expired      of the certificate; authority is shared if given
    timezone            TZ of the server, as INTERNALDATE shows it
    extra               more lines of configuration
    """

    kind = "dovecot"
    password = PASSWORD
    rejects = False  # whether some well-formed mail is refused

    def __init__(self, folder, *, separator="/", prefix="", store="maildir", mechanisms="plain login",
                 capability=None, plaintext=True, ssl="yes", fsync="never", quota=None, special=None, auto=False,
                 hosts=LOCAL, expired=False, authority=None, timezone="UTC", token="ferry-token", connections=100,
                 ports=None, extra=""):
        self.folder = pathlib.Path(folder).resolve()
        self.separator, self.prefix, self.store = separator, prefix, store
        self.mechanisms, self.capability, self.plaintext, self.ssl = mechanisms, capability, plaintext, ssl
        self.fsync, self.quota, self.auto, self.timezone = fsync, quota, auto, timezone
        self.special = SPECIAL if special is None else special
        self.hosts, self.expired, self.authority = hosts, expired, authority
        self.token, self.connections, self.extra = token, connections, extra
        self.imap, self.imaps, self.pop3, self.pop3s, self.lmtp = ports or [free_port() for _ in range(5)]
        # Dovecot refuses to serve mail that belongs to root.
        me = pwd.getpwuid(os.getuid())
        self.owner = pwd.getpwnam("mail") if me.pw_uid == 0 else me

    @property
    def conf(self):
        return self.folder / "dovecot.conf"

    @property
    def ca(self):
        return self.authority.file

    def home(self, user):
        return self.folder / "home" / user.lower()

    def own(self, path):
        """Gives a tree of mail to the user whom Dovecot serves it as."""
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", f"{self.owner.pw_uid}:{self.owner.pw_gid}", str(path)], check=True)

    def add_user(self, user):
        """Nothing to do: every user exists (as Cyrus.add_user, so that tests need not ask)."""

    def start(self):
        if self.pid():
            self.stop()
        for sub in ("run", "state", "home"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        log = self.folder / "dovecot.log"
        log.touch()
        log.chmod(0o666)
        self.own(self.folder / "home")
        self.authority = self.authority or Authority(self.folder / "tls")
        cert, key = self.authority.issue(self.folder.name, self.hosts, self.expired)
        self._write_conf(cert, key)
        dovecot = shutil.which("dovecot") or "/usr/sbin/dovecot"
        with open(self.folder / "start.log", "w+") as said:  # not a pipe: the daemon would hold it open
            code = subprocess.call([dovecot, "-c", str(self.conf)], env={**os.environ, "TZ": self.timezone},
                                   stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            said.seek(0)
            if code:
                raise RuntimeError(f"dovecot does not start: {said.read().strip()}")
        for port in (self.imap, self.imaps, self.pop3, self.pop3s, self.lmtp):
            if self.ssl != "no" or port not in (self.imaps, self.pop3s):
                wait_for_port(port)
        while not self.pid():  # written a moment after the ports are open
            time.sleep(0.01)
        return self

    def _write_conf(self, cert, key):
        (self.folder / "masters").write_text(f"{MASTER}:{MASTER_PASSWORD}\n")
        (self.folder / "masters").chmod(0o644)
        plugins = "listescape" + (" quota" if self.quota else "")
        me, extra = pwd.getpwuid(os.getuid()), self.extra
        if me.pw_uid:
            extra += (f"\ndefault_internal_user = {me.pw_name}\ndefault_login_user = {me.pw_name}\n"
                      f"default_internal_group = {grp.getgrgid(me.pw_gid).gr_name}\n")
        auto = "    auto = subscribe\n" if self.auto else ""
        self.conf.write_text(CONF.format(
            dir=self.folder, name="test-" + self.folder.name, ssl=self.ssl, cert=cert, key=key,
            disable_plaintext="no" if self.plaintext else "yes", mechanisms=self.mechanisms,
            location=STORES.get(self.store, self.store), fsync=self.fsync, plugins=plugins, passdb=self._passdb(),
            uid=self.owner.pw_uid, gid=self.owner.pw_gid, prefix=self.prefix, separator=self.separator,
            mailboxes="".join(f'  mailbox "{name}" {{\n    special_use = {role}\n{auto}  }}\n'
                              for name, role in self.special.items()),
            imap_plugins=plugins + (" imap_quota" if self.quota else ""), connections=self.connections,
            capability=f"  imap_capability = {self.capability}\n" if self.capability else "",
            plugin=(f"  quota = count:User quota\n  quota_vsizes = yes\n  quota_rule = {self.quota}\n"
                    if self.quota else ""),
            chroot="" if me.pw_uid == 0 else "chroot =", extra=extra,
            imap=self.imap, imaps=self.imaps, pop3=self.pop3, pop3s=self.pop3s, lmtp=self.lmtp))

    def _passdb(self):
        static = f"passdb {{\n  driver = static\n  args = password={PASSWORD}\n}}\n"
        if not {"xoauth2", "oauthbearer"} & set(self.mechanisms.split()):
            return static
        # Tokens are checked as an issuer would: they are JWTs signed with a key the server has.
        keys = self.folder / "keys" / "default" / "HS256"
        keys.mkdir(parents=True, exist_ok=True)
        keys.joinpath("default").write_text(_b64(self.token.encode()))
        (self.folder / "oauth2.conf").write_text(
            "introspection_mode = local\n"
            f"local_validation_key_dict = fs:posix:prefix={self.folder}/keys/\n"
            "username_attribute = sub\n")
        return (f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n"
                f"  args = {self.folder}/oauth2.conf\n}}\n" + static)

    def bearer_token(self, user, seconds=3600):
        """A token that this server takes for USER until SECONDS from now (negative: an expired one)."""
        import hashlib
        import hmac
        now = int(time.time())
        head = _b64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        body = _b64url(json.dumps({"sub": user, "iat": now - 7200, "exp": now + seconds}).encode())
        signed = f"{head}.{body}"
        return signed + "." + _b64url(hmac.new(self.token.encode(), signed.encode(), hashlib.sha256).digest())

    def pid(self):
        try:
            pid = int((self.folder / "run" / "master.pid").read_text())
            os.kill(pid, 0)
            return pid
        except (OSError, ValueError):
            return None

    def stop(self):
        """Ends the instance and waits until it is gone."""
        pid, begin = self.pid(), time.monotonic()
        if pid:
            os.kill(pid, signal.SIGTERM)
        while self.pid():
            if time.monotonic() - begin > 10:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def processes(self):
        """The ids of the master and its children."""
        master = self.pid()
        return [master, *(pid for pid, fields in _all_processes() if int(fields[1]) == master)] if master else []

    def sessions(self, user):
        """The ids of the IMAP processes that serve USER (who has no other user's name in his)."""
        return [pid for pid in self.processes() if f"imap [{user} " in _command_line(pid)]

    def signal(self, number, processes=None):
        """Sends a signal to the given processes, or to all of them."""
        for pid in self.processes() if processes is None else processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self):
        """Ends the instance as a crash does; start() brings it back on the same ports."""
        self.signal(signal.SIGSTOP, [self.pid()])  # so that it starts no child behind our back
        doomed = self.processes()
        self.signal(signal.SIGKILL, doomed)
        while any(_command_line(pid) for pid in doomed):
            time.sleep(0.005)

    def cpu(self):
        """CPU seconds that the instance and its children, dead ones too, have used."""
        master, total = self.pid(), 0
        for pid, fields in _all_processes():
            if pid == master:
                total += sum(map(int, fields[11:15]))  # its own and its reaped children's
            elif int(fields[1]) == master:
                total += sum(map(int, fields[11:13]))
        return total / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def _all_processes():
    """(id, the fields of /proc/ID/stat from the state on) of every process."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            yield int(entry), pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()


def _command_line(pid):
    """Empty for a process that is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _b64(data):
    import base64
    return base64.b64encode(data).decode()


def _b64url(data):
    return _b64(data).rstrip("=").replace("+", "-").replace("/", "_")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("folder")
    parser.add_argument("--port", type=int, help="first of five consecutive ports (default: any free ones)")
    parser.add_argument("--store", default="maildir", help="maildir, sdbox, mdbox or a mail_location")
    parser.add_argument("--separator", default="/")
    parser.add_argument("--prefix", default="", help="of the personal namespace, such as INBOX.")
    parser.add_argument("--mechanisms", default="plain login")
    parser.add_argument("--hide", default="", help="capabilities not to announce, separated by spaces")
    parser.add_argument("--no-plaintext", action="store_true", help="no login without TLS")
    parser.add_argument("--fsync", default="never", choices=["never", "optimized", "always"])
    parser.add_argument("--quota", help='such as "*:storage=1M"')
    parser.add_argument("--host", action="append", help="name in the certificate")
    parser.add_argument("--expired", action="store_true", help="let the certificate have expired")
    parser.add_argument("--timezone", default="UTC")
    a = parser.parse_args()
    server = Dovecot(a.folder, separator=a.separator, prefix=a.prefix, store=a.store, mechanisms=a.mechanisms,
                     capability=hide(*a.hide.split()) if a.hide else None, plaintext=not a.no_plaintext, fsync=a.fsync,
                     quota=a.quota, hosts=a.host or LOCAL, expired=a.expired, timezone=a.timezone,
                     ports=range(a.port, a.port + 5) if a.port else None)
    if a.action == "stop":
        return server.stop()
    server.start()
    print(json.dumps(dict(kind="dovecot", pid=server.pid(), imap=server.imap, imaps=server.imaps, pop3=server.pop3,
                          pop3s=server.pop3s, lmtp=server.lmtp, ca=str(server.ca), password=PASSWORD)))


if __name__ == "__main__":
    main()
