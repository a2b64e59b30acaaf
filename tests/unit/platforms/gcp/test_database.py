"""The password for Cloud SQL: a token that opens databases, and nothing else that its owner may do."""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.oauth2.service_account import Credentials

from trivet.platforms.gcp.clients import SCOPE, Clients
from trivet.platforms.gcp.database import login

HOST = "127.0.0.1"


class Tokens(BaseHTTPRequestHandler):
    """Google's own place for tokens, which says for what each was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        [assertion] = parse_qs(body)["assertion"]
        claims = json.loads(urlsafe_b64decode(f"{assertion.split('.')[1]}=="))
        answer = json.dumps({"access_token": f"for {claims['scope']}", "expires_in": 3600, "token_type": "Bearer"})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def account() -> Iterator[Credentials]:
    """A service account's credentials with every scope that Trivet asks for."""
    server = HTTPServer((HOST, 0), Tokens)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    known = {"client_email": "ada@p.iam.gserviceaccount.com", "private_key": pem}
    known["token_uri"] = f"http://{HOST}:{server.server_port}/token"
    yield Credentials.from_service_account_info(known, scopes=[SCOPE])
    server.shutdown()
    server.server_close()


def test_the_password_is_a_token_for_databases_alone(account: Credentials) -> None:
    found = login(Clients("p", "europe-west3", credentials=account), "postgresql://ada@10.0.0.3/trivet?cloudsql=1")
    assert found is not None
    assert found.password() == "for https://www.googleapis.com/auth/sqlservice.login"
