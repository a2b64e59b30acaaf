"""What leads a client, or a container, to the fake and nowhere else: no metadata service, no sign-in elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs

from trivet.rehearsal.fakes.gcp.refusals import JSON, invalid
from trivet.rehearsal.fakes.gcp.server import Request
from trivet.rehearsal.fakes.refusing import Answer, Refused

ACCOUNT, APPLICATION, SUBJECT = "account.json", "application.json", "subject.txt"
TOKEN = "/token"  # noqa: S105  a path
SECONDS = 3599  # for which a token holds; what Google's says
OVERRIDDEN = ("AIPLATFORM", "CLOUDKMS", "MONITORING", "LOGGING", "ARTIFACTREGISTRY", "CLOUDRESOURCEMANAGER", "IAM")
_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_BEARER, _JWT = "urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"


def write(folder: Path, address: str) -> None:
    """Lay down a service account's file that sends obstore here without a token, and an identity from elsewhere.

    The second is what libraries of Google's find as the application's own; they change it for a token of this fake's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    account = {"gcs_base_url": address, "disable_oauth": True, "client_email": "", "private_key": ""}
    (folder / ACCOUNT).write_text(json.dumps({**account, "private_key_id": ""}))
    (folder / SUBJECT).write_text("rehearsal")
    application = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/rehearsal",
        "subject_token_type": _JWT,
        "token_url": f"{address}{TOKEN}",
        "credential_source": {"file": str(folder / SUBJECT)},
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
    """A token for another one; RFC 8693.

    :raises Refused: for another grant.
    """
    given = parse_qs(request.body.decode(errors="replace"))
    if given.get("grant_type") != [_GRANT] or not given.get("subject_token"):
        raise invalid(f"Only the grant {_GRANT} is known.")
    said = {"access_token": "rehearsal", "expires_in": SECONDS, "token_type": "Bearer", "issued_token_type": _BEARER}
    return 200, list(JSON), json.dumps(said).encode()


def render(error: Refused) -> Answer:
    """No token, as RFC 6749 has it."""
    status = error.status if error.status >= 500 else 400
    return status, list(JSON), json.dumps({"error": "invalid_grant", "error_description": error.message}).encode()
