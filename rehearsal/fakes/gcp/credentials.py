"""What leads a client, or a container, to the fake and nowhere else: no metadata service, no sign-in elsewhere."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from trivet.rehearsal.fakes.gcp.names import PROJECT
from trivet.rehearsal.fakes.gcp.refusals import JSON, invalid
from trivet.rehearsal.fakes.gcp.server import Request
from trivet.rehearsal.fakes.refusing import Answer, Refused

ACCOUNT, APPLICATION = "account.json", "application.json"
TOKEN = "/token"  # noqa: S105  a path
EMAIL = f"rehearsal@{PROJECT}.iam.gserviceaccount.com"
SECONDS = 3599  # for which a token holds; what Google's says
OVERRIDDEN = ("AIPLATFORM", "CLOUDKMS", "MONITORING", "LOGGING", "ARTIFACTREGISTRY", "CLOUDRESOURCEMANAGER")
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def write(folder: Path, address: str) -> None:
    """Lay down the files of two service accounts: one sends obstore here without a token, for the other there are some.

    The second is what libraries of Google's find as the application's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    account = {"gcs_base_url": address, "disable_oauth": True, "client_email": "", "private_key": ""}
    (folder / ACCOUNT).write_text(json.dumps({**account, "private_key_id": ""}))
    application = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "rehearsal",
        "private_key": _private_key(),
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": f"{address}{TOKEN}",
    }
    (folder / APPLICATION).write_text(json.dumps(application))


def environment(folder: Path, address: str, project: str) -> dict[str, str]:
    """The variables that gcloud, google-auth, google-cloud-storage and obstore read."""
    return {
        "STORAGE_EMULATOR_HOST": address,
        "GOOGLE_SERVICE_ACCOUNT": str(folder / ACCOUNT),
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / APPLICATION),
        "GOOGLE_CLOUD_PROJECT": project,
        "GCE_METADATA_HOST": address.removeprefix("http://"),  # whoever looks for a machine's account finds none here
        "NO_GCE_CHECK": "true",
        "NO_PROXY": "127.0.0.1",
        **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name}": f"{address}/" for name in OVERRIDDEN},
    }


def token(request: Request) -> Answer:
    """A token for a service account; RFC 7523.

    :raises Refused: for another grant.
    """
    given = parse_qs(request.body.decode(errors="replace"))
    if given.get("grant_type") != [_GRANT] or not given.get("assertion"):
        raise invalid(f"Only the grant {_GRANT} is known.")
    said = {"access_token": "rehearsal", "expires_in": SECONDS, "token_type": "Bearer"}
    return 200, list(JSON), json.dumps(said).encode()


def render(error: Refused) -> Answer:
    """No token, as RFC 6749 has it."""
    status = error.status if error.status >= 500 else 400
    return status, list(JSON), json.dumps({"error": "invalid_grant", "error_description": error.message}).encode()


@functools.cache
def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()
