"""What the serving image of these tests runs: it starts at once, and misbehaves as its environment says."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = Path(os.environ.get("TRIVET_MODEL", "/opt/ml/model"))
NAME = os.environ.get("TOY_NAME", "toy")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(int(os.environ.get("TOY_PING", "200")), b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sys.stdout.write(f"{NAME} got {len(body)} bytes\n")
        sys.stdout.flush()
        if body == b"die":
            os._exit(3)
        if body == b"sleep":
            time.sleep(2)
        if body == b"write":
            (MODEL / "new.txt").write_text("no")
        if body.startswith(b"status "):
            self.answer(int(body.split()[1]), b"as told")
            return
        status = int(os.environ.get("TOY_STATUS", "200"))
        files = sorted(path.name for path in MODEL.iterdir())
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.answer(status, json.dumps({"name": NAME, "files": files, "headers": headers}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"name={NAME}")
        self.send_header("X-Dropped", "yes")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    assert sys.argv[1:] == ["serve"], sys.argv
    if "TOY_CRASH" in os.environ:
        sys.exit("cannot load the model")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer((os.environ["TRIVET_HOST"], int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
