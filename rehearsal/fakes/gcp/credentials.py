"""What leads a client, or a container, to the fake and nowhere else: no key, no metadata service, no sign-in."""

from __future__ import annotations

import json
from pathlib import Path

ACCOUNT = "account.json"


def write(folder: Path, address: str) -> None:
    """Lay a service account's file down that sends obstore here, and has it ask nobody for a token."""
    account = {"gcs_base_url": address, "disable_oauth": True, "client_email": "", "private_key": ""}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ACCOUNT).write_text(json.dumps({**account, "private_key_id": ""}))


def environment(folder: Path, address: str, project: str) -> dict[str, str]:
    """The variables that google-cloud-storage and obstore read."""
    return {
        "STORAGE_EMULATOR_HOST": address,
        "GOOGLE_SERVICE_ACCOUNT": str(folder / ACCOUNT),
        "GOOGLE_CLOUD_PROJECT": project,
        "GCE_METADATA_HOST": address.removeprefix("http://"),  # whoever looks for a machine's account finds none here
        "NO_GCE_CHECK": "true",
        "NO_PROXY": "127.0.0.1",
    }
