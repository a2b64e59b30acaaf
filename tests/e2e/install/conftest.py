"""A package index over TLS with a CA of its own, and a small checkout that installs from it."""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import http.server
import ipaddress
import os
import shutil
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from uv import find_uv_bin

REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Wheel:
    """A wheel of one module, whose console script of the same name prints its version."""

    name: str
    version: str

    @classmethod
    def of(cls, pin: str) -> Wheel:
        """The wheel of a pin such as ``alpha==1.0``."""
        return cls(*pin.split("=="))

    def write(self, folder: Path) -> Path:
        """Build it into ``folder``, byte for byte the same each time."""
        info = f"{self.name}-{self.version}.dist-info"
        files = {
            f"{self.name}.py": f"def main():\n    print({self.version!r})\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[console_scripts]\n{self.name} = {self.name}:main\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}-{self.version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
        return path


@dataclass
class Index:
    """A running index of files in ``folder``; ``requests`` are the paths that were asked for."""

    folder: Path
    ca: Path
    port: int = 0
    requests: list[str] = field(default_factory=list)
    stalled: threading.Event = field(default_factory=threading.Event)
    stall: bool = False
    credentials: str = ""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/simple/"

    def add(self, *pins: str) -> None:
        """Offer the wheels of ``pins``, such as ``alpha==1.0``, in the layout of PEP 503."""
        for wheel in map(Wheel.of, pins):
            wheel.write(self.folder / "simple" / wheel.name)


class IndexHandler(http.server.SimpleHTTPRequestHandler):
    """Serves the files of an index: a folder's listing is the page of links that PEP 503 wants."""

    def __init__(self, *args: object, index: Index) -> None:
        self.index = index
        super().__init__(*args, directory=str(index.folder))  # pyright: ignore[reportArgumentType]

    def do_GET(self) -> None:
        self.index.requests.append(self.path)
        if self.index.credentials and self.headers.get("Authorization") != self._expected():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.index.stall and self.path.endswith(".whl"):
            self.index.stalled.set()
            self.rfile.read(1)  # until the client goes away
        else:
            super().do_GET()

    def _expected(self) -> str:
        return "Basic " + base64.b64encode(self.index.credentials.encode()).decode()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Keep quiet."""


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that distrusts the certificate, or was killed, hangs up: no concern of ours."""


class Certificates:
    """A CA and a certificate for 127.0.0.1 and index.test, as PEM files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.ca, self.server = folder / "ca.pem", folder / "server.pem"
        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of a test")])
        identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
        ca = (
            self._certificate(name, name, ca_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(self._usage(ca=True), critical=True)
            .sign(ca_key, hashes.SHA256())
        )
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("index.test")]
        leaf = (
            self._certificate(x509.Name([]), name, key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
            .add_extension(self._usage(ca=False), critical=True)
            .sign(ca_key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.ca.write_bytes(ca.public_bytes(pem))
        self.server.write_bytes(private + leaf.public_bytes(pem))

    @staticmethod
    def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
        return builder.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)

    @staticmethod
    def _usage(*, ca: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=not ca,
            key_cert_sign=ca,
            crl_sign=ca,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index with alpha 1.0 and 1.1 and beta 2.0 on a loopback port."""
    certificates = Certificates(tmp_path / "certificates")
    index = Index(tmp_path / "index", certificates.ca)
    index.add("alpha==1.0", "alpha==1.1", "beta==2.0")
    server = Server(("127.0.0.1", 0), functools.partial(IndexHandler, index=index))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    index.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield index
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Checkout:
    """A small copy of this repository, with locks of the index's wheels instead of ours."""

    root: Path
    index: Index
    environment: dict[str, str]

    @property
    def python(self) -> Path:
        return self.root / ".venv/bin/python"

    def lock(self, name: str, *pins: str) -> None:
        """Write ``requirements/<name>.txt`` with ``pins``, each with the hash of its wheel."""
        lines = [f"{pin} \\\n    --hash=sha256:{self._digest(pin)}\n" for pin in pins]
        (self.root / f"requirements/{name}.txt").write_text("# a lock\n" + "".join(lines))

    def _digest(self, pin: str) -> str:
        return hashlib.sha256(Wheel.of(pin).write(self.root.parent / "scratch").read_bytes()).hexdigest()

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run make here; a variable set to the empty string counts as set, for UV and PIP_* alike."""
        return subprocess.run(
            ["make", *arguments],
            cwd=self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command from a folder that is not the checkout."""
        environment = {"PATH": self.environment["PATH"]}
        return subprocess.run(
            command, cwd=self.root.parent, env=environment, capture_output=True, text=True, timeout=60
        )


@pytest.fixture
def checkout(request: pytest.FixtureRequest, tmp_path: Path, index: Index) -> Checkout:
    """A checkout that installs with uv, or with the installer that a test names; no setting of the machine counts."""
    installer = getattr(request, "param", "uv")
    root = tmp_path / "checkout"
    for folder in ("requirements", "trivet", "data"):
        (root / folder).mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, root)
    shutil.copytree(REPOSITORY / "tools", root / "tools")
    (root / "trivet/__init__.py").touch()
    (root / "trivet/__main__.py").write_text("import sys\nprint('trivet', *sys.argv[1:])\n")
    (root / "data/__init__.py").touch()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PYTHON": sys.executable,
        "UV": find_uv_bin() if installer == "uv" else "",
        "UV_NO_CONFIG": "1",
        "UV_HTTP_RETRIES": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "1",
        "PIP_INDEX_URL": index.url,
        "SSL_CERT_FILE": str(index.ca),
    }
    checkout = Checkout(root, index, environment)
    checkout.lock("local", "alpha==1.0")
    checkout.lock("dev", "alpha==1.0", "beta==2.0")
    return checkout
