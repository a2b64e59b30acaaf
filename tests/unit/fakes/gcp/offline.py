"""``python offline.py FOLDER IMAGES``: the fake and Google's SDKs where there is no network but loopback.

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
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform, storage
    from google.cloud.aiplatform import jobs

    from trivet.platforms.store import ObjectStore
    from trivet.rehearsal.fakes.gcp import Fake

    jobs._JOB_WAIT_TIME = 0.05  # type: ignore[attr-defined]
    with Fake(folder, images, operation=0.0) as fake:
        os.environ.update(fake.environment)
        nobody = AnonymousCredentials()
        storage.Client(fake.project, nobody).create_bucket("store-1")  # by STORAGE_EMULATOR_HOST
        ObjectStore("gs://store-1").put("key", b"value")
        aiplatform.init(
            project=fake.project,
            location=fake.location,
            credentials=nobody,
            api_transport="rest",
            api_endpoint=fake.endpoint,
        )
        container = {"image_uri": "hub/training:1", "args": [json.dumps({"obstore": "gs://store-1/mine"})]}
        pool = {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1, "container_spec": container}
        job = aiplatform.CustomJob("job", [pool], base_output_dir="gs://store-1/out", staging_bucket="gs://store-1")
        job.run(sync=True)
        keys = ObjectStore("gs://store-1").list("")
        inside = sorted(TRIED)
        return {"outside": reachable(OUTSIDE), "tried": inside, "job": job.state.name, "keys": keys}


def reachable(address: tuple[str, int]) -> str:
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError as error:
        return str(error.strerror or error)
    return "reached"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), json.loads(sys.argv[2]))) + "\n")
