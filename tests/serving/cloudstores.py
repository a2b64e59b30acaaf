"""``python cloudstores.py FOLDER``: storage services of three clouds on a loopback that is cut off from all else.

obstore is Rust, which no guard in Python sees: so this runs in a network namespace of its own (``unshare -rn``), whose
loopback it brings up. Its first line says whether an address outside can be reached. Then, for each line with a
question, it stores objects, calls ``located`` and answers what became of it.

S3 is moto's server. Google's and Azure's services are made here, for list, get and put alone, after what obstore asks
of them: they prove paths, pages and names, neither credentials nor signatures.
"""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from trivet.core.errors import TrivetError
from trivet.serving.folders import OwnFolder
from trivet.serving.locate import located

PAGE, LARGE_PAGE = 3, 1000  # of few objects and of many
OUTSIDE = ("192.0.2.1", 443)  # TEST-NET-1: nobody's


class Blob(NamedTuple):
    """An object, and the size that the listing claims."""

    data: bytes
    size: int


class Fake(BaseHTTPRequestHandler):
    """Listing and getting objects; ``gets`` counts those that were asked for."""

    protocol_version = "HTTP/1.1"
    buckets: dict[str, dict[str, Blob]] = {}
    gets: list[str] = []

    def do_GET(self) -> None:
        """Answer a listing or an object, whole or a range of it."""
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        bucket, _, key = unquote(address.path.lstrip("/")).removeprefix("devstoreaccount1/").partition("/")
        objects = self.buckets.get(bucket)
        if objects is None or (key and key not in objects):
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif key:
            self.gets.append(key)
            self.send_object(objects[key].data)
        elif query.get("comp") == "list":
            self.answer(200, azure_page(objects, query))
        else:
            self.answer(200, google_page(objects, query))

    def do_PUT(self) -> None:
        """Take an object."""
        path = unquote(urlsplit(self.path).path)
        bucket, _, key = path.lstrip("/").removeprefix("devstoreaccount1/").partition("/")
        data = self.rfile.read(int(self.headers["content-length"]))
        self.buckets.setdefault(bucket, {})[key] = Blob(data, len(data))
        self.answer(201 if "x-ms-version" in self.headers else 200, b"")

    def send_object(self, data: bytes) -> None:
        """What of an object was asked for."""
        first, _, last = self.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
        end = min(int(last) + 1, len(data)) if last else len(data)
        if int(first) >= len(data):
            self.answer(416, b"")
            return
        content_range = f"bytes {first}-{end - 1}/{len(data)}"
        self.answer(206 if "range" in self.headers else 200, data[int(first) : end], content_range)

    def answer(self, status: int, body: bytes, content_range: str = "") -> None:
        """Send a response with the fields that a client wants of an object."""
        self.send_response(status)
        fields = {"content-length": str(len(body)), "etag": '"1"', "last-modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
        for name, value in (fields | ({"content-range": content_range} if content_range else {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def page_of(objects: dict[str, Blob], prefix: str, after: str) -> tuple[list[tuple[str, Blob]], str]:
    """Some objects in their order, and the mark for the next page."""
    left = sorted((key, blob) for key, blob in objects.items() if key.startswith(prefix) and key > after)
    size = PAGE if len(objects) < LARGE_PAGE else LARGE_PAGE
    return left[:size], left[size - 1][0] if len(left) > size else ""


def google_page(objects: dict[str, Blob], query: dict[str, str]) -> bytes:
    """A listing of Google's XML API."""
    page, mark = page_of(objects, query.get("prefix", ""), query.get("continuation-token", ""))
    contents = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{blob.size}</Size><ETag>1</ETag>"
        "<LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>"
        for key, blob in page
    )
    rest = (
        f"<IsTruncated>true</IsTruncated><NextContinuationToken>{escape(mark)}</NextContinuationToken>" if mark else ""
    )
    return f"<ListBucketResult>{rest}{contents}</ListBucketResult>".encode()


def azure_page(objects: dict[str, Blob], query: dict[str, str]) -> bytes:
    """A listing of Azure Blob."""
    page, mark = page_of(objects, query.get("prefix", ""), query.get("marker", ""))
    blobs = "".join(
        f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>Wed, 01 Jan 2025 00:00:00 GMT</Last-Modified>"
        f"<Etag>1</Etag><Content-Length>{blob.size}</Content-Length><Content-Type>a/b</Content-Type></Properties></Blob>"
        for key, blob in page
    )
    more = f"<NextMarker>{escape(mark)}</NextMarker>"
    return f"<EnumerationResults><Blobs>{blobs}</Blobs>{more}</EnumerationResults>".encode()


def bring_up_loopback() -> None:
    """What ``ip link set lo up`` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING


def reachable(address: tuple[str, int]) -> str:
    """How an attempt to connect ends."""
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError as error:
        return str(error.strerror or error)
    return "reached"


def serve_s3() -> Any:
    """moto's S3, and a client to fill it."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true"}
    return boto3.client("s3", endpoint_url=f"http://{host}:{port}")


def serve_others(folder: Path) -> tuple[tuple[str, int], dict[str, str]]:
    """Google's and Azure's: where they are, and the variables with which a client comes there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fake)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    account = {"gcs_base_url": url, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    (folder / "account.json").write_text(json.dumps(account))
    return ("127.0.0.1", server.server_port), {
        "GOOGLE_SERVICE_ACCOUNT": str(folder / "account.json"),
        "AZURE_STORAGE_ACCOUNT_NAME": "devstoreaccount1",
        "AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(b"key").decode(),
        "AZURE_STORAGE_ENDPOINT": f"{url}/devstoreaccount1",
        "AZURE_ALLOW_HTTP": "true",
    }


def store(s3: Any, cloud: str, bucket: str, objects: list[list[Any]]) -> None:
    """Fill a fresh bucket with names, base64 contents and sizes to claim."""
    if cloud == "s3":
        s3.create_bucket(Bucket=bucket)
        for key, data, _ in objects:
            s3.put_object(Bucket=bucket, Key=key, Body=base64.b64decode(data))
    else:
        contents = {key: (base64.b64decode(data), size) for key, data, size in objects}
        Fake.buckets[bucket] = {
            key: Blob(data, len(data) if size is None else size) for key, (data, size) in contents.items()
        }


class Clouds:
    """The process that holds the storage services, cut off from every network."""

    def __init__(self, folder: Path) -> None:
        script = [sys.executable, __file__, str(folder)]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "-rn", *script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
            )
        self.numbers = itertools.count()
        self.folder = folder
        self.network = self._read()

    def ask(
        self, cloud: str, objects: dict[str, bytes], path: str = "/a/model", sizes: Any = None, **environ: str
    ) -> dict[str, Any]:
        """What ``located`` says of these objects below ``path``; ``sizes`` are what the listing claims."""
        bucket = f"bucket-{next(self.numbers)}"
        listed = [
            (f"a/model/{name}", base64.b64encode(data).decode(), (sizes or {}).get(name))
            for name, data in objects.items()
        ]
        question = {"cloud": cloud, "bucket": bucket, "objects": listed, "environ": environ}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question | {"url": f"{cloud}://{bucket}{path}"}) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "log").read_text()[-2000:]
        return json.loads(line)


def main(folder: Path) -> None:
    """Answer questions until there are none."""
    bring_up_loopback()
    s3 = serve_s3()
    others, environment = serve_others(folder)
    os.environ |= environment
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what moto prints goes to the log
    print(json.dumps({"outside": reachable(OUTSIDE), "inside": reachable(others)}), file=answers, flush=True)
    own: list[OwnFolder] = []  # as long as it is held, a folder stays
    for line in sys.stdin:
        question = json.loads(line)
        store(s3, question["cloud"], question["bucket"], question["objects"])
        Fake.gets.clear()
        answer: dict[str, Any] = {"error": "", "message": "", "gets": Fake.gets}
        scratch = folder / question["bucket"]
        scratch.mkdir()
        own.append(OwnFolder("packages-", scratch))
        try:
            answer["model"] = located(question["url"], own[-1], question["environ"]).model_dump(mode="json")
        except TrivetError as error:
            answer |= {"error": type(error).__name__, "message": str(error)}
        answer["left"] = [path.name for path in scratch.iterdir()]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
