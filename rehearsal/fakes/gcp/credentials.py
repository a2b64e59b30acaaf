"""What leads a client, or a container, to the fake and nowhere else: no metadata service, no sign-in elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from trivet.rehearsal.fakes.gcp.names import PROJECT

ACCOUNT, APPLICATION = "account.json", "application.json"
OVERRIDDEN = (
    *("AIPLATFORM", "CLOUDKMS", "MONITORING", "LOGGING", "ARTIFACTREGISTRY", "CLOUDRESOURCEMANAGER", "IAM"),
    *("SERVICEUSAGE", "CLOUDQUOTAS"),
)


def write(folder: Path, address: str) -> None:
    """Lay down a service account's file that sends obstore here without a token, and a user's with one.

    The second is what libraries of Google's find as the application's own. Its token never ends, so that nobody is
    asked for another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    account = {"gcs_base_url": address, "disable_oauth": True, "client_email": "", "private_key": ""}
    (folder / ACCOUNT).write_text(json.dumps({**account, "private_key_id": ""}))
    user = {
        "type": "authorized_user",
        "client_id": "rehearsal",
        "client_secret": "rehearsal",
        "refresh_token": "rehearsal",
        "token": "rehearsal",
        "expiry": "2999-01-01T00:00:00Z",
        "quota_project_id": PROJECT,
    }
    (folder / APPLICATION).write_text(json.dumps(user))


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
