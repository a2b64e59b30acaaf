"""What no generator from a document makes: bytes that are hardly JSON, CSV, gzip or HTTP, on every front.

Each answer is a decision with finite numbers or one sentence of refusal, the server does not fail, and what a client
sends never comes back to it at length.
"""

from __future__ import annotations

import csv
import io
import json
import math
import socket
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .rawhttp import mebibytes_of, read

INFER, V1, VERTEX, AZURE, SAGEMAKER = (
    "/v2/models/loan/infer",
    "/v1/models/loan:predict",
    "/predict",
    "/score",
    "/invocations",
)
ROUTES = (INFER, V1, VERTEX, AZURE, SAGEMAKER)
JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
ROW = {"amount": 100.0, "income": None, "term": 12, "purpose": "car"}
HERE = "HERE"
LEVELS = 100_000
LIMIT = 1 << 20  # bytes of a body
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


def request(path: str, **changed: Any) -> bytes:
    """A right request of a route, with one row that may be changed."""
    row = ROW | changed
    if path != INFER:
        return json.dumps({"id": "fuzz", "instances": [row]}).encode()
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "BYTES" if name == "purpose" else "FP32", "data": [value]}
        for name, value in row.items()
    ]
    return json.dumps({"id": "fuzz", "inputs": inputs}).encode()


def with_value(value: bytes, name: str = "amount") -> Callable[[str], bytes]:
    """A request in which those bytes stand for a value."""
    return lambda path: request(path, **{name: HERE}).replace(json.dumps(HERE).encode(), value)


def with_member(member: bytes) -> Callable[[str], bytes]:
    """A right request with one more member."""
    return lambda path: request(path)[:-1] + b", " + member + b"}"


TEXTS: dict[str, bytes] = {
    "100,000 arrays": b"[" * LEVELS,
    "100,000 arrays that end": b"[" * LEVELS + b"]" * LEVELS,
    "100,000 objects": b'{"a":' * LEVELS,
    "100,000 objects that end": b'{"a":' * LEVELS + b"1" + b"}" * LEVELS,
    "nothing": b"",
    "white space": b" \r\n\t" * 1000,
    "NUL": b"\0",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "UTF-32": '{"instances": [[1, 2, 3, "car"]]}'.encode("utf-32"),
    "Latin-1": '{"inst\xe4nces": []}'.encode("latin-1"),
    "overlong UTF-8": b'{"\xc0\xaf": 1}',
    "a surrogate in UTF-8": b'{"\xed\xa0\x80": 1}',
    "a lone surrogate as a name": b'{"\\ud800": 1}',
    "a number": b"1",
    "null": b"null",
    "a string of a megabyte": b'"' + b"a" * (LIMIT - 2) + b'"',
    "a name of half a megabyte": b'{"' + b"a" * (LIMIT // 2) + b'": 1}',
    "100,000 names": b"{" + b",".join(b'"%d":0' % number for number in range(LEVELS)) + b"}",
    "single quotes": b"{'instances': []}",
    "a comment": b"{/* */}",
    "a trailing comma": b'{"instances": [],}',
    "XML": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    "a form": b"instances=1",
    "a pickle": b"\x80\x04\x95\x1b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
}
REFUSED: dict[str, Callable[[str], bytes]] = {
    "NaN": with_value(b"NaN"),
    "Infinity": with_value(b"Infinity"),
    "minus Infinity": with_value(b"-Infinity"),
    "1e999": with_value(b"1e999"),
    "minus 1e999": with_value(b"-1e999"),
    "400 digits": with_value(b"9" * 400),
    "minus 400 digits": with_value(b"-" + b"9" * 400),
    "100,000 digits": with_value(b"9" * LEVELS),
    "more than 32 bits hold": with_value(b"3.5e38", "income"),
    "more than 64 bits hold": with_value(b"18446744073709551617", "term"),
    "hexadecimal": with_value(b"0x10"),
    "octal": with_value(b"012"),
    "a plus": with_value(b"+1"),
    "a dot": with_value(b"1."),
    "digits of another script": with_value("\u0661".encode()),
    "true": with_value(b"true"),
    "a number in quotes": with_value(b'"12"'),
    "an empty string": with_value(b'""'),
    "an object": with_value(b"{}"),
    "an empty array": with_value(b"[]"),
    "a number as a word": with_value(b"1", "purpose"),
    "a lone surrogate": with_value(b'"\\ud800"', "purpose"),
    "half a pair": with_value(b'"\\ud83d\\u0041"', "purpose"),
    "bytes that are no UTF-8": with_value(b'"\xff\xfe"', "purpose"),
    "a NUL in a word": with_value(b'"car\\u0000"', "purpose"),
    "a bare NUL in a word": with_value(b'"car\0"', "purpose"),
    "a bare line break": with_value(b'"c\nar"', "purpose"),
    "a word of half a megabyte": with_value(b'"' + b"a" * (LIMIT // 2) + b'"', "purpose"),
    "a lone surrogate as id": lambda path: request(path).replace(b'"fuzz"', b'"\\udfff"'),
    "deep where nobody looks": with_member(b'"x": ' + b"[" * LEVELS + b"]" * LEVELS),
    "a second document": lambda path: request(path) * 2,
    "a second document in a line of its own": lambda path: request(path) + b"\n" + request(path),
    "a byte after the end": lambda path: request(path) + b"\0",
    "a byte less": lambda path: request(path)[:-1],
    "a row too many": lambda path: request(path).replace(b"[1, 1]", b"[2, 1]").replace(b"}]", b"}, 1]"),
}
TAKEN: dict[str, Callable[[str], bytes]] = {
    "1e-999": with_value(b"1e-999"),
    "minus zero": with_value(b"-0.0"),
    "400 decimals": with_value(b"0." + b"1" * 400),
    "white space": lambda path: b"\r\n\t " * 1000 + request(path) + b"\n" * 1000,
    "escapes": lambda path: request(path).replace(b'"amount"', b'"\\u0061mount"'),
    "members that nobody reads": with_member(b'"x": {"\\u0000": [null, -0, "\\ud83d\\ude00"]}'),
    "an id beyond ASCII": lambda path: request(path).replace(b'"fuzz"', '"\u00fc \\r\\n\U0001f600"'.encode()),
}


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


def test_of_two_members_of_one_name_the_last_counts(client):
    once = {path: scores(client.post(path, request(path, amount=7.0))) for path in ROUTES}
    for path in ROUTES:
        if path == INFER:
            body = request(path, amount=HERE).replace(b'"data": ["HERE"]', b'"data": [900.0], "data": [7.0]')
        else:
            body = request(path).replace(b'"amount": 100.0', b'"amount": 900.0, "amount": 7.0')
        assert scores(client.post(path, body)) == once[path]


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


TABLES: dict[bytes, int] = {
    b"1,2,3,car": 1,
    b"1,2,3,car\r\n1,,3,car\n": 2,
    b"1,2,3,car\n\n\r\n": 1,
    b"\xef\xbb\xbf1,2,3,car": 1,
    b'"1","2","3","car"': 1,
    b"1e2,-2.5E-3,3.0,other": 1,
    b'1,2,3,"car"\r1,2,3,"car"': 2,
    b"": 0,
    b"\n\n": 0,
    b"\n1,2,3,car": 0,
    b"1,2,3,car\n\n1,2,3,car": 0,
    b"amount,income,term,purpose\n1,2,3,car": 0,
    b"1,2,3": 0,
    b"1,2,3,car,": 0,
    b"1;2;3;car": 0,
    b"1\t2\t3\tcar": 0,
    b'1,2,3,"car': 0,
    b'1,2,3,"c"ar': 0,
    b'1,2,3,c"ar': 0,
    b'1,2,3,"car\n"': 0,
    b"1,2,3,car\0": 0,
    b"1,2,3,\xff": 0,
    b"1,2,3,car\x1a": 0,
    b",2,3,car": 0,
    b"1,2,,car": 0,
    b"1,2,3,": 0,
    b"1001,2,3,car": 0,
    b"nan,2,3,car": 0,
    b"1,inf,3,car": 0,
    b"1,-Infinity,3,car": 0,
    b"1_0,2,3,car": 0,
    b"0x1p3,2,3,car": 0,
    b"1e999,2,3,car": 0,
    b"1,2,3.5,car": 0,
    b"1,000,2,3,car": 0,
    b'"1,5",2,3,car': 0,
    b"=1+1,2,3,car": 0,
    "\u0661,2,3,car".encode(): 0,
    "\uff11,2,3,car".encode(): 0,
    b"1, 2,3 ,car": 1,
    b"1,2,3, car": 0,
    "1\u2003,2,3,car".encode(): 0,
    b"9" * 400 + b",2,3,car": 0,
    b"1,2,3," + b"a" * (200 << 10): 0,
    b"," * LEVELS: 0,
    "1,2,3,car".encode("utf-16"): 0,
}


def test_tables_are_read_in_one_way_or_refused(client):
    for body, rows in TABLES.items():
        for accept in (JSON, CSV, LINES):
            answer = client.post(SAGEMAKER, body, CSV, Accept=accept)
            assert answer.status == (200 if rows else 400), (body[:60], answer.body)
            assert not rows or (answer.kind == accept and len(scores(answer)) == rows)


LINED: dict[bytes, int] = {
    b'[1,2,3,"car"]': 1,
    b'[1,2,3,"car"]\n{"amount":1,"income":2,"term":3,"purpose":"car"}\n': 2,
    b'\r\n\n [1,null,3,"car"] \r\n\r\n': 1,
    b"": 0,
    b"\n \n": 0,
    b"{}": 0,
    b"[]": 0,
    b"null": 0,
    b'[[1,2,3,"car"]]': 0,
    b'{"instances":[[1,2,3,"car"]]}': 0,
    b'[1,2,3,"car"][1,2,3,"car"]': 0,
    b'[1,2,3,"car"],\n[1,2,3,"car"]': 0,
    b'[1,2,\n3,"car"]': 0,
    b'[1,2,3,"car"]\n\0\n': 0,
    b'[1,2,3,"car"]\n[NaN,2,3,"car"]': 0,
    b'[1,2,3,"car"]\n[1,2,3,"ca': 0,
    b'\xef\xbb\xbf[1,2,3,"car"]': 0,
    b'\x1e[1,2,3,"car"]\n': 0,
    '[1,2,3,"car"]\u2028[1,2,3,"car"]'.encode(): 0,
    b"[" * LEVELS + b"\n": 0,
    b"\n" * LEVELS: 0,
}


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


PIECES = [
    b'"',
    b"'",
    b",",
    b"\n",
    b"\r\n",
    b"\0",
    b"[",
    b"]",
    b"{",
    b"}",
    b":",
    b"-",
    b"e9",
    b"1e400",
    b"NaN",
    b"\\u",
    b"\xff",
]
ACCEPTED = [JSON, CSV, LINES, "*/*", "", "text/html", "application/json;q=x", ";", ",,,", "text/csv;q=0, */*;q=0.1"]


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


HEADS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b": ",
    b"\r\nTransfer-Encoding: chunked",
    b"\r\nContent-Length: 5",
    b"\r\nContent-Length: 99999999999999999999999999",
    b"\r\nExpect: 100-continue",
    b"\r\nUpgrade: h2c\r\nConnection: Upgrade",
    b"\r\n folded",
    b"%00",
    b"%ff",
    b"../",
    b"?",
    b"#",
    b"http://x/",
    b"9" * 400,
]


def test_a_client_library_agrees_on_where_every_answer_ends(client):
    for path in ROUTES:
        for _ in range(20):
            assert client.post(path, request(path)).status == 200
            assert client.post(path, b"[" * LEVELS).status == 400
    with pytest.raises(HTTPException):
        HTTPConnection(*client.address, timeout=30).getresponse()
