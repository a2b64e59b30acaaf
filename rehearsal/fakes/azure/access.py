"""Tokens: Entra ID's own addresses and a machine's identity give them, and every service asks for one that is for it.

They look like those of Entra ID, since clients read them, but nobody signed them: this fake knows what it gave.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from trivet.rehearsal.fakes.azure.certificates import AUTHORITY
from trivet.rehearsal.fakes.azure.names import AUDIENCES, CLIENT, LOGIN, SUBSCRIPTION, TENANT, left_out
from trivet.rehearsal.fakes.azure.refusals import JSON
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.azure.constraints import Constraints
    from trivet.rehearsal.fakes.azure.settings import Settings

IDENTITY = "/identity/token"
_SECRET = "rehearsal"  # noqa: S105  what the endpoint of an identity wants to hear, so that no page of a browser asks it
_GRANTS = ("client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer")


class Tokens:
    """Those that were given, and until when each is good for which resource."""

    def __init__(self, constraints: Constraints, settings: Settings) -> None:
        self._constraints = constraints
        self._settings = settings
        self._lock = threading.Lock()
        self._given: dict[str, tuple[str, float]] = {}

    def issue(self, audience: str) -> tuple[str, float]:
        """A token for a resource, and when it ends, in seconds since 1970."""
        now = int(time.time())
        until = now + self._settings.token
        head = {"typ": "JWT", "alg": "RS256", "kid": "rehearsal"}
        claims = {"aud": audience, "tid": TENANT, "appid": CLIENT, "oid": CLIENT, "iat": now, "nbf": now}
        claims |= {"exp": int(until), "iss": f"https://sts.windows.net/{TENANT}/", "ver": "1.0"}
        token = ".".join([*(_encoded(json.dumps(one).encode()) for one in (head, claims)), secrets.token_urlsafe(32)])
        with self._lock:
            self._given[token] = audience.rstrip("/"), until
        return token, until

    def check(self, given: str, service: str, refusal: Callable[[str], Refused]) -> None:
        """Hold the header Authorization of a request to what was given.

        :raises Refused: by ``refusal``, with a sentence.
        """
        found = self._given.get(given.removeprefix("Bearer "))
        demand = self._constraints.demand
        demand("tokens", bool(given), refusal("Authentication failed. The 'Authorization' header is missing."))
        demand("tokens", found is not None, refusal("The access token is invalid."))
        audience, until = found or ("", time.time() + 1)
        demand("tokens", until > time.time(), refusal("The access token has expired."))
        said = f"The access token has been obtained for wrong audience or resource '{audience}'."
        demand("audiences", found is None or audience in AUDIENCES[service], refusal(said))

    def forget(self) -> None:
        """None is good any more."""
        with self._lock:
            self._given.clear()

    def of_identity(self, request: Request) -> Answer:
        """A token as App Service and Azure ML's computes give it to what runs there, for the identity they have.

        :raises Refused: without the header that says it is meant.
        """
        if request.headers.get("x-identity-header") != _SECRET:
            raise Refused("unauthorized_client", "The header X-IDENTITY-HEADER is missing or wrong.", 401)
        resource = request.one("resource")
        token, until = self.issue(resource)
        content = {"access_token": token, "expires_on": str(int(until)), "resource": resource, "token_type": "Bearer"}
        return 200, list(JSON), json.dumps({**content, "client_id": CLIENT}).encode()

    def of_login(self, request: Request) -> Answer:
        """A token by a secret or a federated token, and what clients ask about a tenant before.

        :raises Refused: for any other grant.
        """
        if request.path.endswith("/.well-known/openid-configuration"):
            base = f"https://{LOGIN}/{TENANT}"
            content = {"authorization_endpoint": f"{base}/oauth2/v2.0/authorize", "issuer": f"{base}/v2.0"}
            content |= {"token_endpoint": f"{base}/oauth2/v2.0/token", "jwks_uri": f"{base}/discovery/v2.0/keys"}
            return 200, list(JSON), json.dumps(content).encode()
        if request.path.endswith("/discovery/instance"):
            known = {"preferred_network": LOGIN, "preferred_cache": "login.windows.net", "aliases": [LOGIN]}
            tenant = f"https://{LOGIN}/{TENANT}/v2.0/.well-known/openid-configuration"
            return 200, list(JSON), json.dumps({"tenant_discovery_endpoint": tenant, "metadata": [known]}).encode()
        if request.method != "POST" or not request.path.endswith("/token"):
            raise left_out(f"address of Entra ID at {request.method} {request.path}")
        given = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        if given.get("grant_type") not in _GRANTS:
            said = "AADSTS70003: The app requested an unsupported grant type."
            raise Refused("unsupported_grant_type", said)
        if not (given.get("client_secret") or given.get("client_assertion")):
            said = "AADSTS7000218: The request body must contain 'client_assertion' or 'client_secret'."
            raise Refused("invalid_client", said, 401)
        audience = given.get("scope", "").split(" ")[0].removesuffix("/.default") or given.get("resource", "")
        token, until = self.issue(audience)
        content = {"token_type": "Bearer", "access_token": token, "expires_in": int(until - time.time())}
        return 200, list(JSON), json.dumps(content).encode()


def environment(folder: Path, address: str) -> dict[str, str]:
    """The variables that lead clients here: this fake is their proxy, their authority and their identity."""
    authority = str(folder / AUTHORITY)
    return {
        "HTTPS_PROXY": address,
        "https_proxy": address,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "REQUESTS_CA_BUNDLE": authority,
        "SSL_CERT_FILE": authority,
        "IDENTITY_ENDPOINT": f"{address}{IDENTITY}",
        "IDENTITY_HEADER": _SECRET,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    }


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
