"""The admin plane before strangers: without the token nothing, and with it no path but those of the repository."""

from __future__ import annotations

import json
import shutil
import socket
import stat
from pathlib import Path
from typing import Any

import psutil
import pytest

from trivet.core.errors import ExitCode

from .plane import LOAD, TOKEN, digest_of, repository_of, stranger, with_admin
from .rawhttp import INFER, fetch, talk

UNLOAD = LOAD.replace("/load", "/unload")


@pytest.fixture
def repository(tmp_path, made, other) -> Path:
    """Version 1 and version 2 of the model."""
    return repository_of(tmp_path / "repository", _1=made, _2=other)


UNTOLD = (
    *(None, "", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Bearer  {TOKEN}", f"Basic {TOKEN}"),
    *(TOKEN, f"Bearer {TOKEN.upper()}", "Bearer é" * 9, f"Bearer x, Bearer {TOKEN}", f"Bearer {'x' * 10_000}"),
)


def test_without_the_token_nothing_is_told_and_nothing_done(start, made, repository):
    _, plane = with_admin(start, made, repository)
    paths = (LOAD, UNLOAD, "/v2/repository/index", "/nowhere", f"{LOAD}?token={TOKEN}")
    with stranger(plane.socket) as client:
        for authorization in UNTOLD:
            fields = [] if authorization is None else [(b"authorization", authorization.encode())]
            for path in paths:
                refused = client.post(path, json={"parameters": {"version": "2"}}, headers=fields)
                assert refused.status_code == 401, authorization
                assert refused.headers["www-authenticate"].startswith("Bearer")
                assert list(refused.json()) == ["error"]
                assert "loan" not in refused.text
    assert plane.loaded() == {"loan": "1"}


def test_the_admin_plane_is_off_unless_it_is_asked_for(start, made):
    """One socket listens, and no route of it changes anything, with a token or without."""
    server = start(made)
    listening = [
        one for one in psutil.Process(server.process.pid).net_connections("all") if one.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 1
    _no_admin_on(server, made)


def _no_admin_on(server: Any, made: Any) -> None:
    fields = {"authorization": f"Bearer {TOKEN}"}
    for path in (LOAD, UNLOAD, "/v2/models/loan/load", "/v2/models/loan/unload", "/admin"):
        response = fetch("POST", f"{server.url}{path}", json={}, headers=fields)
        assert response.status_code in (404, 405)
    assert digest_of(server, made) == made.digest


def test_the_data_plane_has_no_admin_and_the_admin_plane_no_data(start, made, repository):
    server, plane = with_admin(start, made, repository)
    _no_admin_on(server, made)
    for path in (INFER, "/invocations", "/v1/models/loan:predict"):
        assert plane.client.post(path, json=made.request()).status_code == 404
    assert stat.S_IMODE(plane.socket.stat().st_mode) == 0o600
    assert server.stop() == ExitCode.OK
    assert not plane.socket.exists()
    assert TOKEN not in server.log.read_text()


@pytest.mark.parametrize("problem", ["missing", "empty", "short", "for all to read"])
def test_a_token_that_protects_nothing_is_refused_at_the_start(start, made, tmp_path, repository, problem):
    token = tmp_path / "token"
    if problem != "missing":
        token.write_text({"empty": "", "short": "secret"}.get(problem, TOKEN))
        token.chmod(0o644 if problem == "for all to read" else 0o600)
    admin = {"socket": str(tmp_path / "admin.sock"), "token_file": str(token), "repository": str(repository)}
    server = start(made, admin=admin)
    assert server.process.wait(30) == ExitCode.CONFIG
    assert "token" in server.lines("failed")[0]["message"]


NAMES = [
    "..", ".", "...", "%2e%2e", "%2E%2E", "%2e", "%252e%252e", "..%2fsecret", "%2e%2e%2fsecret", "..%5csecret",
    "..\\secret", "loan%2f..%2f..%2fsecret", "loan%2f1", "loan/1", "loan%5c1", "loan%00", "%00", "loan%0a", "loan%20",
    "%20loan", "~", "-", "_loan", ".loan", "loan%c0%af1", "loan%e2%88%951", "%2fetc", "/etc", "//loan", "loan;x",
    "loan%3f", "l" * 300, "lo%61n%2f", "secret", "linked",
]  # fmt: skip


def test_a_hostile_name_reaches_nothing(start, made, other, repository, tmp_path):
    """What decodes to no name is refused, and what lies beside the repository stays there."""
    server, plane = with_admin(start, made, repository)
    for beside in (tmp_path / "secret" / "2", tmp_path / "2"):
        shutil.copytree(other.folder, beside)
    (plane.repository / "linked").symlink_to(tmp_path / "secret")
    body = json.dumps({"parameters": {"version": "2"}}).encode()
    statuses = {name: plane.raw(f"/v2/repository/models/{name}/load", body) for name in NAMES}
    assert not {name: status for name, status in statuses.items() if status not in (400, 404)}
    assert plane.loaded() == {"loan": "1"}
    assert plane.raw("/v2/repository/models/lo%61n/load", body) == 200  # decoded once, as every path
    assert digest_of(server, made) == other.digest
    assert [line for line in server.lines() if line["level"] == "error"] == []


VERSIONS: list[Any] = [
    "..", ".", "", "../2", "../../secret/2", "/2", "2/", "2/.", "./2", "2\\", "..\\2", "2\0", "2\n", " 2", "2 ",
    "%32", "٢", "2" * 300, 2, 2.0, True, [], {}, ["2"], {"version": "2"},
]  # fmt: skip


def test_a_hostile_version_reaches_nothing(start, made, other, repository, tmp_path):
    server, plane = with_admin(start, made, repository)
    shutil.copytree(other.folder, tmp_path / "secret" / "2")
    statuses = {repr(version): plane.load(version).status_code for version in VERSIONS}
    assert not {version: status for version, status in statuses.items() if status not in (400, 404)}
    bodies = [
        b"[",
        b"[]",
        b"null",
        b'{"parameters": []}',
        b'{"parameters": {"version": "2"}, "parameters": {}}',
        b"\xff",
    ]
    bodies += [b"[" * 60_000, b'{"parameters": {"path": "/secret"}}', b'{"parameters": {"file:1/model.onnx": "AAAA"}}']
    refused = [plane.raw(LOAD, body) for body in bodies]
    assert set(refused) <= {200, 400}
    assert refused[4] == 400  # it names its parameters twice
    assert plane.raw(LOAD, b" " * 100_000) == 413
    assert digest_of(server, made) in (made.digest, other.digest)
    assert [line for line in server.lines() if line["level"] == "error"] == []


def test_the_admin_plane_outlives_those_who_break_off(start, made, repository):
    """Its connections are bounded as those of the data plane are."""
    server, plane = with_admin(start, made, repository, deadline_seconds=1.0, idle_seconds=1.0)
    whole = (
        f"POST {LOAD} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    for at in (0, 10, len(whole) - 1, len(whole)):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(plane.socket))
            connection.sendall(whole[:at])
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.settimeout(20)
        stuck.connect(str(plane.socket))
        stuck.sendall(whole[:30])
        assert b" 200 " not in stuck.recv(1000)
    assert plane.load("1").status_code == 200
    assert talk(server.listener.getsockname(), b"").end != "open"
