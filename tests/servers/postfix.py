"""A private Postfix for tests, on high ports of 127.0.0.1; only root can start one.

Mail for anybody at test.example but nobody@ ends as files in one folder; mail() finds it.  `smtp` takes mail as a
mail exchanger does, with STARTTLS on offer; `submission` wants STARTTLS and a login that a Dovecot
answers for (see SASL); `smtps` is the same with TLS from the start.
"""
import os
import pathlib
import pwd
import shutil
import socketserver
import subprocess
import threading
import time

from certificates import Authority
from ports import free_port, wait_for_port

DOMAIN = "test.example"
PROGRAM = "/usr/sbin/postfix"

MAIN = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.test.example
mydestination =
mynetworks =
local_transport = error:no local mail
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = regexp:{dir}/people
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_tls_session_cache_database =
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
smtpd_sasl_auth_enable = {auth}
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = {restrictions}
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_client_connection_count_limit = 0
message_size_limit = {size}
virtual_mailbox_limit = 0
{extra}
"""

MASTER = """\
127.0.0.1:{smtp} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=no
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{smtps} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def can_run():
    return os.getuid() == 0 and os.access(PROGRAM, os.X_OK)


def sasl(folder):
    """(what Dovecot(extra=...) needs, what Postfix(sasl=...) needs) for logins that Dovecot knows."""
    path = f"{folder}/sasl"
    return f"service auth {{\n  unix_listener {path} {{\n    mode = 0666\n  }}\n}}\n", path


class Postfix:
    """One instance; a context manager.

    sasl         the socket at which a Dovecot answers for logins; without it nobody can log in
    size         message_size_limit
    policy       the port of a policy server (see Greylist) that is asked for each recipient
    extra        lines of main.cf
    """
    kind = "postfix"

    def __init__(self, folder, authority=None, sasl="", size=30_000_000, policy=None, extra=""):
        self.folder = pathlib.Path(folder)
        self.authority = authority
        self.sasl, self.size, self.policy, self.extra = sasl, size, policy, extra
        self.smtp, self.submission, self.smtps = (free_port() for _ in range(3))

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        owner = pwd.getpwnam("mail")
        for name, user in (("conf", "root"), ("queue", "root"), ("data", "postfix"), ("mail", "mail")):
            path = self.folder / name
            path.mkdir(exist_ok=True)
            shutil.chown(path, user)
        self.authority = self.authority or Authority(self.folder / "tls")
        cert, key = self.authority.issue(self.folder.name)
        (self.folder / "people").write_text(f"if !/^nobody@/\n/@{DOMAIN.replace('.', '[.]')}$/ all/\nendif\n")
        restrictions = f"check_policy_service inet:127.0.0.1:{self.policy}" if self.policy else ""
        (self.folder / "conf" / "main.cf").write_text(MAIN.format(
            dir=self.folder, domain=DOMAIN, uid=owner.pw_uid, gid=owner.pw_gid, cert=cert, key=key,
            sasl=self.sasl or "none", auth="yes" if self.sasl else "no", restrictions=restrictions, size=self.size,
            extra=self.extra))
        (self.folder / "conf" / "master.cf").write_text(
            MASTER.format(smtp=self.smtp, submission=self.submission, smtps=self.smtps))
        self._postfix("start")
        for port in (self.smtp, self.submission, self.smtps):
            wait_for_port(port)
        return self

    def _postfix(self, what):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MAIL_")}
        done = subprocess.run([PROGRAM, "-c", str(self.folder / "conf"), what], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, env=environment)
        if done.returncode and what == "start":
            raise RuntimeError(f"postfix does not start: {done.stderr} {self.log()}")

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def mail(self, user, count=None, seconds=30):
        """The messages delivered for USER, as bytes; waits until there are COUNT."""
        end, mark = time.monotonic() + seconds, f"\nDelivered-To: {user}@{DOMAIN}\n".encode()
        while True:
            files = sorted((self.folder / "mail" / "all" / "new").glob("*"))
            found = [data for data in (path.read_bytes() for path in files) if mark in data.split(b"\n\n")[0] + b"\n"]
            if count is None or len(found) >= count:
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"{len(found)} of {count} messages for {user} came; {self.log()[-1500:]}")
            time.sleep(0.05)

    def stop(self):
        self._postfix("stop")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Greylist:
    """A policy server: puts a sender and recipient off until pass_all(); a context manager."""

    def __init__(self):
        grey = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while True:
                    asked = {}
                    while (line := self.rfile.readline().strip()):
                        name, _, value = line.decode(errors="replace").partition("=")
                        asked[name] = value
                    if not asked:
                        return
                    grey.asked.append(asked)
                    action = "DUNNO" if grey.open else "DEFER 4.7.1 Greylisted, come again"
                    self.wfile.write(f"action={action}\n\n".encode())

        self.asked, self.open = [], False
        self.port = free_port()
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True

    def pass_all(self):
        self.open = True

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
