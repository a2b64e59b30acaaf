"""What the serving image of these tests runs: it starts at once, and misbehaves as it is told."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.environ.get("TOY_NAME", "toy")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        well = self.path == os.environ["AIP_HEALTH_ROUTE"] and "TOY_SICK" not in os.environ
        self.answer(200 if well else 404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sys.stdout.write(f"{NAME} got {len(body)} bytes\n")
        sys.stdout.flush()
        if self.path != os.environ["AIP_PREDICT_ROUTE"]:
            self.answer(404, b"")
        elif self.headers["Content-Type"] != "application/json":
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.answer(201, json.dumps({"headers": headers, "body": body.decode()}).encode(), "text/x-toy")
        else:
            self.predict(json.loads(body))

    def predict(self, asked: dict[str, object]) -> None:
        first = str(asked["instances"][0]) if asked["instances"] else ""  # type: ignore[index]
        if first == "die":
            os._exit(3)
        if first == "sleep":
            time.sleep(2)
        if first.startswith("status "):
            self.answer(int(first.split()[1]), b"as told")
            return
        if first == "nonsense":
            self.answer(200, b'{"scores": 1}')
            return
        one: object = NAME
        if first == "environment":
            one = dict(os.environ)
        if first == "files":
            from obstore.store import from_url

            store = from_url(os.environ["AIP_STORAGE_URI"])
            one = {
                str(item["path"]): bytes(store.get(item["path"]).bytes()).decode() for item in store.list().collect()
            }
        if first == "large":
            one = "x" * 1_600_000
        answer = {"predictions": [one for _ in asked["instances"]], "metadata": asked.get("parameters")}  # type: ignore[attr-defined]
        self.answer(200, json.dumps(answer).encode())

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Dropped", "yes")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    if "TOY_CRASH" in os.environ:
        sys.exit("cannot load the model")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer((os.environ["TRIVET_HOST"], int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
