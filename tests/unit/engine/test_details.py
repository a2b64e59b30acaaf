"""What an error carries besides its text is read without a class that Google's own SDKs have too."""

from __future__ import annotations

import subprocess
import sys

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from trivet.infra.engine.details import details

BOTH = ["trivet.infra.engine.provider", "google.cloud.aiplatform"]


@given(seconds=st.lists(st.integers(-1000, 1000), max_size=4), message=st.text(max_size=20), code=st.integers(0, 16))
def test_the_messages_of_a_status_are_found(seconds: list[int], message: str, code: int):
    status = status_pb2.Status(code=code, message=message)
    for one in seconds:
        status.details.add().Pack(Duration(seconds=one))
    found = []
    for packed in details(status.SerializeToString()):
        duration = Duration()
        assert packed.Unpack(duration)
        found.append(duration.seconds)
    assert found == seconds


def test_what_is_no_status_is_refused():
    with pytest.raises(DecodeError):
        details(b"\xff\xff no status")


@pytest.mark.parametrize("order", [BOTH, BOTH[::-1]], ids=["engine first", "sdk first"])
def test_the_engine_and_googles_sdk_are_in_one_process(order: list[str]):
    """The control: with Pulumi's class of that name loaded, Google's packages cannot be."""
    load = lambda names: subprocess.run(  # noqa: E731
        [sys.executable, "-Pc", "\n".join(f"import {name}" for name in names)], capture_output=True, text=True
    )
    assert load(order).returncode == 0
    broken = load(["pulumi.runtime.proto.status_pb2", "google.rpc.status_pb2"])
    assert "duplicate symbol 'google.rpc.Status'" in broken.stderr
