"""A real PostgreSQL on the loopback address, as a cloud's would be: by TLS only, with its own authority, and SCRAM.

``with running() as server:`` starts it in a folder that goes with it. It comes from the operating system
(Debian: ``postgresql``); where it is missing that is an error, never a reason to do without.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from trivet.core.errors import PlatformError
from trivet.rehearsal.ports import HOST, free_port

DATABASE, ADMINISTRATOR = "trivet", "postgres"
START_SECONDS, STOP_SECONDS = 60.0, 30.0
DEBIAN = Path("/usr/lib/postgresql")
RULES = f"""\
local all all scram-sha-256
hostssl all all {HOST}/32 scram-sha-256
hostnossl all all all reject
"""


@dataclass(frozen=True)
class Server:
    """One that answers. ``authority`` is the certificate that its own is checked by."""

    port: int
    password: str
    authority: Path
    programs: Path

    def url(self, user: str = "", password: str = "", database: str = DATABASE) -> str:
        """Where it is, as a stack's outputs would say it, and who asks."""
        who = f"{quote(user)}{f':{quote(password)}' if password else ''}@" if user else ""
        query = f"sslmode=verify-full&sslrootcert={quote(str(self.authority))}"
        return f"postgresql://{who}{HOST}:{self.port}/{database}?{query}"

    @property
    def administrator(self) -> str:
        """The URL of whoever may do anything."""
        return self.url(ADMINISTRATOR, self.password)

    def execute(self, *statements: str, database: str = DATABASE) -> str:
        """Have statements done by the administrator; what they print.

        :raises PlatformError: with what the server said.
        """
        url = self.url(ADMINISTRATOR, database=database)
        given = [part for statement in statements for part in ("-c", statement)]
        environment = {**os.environ, "PGPASSWORD": self.password}
        command = [self.programs / "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", *given, url]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PlatformError(f"PostgreSQL refused: {done.stderr.strip()}.")
        return done.stdout.strip()


@contextmanager
def running() -> Iterator[Server]:
    """Start a server with an empty database ``trivet``; it and all that it holds end with the context.

    :raises PlatformError: when PostgreSQL is not installed or does not start.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="trivet-postgresql-"))
    try:
        account = _account()
        server = Server(free_port(), secrets.token_urlsafe(16), folder / "authority.pem", programs)
        _certificates(folder)
        (folder / "password").write_text(server.password)
        for path in (folder, *folder.iterdir()):
            if account.user is not None and account.group is not None:
                os.chown(path, account.user, account.group)
        # Whoever connects checks the server by it, and reads nothing else here.
        folder.chmod(0o711)
        server.authority.chmod(0o644)
        _initialize(folder, programs, account)
        with _process(folder, server, account):
            server.execute(f"CREATE DATABASE {DATABASE}", database="postgres")
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    raise PlatformError("PostgreSQL is not installed.", "Install it (Debian: apt-get install postgresql).")


class _Account(NamedTuple):
    """Whom processes run as; nothing for whoever starts them."""

    user: int | None = None
    group: int | None = None
    groups: list[int] | None = None


def _account() -> _Account:
    """Whom it runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return _Account()
    try:
        found = pwd.getpwnam("postgres")
    except KeyError as error:
        raise PlatformError(
            "There is no account postgres, and PostgreSQL does not run as root.", "Install Debian's package postgresql."
        ) from error
    return _Account(found.pw_uid, found.pw_gid, [])


def _initialize(folder: Path, programs: Path, account: _Account) -> None:
    command = [programs / "initdb", "--no-sync", "--auth=scram-sha-256", f"--username={ADMINISTRATOR}"]
    command += [f"--pwfile={folder / 'password'}", "--encoding=UTF8", "--locale=C.UTF-8", f"--pgdata={folder / 'data'}"]
    user, group, groups = account
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, user=user, group=group, extra_groups=groups
    )
    if done.returncode:
        raise PlatformError(f"PostgreSQL makes no database: {done.stderr.strip()}.")
    (folder / "data" / "pg_hba.conf").write_text(RULES)


@contextmanager
def _process(folder: Path, server: Server, account: _Account) -> Iterator[None]:
    settings = {
        "listen_addresses": HOST,
        "port": server.port,
        "unix_socket_directories": folder,
        "ssl": "on",
        "ssl_cert_file": folder / "server.pem",
        "ssl_key_file": folder / "server.key",
        "fsync": "off",  # it need not outlive the machine
    }
    user, group, groups = account
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [server.programs / "postgres", "-D", folder / "data", *options],
            stdout=log, stderr=log, cwd=folder, process_group=0, user=user, group=group, extra_groups=groups,
        )  # fmt: skip
    try:
        _await(server, process, folder / "log")
        yield
    finally:
        process.send_signal(signal.SIGINT)  # end sessions, then end
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    probe = [server.programs / "pg_isready", "-q", "-h", HOST, "-p", str(server.port)]
    end = time.monotonic() + START_SECONDS
    while subprocess.run(probe, check=False).returncode:
        if process.poll() is not None or time.monotonic() > end:
            raise PlatformError(f"PostgreSQL does not start: {log.read_text()[-500:].strip()}")
        time.sleep(0.05)


def _certificates(folder: Path) -> None:
    """An authority, and by it a server's certificate for the loopback address; the authority's key is not kept."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = _name("trivet rehearsal")
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    authority = _certificate(name, name, authority_key).add_extension(constraints, critical=True)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST)), x509.DNSName("localhost")])
    own = _certificate(_name("localhost"), name, key).add_extension(names, critical=False)
    for path, builder in (("authority.pem", authority), ("server.pem", own)):
        signed = builder.sign(authority_key, hashes.SHA256())
        (folder / path).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(folder / "server.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
