"""Bodies that are hardly JSON, CSV or JSON lines, with what has to become of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

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
