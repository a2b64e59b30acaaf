"""What the serving image of these tests runs: it starts at once, and misbehaves as it is told."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = os.environ.get("TOY_NAME", "toy")
SEEN: list[str] = []
SICK = {route for route in ("live", "ready") if f"TOY_NOT_{route.upper()}" in os.environ}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        well = self.path in ("/live", "/ready") and self.path[1:] not in SICK
        self.answer(200 if well else 500, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sys.stdout.write(f"{NAME} got {len(body)} bytes\n")
        sys.stdout.flush()
        if self.path != "/predict":
            self.answer(404, b"no such route")
            return
        SEEN.append(body.decode())
        asked = json.loads(body)
        word = str(asked.get("do", "")) if isinstance(asked, dict) else ""
        if word == "die":
            os._exit(3)
        if word.startswith("sleep "):
            time.sleep(float(word.split()[1]))
        if word.startswith("sicken "):
            SICK.add(word.split()[1])
        if word.startswith("status "):
            self.answer(int(word.split()[1]), b"as told")
            return
        told = {
            "environment": lambda: dict(os.environ),
            "headers": lambda: {name.lower(): value for name, value in self.headers.items()},
            "seen": lambda: SEEN,
            "pid": os.getpid,
            "files": files,
            "write": write,
        }
        self.answer(200, json.dumps(told[word]() if word in told else NAME).encode())

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def files() -> dict[str, str]:
    root = Path(os.environ["AZUREML_MODEL_DIR"])
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def write() -> str:
    try:
        (Path(os.environ["AZUREML_MODEL_DIR"]) / "mine.txt").write_text("x")
    except OSError as error:
        return type(error).__name__ if error.errno != 30 else "read-only"
    return "written"


if __name__ == "__main__":
    if "TOY_CRASH" in os.environ:
        sys.exit("cannot load the model")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer((os.environ["TRIVET_HOST"], int(os.environ["TRIVET_PORT"])), Handler).serve_forever()
