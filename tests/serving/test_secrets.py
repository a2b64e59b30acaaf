"""What a server is told in confidence, or by mistake, is told to nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet.core.errors import ExitCode

from .collector import Collector
from .plane import LOAD, repository_of, stranger
from .rawhttp import talk

CANARY = "canary-b7ad6b7169203331"
TOKEN = f"{CANARY}-token"


@pytest.mark.parametrize("package", ["made", "infinite"])
def test_a_secret_is_in_no_log_measure_answer_record_or_span(
    request, start, tmp_path: Path, client, package, monkeypatch
):
    """The token of the admin plane, what the collector asks for, and what clients send that is nobody's business."""
    served: Any = request.getfixturevalue(package)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    repository = repository_of(tmp_path / "repository", _1=served)
    admin = {"socket": str(tmp_path / "admin"), "token_file": str(tmp_path / "token"), "repository": str(repository)}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"api-key={CANARY}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    told: list[str] = []
    with Collector() as collector:
        records = {} if package == "infinite" else {"records": str(tmp_path / "records")}
        server = start(served, admin=admin, traces={"endpoint": collector.url}, **records)
        fields = {"authorization": f"Bearer {CANARY}", "cookie": CANARY, "user-agent": CANARY, "x-api-key": CANARY}
        row = served.request()
        for path, body in (
            (f"{server.model}/infer?key={CANARY}", row),
            (f"{server.model}/infer", row | {"parameters": {"key": CANARY}}),
            (f"{server.model}/infer", {"inputs": CANARY}),
            (f"{server.url}/{CANARY}", row),
        ):
            answer = client.post(path, json=body, headers=fields)
            told += [answer.text, str(answer.headers)]
        told += [client.get(f"{server.url}{path}", headers=fields).text for path in ("/metrics", "/openapi.json")]
        told += [str(talk(server.listener.getsockname(), f"{CANARY}\r\n\r\n".encode()))]
        with stranger(tmp_path / "admin") as operator:
            for token in (TOKEN, f"{CANARY}-wrong-token"):
                loaded = operator.post(LOAD, json={}, headers={"authorization": f"Bearer {token}"})
                told += [loaded.text, str(loaded.headers)]
        assert server.stop() == ExitCode.OK
        told += [body.decode("latin-1") for body in collector.bodies]
        assert {one["api-key"] for one in collector.fields} == {CANARY}
        collector.shutdown()
    told += [server.log.read_text(), *(one.read_text() for one in tmp_path.glob("records/*"))]
    assert len(told) > 15
    assert [one for one in told if CANARY in one] == []
    assert json.loads(server.log.read_text().splitlines()[0])
