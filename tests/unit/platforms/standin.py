"""A server that keeps the contract with its supervisor as badly as it is told: ``standin.py BEHAVIOUR CONFIG.json``."""

import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

behaviour, path = sys.argv[1:]
config = json.loads(Path(path).read_text())
[model] = config["models"]
digest = f"sha256:{Path(model['package']).name}"


def tell(line: str) -> None:
    os.write(config["ready_fd"], f"{line}\n".encode())
    os.close(config["ready_fd"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if behaviour == "impostor":
            self.answer({"name": "somebody else"})
        else:
            self.tell_what_is_served()

    def tell_what_is_served(self) -> None:
        self.answer({"name": model["name"], "versions": [model["version"]], "parameters": {"package": digest}})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if behaviour == "crash":
            os._exit(7)
        if behaviour.isdecimal():
            self.answer({"error": f"I say {behaviour}."}, int(behaviour))
        elif behaviour == "prose":
            self.answer("no JSON object")
        elif behaviour == "slow":
            time.sleep(1)
            self.answer({"pid": os.getpid()})
        else:
            self.answer({"pid": os.getpid()})

    def answer(self, value: object, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # what was accepted is answered

    def __init__(self) -> None:
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=config["fd"])
        self.server_name, self.server_port = self.socket.getsockname()[:2]


if behaviour == "exit":
    os.write(1, b"my last words\n")
    sys.exit(3)
if behaviour == "refuse":
    tell("failed I do not want to.")
    time.sleep(60)
if behaviour == "never":
    time.sleep(60)
if behaviour == "liar":
    tell("ready sha256:another")
    time.sleep(60)

server = Server()
if behaviour == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
tell(f"ready {digest}")
if behaviour == "talkative":
    os.write(1, b"word " * 200_000)
server.serve_forever()
server.server_close()
