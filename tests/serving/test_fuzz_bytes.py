"""What no generator from a document makes: bytes that are hardly JSON, CSV, gzip or HTTP, on every front.

Each answer is a decision with finite numbers or one sentence of refusal, the server does not fail, and what a client
sends never comes back to it at length.
"""

from __future__ import annotations

import csv
import io
import math
import socket
import zlib
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .oddities import (
    ACCEPTED,
    CSV,
    HEADS,
    HERE,
    INFER,
    JSON,
    LEVELS,
    LIMIT,
    LINED,
    LINES,
    PIECES,
    REFUSED,
    ROUTES,
    SAGEMAKER,
    TABLES,
    TAKEN,
    TEXTS,
    V1,
    request,
)
from .rawhttp import mebibytes_of, read

LONGEST = 2000  # bytes of a refusal


def fuzz(examples: int) -> settings:
    """The same examples every time."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


class Answer(NamedTuple):
    """One response."""

    status: int
    kind: str
    body: bytes


class Client:
    """Sends on one connection for as long as the server keeps it, and judges every answer."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.address = (address.hostname or "", address.port or 0)
        self.statuses: Counter[int] = Counter()
        self._connection = HTTPConnection(*self.address, timeout=30)

    def post(self, path: str, body: bytes, kind: str = JSON, **fields: str) -> Answer:
        """One request."""
        headers = {"Content-Type": kind} | {name.replace("_", "-"): value for name, value in fields.items()}
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        answer = Answer(response.status, response.headers["content-type"], response.read())
        self.statuses[answer.status] += 1
        judge(answer)
        return answer

    def close(self) -> None:
        """Leave."""
        self._connection.close()


def judge(answer: Answer) -> None:
    """A decision with finite numbers, or one sentence."""
    assert answer.status in (200, 400, 406, 413, 415), answer
    if answer.status != 200:
        assert answer.kind == JSON
        body = orjson.loads(answer.body)
        assert list(body) == ["error"] and body["error"]
        assert len(answer.body) < LONGEST, answer.body
    else:
        assert all(math.isfinite(score) for score in scores(answer))


def scores(answer: Answer) -> list[float]:
    """The scores of a decision, in whatever form it came."""
    if answer.kind == CSV:
        return [float(row[0]) for row in csv.reader(io.StringIO(answer.body.decode()), strict=True)]
    if answer.kind == LINES:
        return [orjson.loads(line)["score"] for line in answer.body.splitlines()]
    body = orjson.loads(answer.body)
    if "outputs" in body:
        return next(one["data"] for one in body["outputs"] if one["name"] == "score")
    return [one["score"] for one in body["predictions"]]


@pytest.fixture
def server(start, made, tmp_path):
    """One that records every decision; its log must not tell of a failure in the end."""
    running = start(made, records=str(tmp_path / "records"), max_body_bytes=LIMIT, log_level="warning")
    yield running
    failed = [line for line in running.lines() if line["level"] == "error"]
    assert failed == []
    assert running.stop() == 0


@pytest.fixture
def client(server) -> Iterator[Client]:
    client = Client(server.url)
    yield client
    client.close()


def test_what_is_no_request_is_refused_on_every_front(client):
    for path in ROUTES:
        for name, body in TEXTS.items():
            assert client.post(path, body).status == 400, (path, name)
    assert client.statuses == {400: len(ROUTES) * len(TEXTS)}


def test_values_that_no_model_takes_are_refused_on_every_front(client):
    for path in ROUTES:
        for name, body in REFUSED.items():
            assert client.post(path, body(path)).status == 400, (path, name)


def test_what_only_looks_odd_is_taken_on_every_front(client):
    for path in ROUTES:
        for name, body in TAKEN.items():
            answer = client.post(path, body(path))
            assert answer.status == 200, (path, name, answer.body)
            assert scores(answer) == pytest.approx(scores(client.post(path, request(path))), abs=0.2)


def test_two_members_of_one_name_are_refused_on_every_front(client):
    for path in ROUTES:
        if path == INFER:
            body = request(path, amount=HERE).replace(b'"data": ["HERE"]', b'"data": [900.0], "data": [7.0]')
        else:
            body = request(path).replace(b'"amount": 100.0', b'"amount": 900.0, "amount": 7.0')
        assert client.post(path, body).status == 400


def packed(body: bytes, window: int) -> bytes:
    """A compressed body; 31 makes gzip, 15 deflate, -15 deflate without its frame."""
    stream = zlib.compressobj(9, wbits=window)
    return stream.compress(body) + stream.flush()


def test_bodies_that_are_not_what_their_encoding_says_are_refused(client):
    for coding, window in (("gzip", 31), ("deflate", 15)):
        for path in ROUTES:
            right = packed(request(path), window)
            assert client.post(path, right, Content_Encoding=coding).status == 200
            wrong = {
                "nothing": b"",
                "as it is": request(path),
                "without a frame": packed(request(path), -15),
                "twice": packed(right, window),
                "with a byte after the end": right + b"\0",
                "with another after the end": right * 2,
                "with a wrong sum": right[:-6] + b"\0\0\0\0" + right[-2:],
                **{f"cut after {at} bytes": right[:at] for at in range(1, len(right), 17)},
            }
            for name, body in wrong.items():
                assert client.post(path, body, Content_Encoding=coding).status == 400, (coding, path, name)
    for coding in ("br", "zstd", "compress", "gzip, gzip", "gzip;q=1", "\xe4"):
        assert client.post(V1, request(V1), Content_Encoding=coding).status == 415


def test_a_bomb_is_put_out_before_it_fills_the_memory(server, client):
    bombs = {window: packed(b"[" * (256 << 20), window) for window in (31, 15)}
    assert all(len(bomb) < LIMIT // 2 for bomb in bombs.values())
    client.post(V1, request(V1))
    before = mebibytes_of(server.process.pid)
    for path in ROUTES:
        for coding, window in (("gzip", 31), ("deflate", 15)):
            assert client.post(path, bombs[window], Content_Encoding=coding).status == 413
    assert mebibytes_of(server.process.pid) - before < 40


def test_tables_are_read_in_one_way_or_refused(client):
    for body, rows in TABLES.items():
        for accept in (JSON, CSV, LINES):
            answer = client.post(SAGEMAKER, body, CSV, Accept=accept)
            assert answer.status == (200 if rows else 400), (body[:60], answer.body)
            assert not rows or (answer.kind == accept and len(scores(answer)) == rows)


def test_lines_are_read_in_one_way_or_refused(client):
    for body, rows in LINED.items():
        for accept in (JSON, CSV, LINES):
            answer = client.post(SAGEMAKER, body, LINES, Accept=accept)
            assert answer.status == (200 if rows else 400), (body[:60], answer.body)
            assert not rows or (answer.kind == accept and len(scores(answer)) == rows)


@pytest.mark.slow
def test_any_harm_to_a_right_body_leaves_a_body_that_is_judged(client):
    rights = [(path, request(path), JSON) for path in ROUTES]
    rights += [(SAGEMAKER, b'1,2,3,"car"\r\n100.5,,480,house\n', CSV), (SAGEMAKER, b'[1,2,3,"car"]\n' * 2, LINES)]

    @fuzz(1500)
    @given(st.sampled_from(rights), st.data())
    def harm(right: tuple[str, bytes, str], data: st.DataObject) -> None:
        path, body, kind = right
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(body)))
            drop = data.draw(st.integers(0, 3))
            body = body[:at] + data.draw(st.binary(max_size=3) | st.sampled_from(PIECES)) + body[at + drop :]
        accept = data.draw(st.sampled_from(ACCEPTED)) if path == SAGEMAKER else "*/*"
        client.post(path, body, kind, Accept=accept)

    harm()
    assert client.statuses[200] >= 40
    assert client.statuses[400] >= 500
    assert client.statuses[406] >= 5


@pytest.mark.slow
def test_any_harm_to_a_compressed_body_leaves_a_body_that_is_judged(client):
    right = packed(request(V1), 31)

    @fuzz(500)
    @given(st.integers(0, len(right) - 1), st.binary(max_size=4), st.integers(0, 4))
    def harm(at: int, piece: bytes, drop: int) -> None:
        client.post(V1, right[:at] + piece + right[at + drop :], Content_Encoding="gzip")

    harm()
    assert client.statuses.keys() == {200, 400}


@pytest.mark.slow
def test_any_harm_to_a_head_leaves_an_answer_or_an_end(server, client):
    body = request(V1)
    right = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
        V1.encode(),
        len(body),
    )
    seen: Counter[int] = Counter()

    @fuzz(700)
    @given(st.integers(0, len(right) - 1), st.binary(max_size=3) | st.sampled_from(HEADS), st.integers(0, 6))
    def harm(at: int, piece: bytes, drop: int) -> None:
        with socket.create_connection(client.address, timeout=20) as connection:
            try:
                connection.sendall(right[:at] + piece + right[at + drop :] + body)
                connection.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass
            answers, rest, end = read(connection)
        assert end in ("end", "reset")
        assert rest == b""
        for answer in answers:
            seen[answer.status] += 1
            assert answer.status in (100, 200, 400, 404, 405, 408, 413, 415, 417, 431)
            assert answer.status < 400 or list(orjson.loads(answer.body)) == ["error"]

    harm()
    assert {200, 400, 404, 415} <= seen.keys()


def test_a_client_library_agrees_on_where_every_answer_ends(client):
    for path in ROUTES:
        for _ in range(20):
            assert client.post(path, request(path)).status == 200
            assert client.post(path, b"[" * LEVELS).status == 400
    with pytest.raises(HTTPException):
        HTTPConnection(*client.address, timeout=30).getresponse()
