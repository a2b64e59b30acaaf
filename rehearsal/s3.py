"""S3 on the loopback address: moto behind a server that answers conditional writes one at a time, as S3 promises.

Of writers that create one key, moto alone would let several win. What a client may meet, a test can ask for: requests
that take long, are refused, or find nobody.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from trivet.rehearsal.locked import UNCHECKED, lacks_checksum

HOST, REGION = "127.0.0.1", "eu-central-1"
BUSY, FAILED = "503 Slow Down", "500 Internal Server Error"


class S3:
    """The service. ``delay`` are seconds before each answer, ``refuses`` whether it says that it is busy; of the next
    ``loses`` requests that write, the work is done and the answer says that it failed."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        class Silent(MotoRequestHandler):
            def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
                """What is asked is in ``asked``."""

        self.delay = 0.0
        self.refuses = False
        self.loses = 0
        self.asked: list[tuple[str, str]] = []  # method and path of each request, in their order
        self._app = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = threading.Lock()
        self._server = make_server(HOST, 0, self._answer, threaded=True, request_handler=Silent)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://{HOST}:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a client comes here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def make_bucket(self, *, locked: bool = False) -> str:
        """Make a bucket that nobody else of this process has, and return its name.

        :param locked: its objects may not be changed for a day.
        """
        import boto3

        name, client = f"bucket-{secrets.token_hex(8)}", self._client(boto3)
        place: Any = {"LocationConstraint": REGION}
        client.create_bucket(Bucket=name, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=locked)
        if locked:
            rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
            client.put_object_lock_configuration(
                Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
            )
        return name

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Everything in a bucket, by key."""
        import boto3

        client = self._client(boto3)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def _client(self, boto3: Any) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="rehearsal",
            aws_secret_access_key="rehearsal",  # noqa: S106  nobody's
        )

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        time.sleep(self.delay)
        if self.refuses:
            start_response(BUSY, [("Content-Length", "0")])
            return [b""]
        if lacks_checksum(environ):
            start_response("400 Bad Request", [])
            return [f"<Error><Code>InvalidRequest</Code><Message>{UNCHECKED}</Message></Error>".encode()]
        loses = self.loses > 0 and environ["REQUEST_METHOD"] == "PUT"
        with self._one_at_a_time if environ.get("HTTP_IF_NONE_MATCH") == "*" else nullcontext():
            answer = self._app(environ, (lambda *_, **__: lambda _: None) if loses else start_response)
        if not loses:
            return answer
        self.loses -= 1
        start_response(FAILED, [("Content-Length", "0")])
        return [b""]

    def __enter__(self) -> S3:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
