"""``python offline.py FOLDER IMAGES``: the fake and Microsoft's SDKs where there is no network but loopback.

It runs in a network namespace of its own (``unshare -rn``), since no guard in Python sees a client in Rust. Says on
its last line whether an address outside can be reached, whom Python code asked for, and what the SDKs did.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import sys
from pathlib import Path

HERE = Path(__file__).parent
OUTSIDE = ("192.0.2.1", 443)  # TEST-NET-1: nobody's


TRIED: set[str] = set()


def listen(event: str, arguments: tuple[object, ...]) -> None:
    """Note whom Python code asks for or connects to: an SDK that reports to somebody would be seen here."""
    if event == "socket.getaddrinfo":
        TRIED.add(str(arguments[0]))
    elif event == "socket.connect":
        address = arguments[1]
        TRIED.add(str(address[0] if isinstance(address, tuple) else address))


def main(folder: Path, images: dict[str, object]) -> dict[str, object]:
    sys.addaudithook(listen)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:  # what `ip link set lo up` does
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))
    from azure.ai.ml import MLClient, command
    from azure.ai.ml.entities import Environment
    from azure.identity import ManagedIdentityCredential

    from trivet.core.waiting import wait_for
    from trivet.platforms.store import ObjectStore
    from trivet.rehearsal.fakes.azure import Fake

    with Fake(folder, images, operation=0.0) as fake:
        os.environ.update(fake.environment)
        place = fake.subscription, fake.group, fake.workspace
        ml = MLClient(ManagedIdentityCredential(), *place, show_progress=False)  # telemetry as it is by default
        container = ml.datastores.get_default().container_name
        store = f"https://{fake.account}.blob.core.windows.net/{container}"
        ObjectStore(store).put("key", b"value")
        made = ml.environments.create_or_update(Environment(name="train", version="1", image="hub/training:1"))
        line = f"python {HERE / 'job.py'} '{json.dumps({'obstore': f'{store}/mine'})}'"
        job = ml.jobs.create_or_update(command(command=line, environment=made.id))

        def ended() -> str | None:
            status = ml.jobs.get(job.name).status
            status = str(getattr(status, "value", status))
            return status if status in ("Completed", "Failed", "Canceled") else None

        status = wait_for(ended, "the end of the job", seconds=60, longest=0.1)
        elsewhere = sorted({call["resource"] for call in fake.calls() if call["service"] == "elsewhere"})
        keys = ObjectStore(store).list("")
        inside = sorted(TRIED)
        return {
            "outside": reachable(OUTSIDE),
            "tried": inside,
            "job": status,
            "keys": [key for key in keys if not key.startswith("azureml/")],
            "elsewhere": elsewhere,
        }


def reachable(address: tuple[str, int]) -> str:
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError as error:
        return str(error.strerror or error)
    return "reached"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), json.loads(sys.argv[2]))) + "\n")
