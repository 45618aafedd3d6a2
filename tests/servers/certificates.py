"""A private certificate authority and server certificates for tests, made with openssl.

An Authority lives in a folder: ca.pem is what a client is given as `ca=FILE`.  A certificate is
good for 127.0.0.1, 127.0.0.2, ::1 and localhost unless other host names are asked for, and valid from
yesterday for a year unless it is asked to have expired.
"""
import base64
import datetime
import hashlib
import pathlib
import subprocess

LOCAL = ("localhost", "127.0.0.1", "127.0.0.2", "::1")


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def _alternative(name):
    return ("IP:" if name.replace(".", "").isdigit() or ":" in name else "DNS:") + name


class Authority:
    """One CA.  Opening a folder that already holds one uses it again."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "ca.pem"
        self._key = self.folder / "ca.key"
        if not self.file.exists():
            _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-days", "3650", "-subj", "/CN=postferry test authority",
                     "-addext", "basicConstraints=critical,CA:TRUE",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                     "-keyout", self._key, "-out", self.file)

    def issue(self, stem, hosts=LOCAL, expired=False):
        """Writes STEM.pem and STEM.key into the folder and returns both paths."""
        certificate, key = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        request, index = self.folder / f"{stem}.csr", self.folder / f"{stem}.index"
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", f"/CN={hosts[0]}", "-keyout", key, "-out", request)
        settings = self.folder / f"{stem}.cnf"
        settings.write_text(
            "[ca]\ndefault_ca = here\n[here]\n"
            f"database = {index}\nnew_certs_dir = {self.folder}\nrand_serial = yes\ndefault_md = sha256\n"
            "policy = any\nx509_extensions = server\nunique_subject = no\n"
            "[any]\ncommonName = supplied\n[server]\nbasicConstraints = CA:FALSE\n"
            "extendedKeyUsage = serverAuth\n"
            f"subjectAltName = {','.join(map(_alternative, hosts))}\n")
        index.write_text("")
        begin, end = (-30, -1) if expired else (-1, 365)
        day = lambda offset: (datetime.datetime.utcnow() + datetime.timedelta(offset)).strftime("%Y%m%d%H%M%SZ")
        _openssl("ca", "-batch", "-notext", "-config", settings, "-cert", self.file, "-keyfile", self._key,
                 "-startdate", day(begin), "-enddate", day(end), "-in", request, "-out", certificate)
        key.chmod(0o644)  # the servers of the tests read it as users of their own
        return certificate, key


def pins(certificate):
    """(sha256 of the whole certificate, sha256 of its public key), in hex, for `pin=sha256:HEX`."""
    pem = pathlib.Path(certificate).read_text()
    body = pem.split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0]
    whole = hashlib.sha256(base64.b64decode(body)).hexdigest()
    public = _openssl("x509", "-in", certificate, "-noout", "-pubkey")
    body = public.split("-----BEGIN PUBLIC KEY-----")[1].split("-----END")[0]
    return whole, hashlib.sha256(base64.b64decode(body)).hexdigest()
