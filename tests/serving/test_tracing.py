"""Traces at a real collector's door: who is whose child, what is sampled, what a span says, and what a sick collector
does to those who are served: nothing."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from trivet import __version__
from trivet.core.errors import ExitCode
from trivet.core.inference import request_of
from trivet.serving.config import TraceSettings
from trivet.serving.tracing import Tracer

from .collector import Collector, attributes_of
from .rawhttp import places_taken, post, read, talk, wait_for

CALLER, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{CALLER}-{PARENT}-01", f"00-{CALLER}-{PARENT}-00"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that takes everything."""
    with Collector() as server:
        yield server
        server.hold.set()
        server.shutdown()


def traced(collector: Collector, **settings: Any) -> dict[str, Any]:
    """Settings of a server that sends traces there."""
    return {"traces": {"endpoint": collector.url, **settings}}


def test_a_request_becomes_a_server_span(start, made, client, collector):
    server = start(made, **traced(collector))
    before = time.time_ns()
    assert client.post(f"{server.model}/infer", json=made.request(3, request_id="r-1")).status_code == 200
    after = time.time_ns()
    [span] = wait_for(collector.spans)
    [scope] = [scope.scope for request in collector.requests() for scope in request.resource_spans[0].scope_spans]
    assert (scope.name, scope.version) == ("trivet.serving", __version__)
    assert span.name == "POST /v2/models/{model}/infer"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert span.parent_span_id == b""
    assert before <= span.start_time_unix_nano < span.end_time_unix_nano <= after
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert attributes_of(span) == {
        "http.request.method": "POST",
        "http.route": "/v2/models/{model}/infer",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "url.path": "/v2/models/loan/infer",
        "trivet.request_id": "r-1",
        "trivet.rows": 3,
        "trivet.model": "loan/1",
        "trivet.package": made.digest,
    }
    resource = collector.resource()
    assert (resource["service.name"], resource["service.version"]) == ("loans", __version__)
    assert resource["service.instance.id"]
    server.stop()
    [line] = server.lines("request")
    assert line["trace"] == span.trace_id.hex()


def test_a_trace_goes_on_where_the_client_began_it(start, made, client, collector):
    server = start(made, **traced(collector))
    fields = {"traceparent": SAMPLED, "tracestate": "vendor=abc,other=1"}
    client.post(f"{server.model}/infer", json=made.request(), headers=fields)
    client.post(f"{server.model}/infer", json=made.request(), headers=fields)
    server.stop()
    one, two = collector.spans()
    for span in (one, two):
        assert span.trace_id.hex() == CALLER
        assert span.parent_span_id.hex() == PARENT
        assert span.trace_state == "vendor=abc,other=1"
    assert len({one.span_id, two.span_id, bytes.fromhex(PARENT)}) == 3
    assert [line["trace"] for line in server.lines("request")] == [CALLER, CALLER]


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{CALLER}-{'0' * 16}-01",
        f"ff-{CALLER}-{PARENT}-01",
        f"00-{CALLER}-{PARENT}-01-more",
        f"00-{CALLER.upper()}-{PARENT}-01",
        f"00-{CALLER}-{PARENT}-zz",
        "0" * 5000,
        "\xff\xfe",
    ],
)
def test_a_parent_that_is_none_begins_a_trace(collector, parent):
    tracer = Tracer.open(TraceSettings(endpoint=collector.url), "loans")
    fields = {b"traceparent": parent.encode("latin-1"), b"tracestate": b"\xff=,=;"}
    trace = tracer.begin(fields, "GET", None)
    trace.end(404, "r", 0, None, None)
    tracer.close()
    [span] = collector.spans()
    assert span.parent_span_id == b""
    assert span.trace_id.hex() == trace.id != CALLER


@pytest.mark.parametrize(("sample", "begun_here"), [(0.0, []), (1.0, ["alone"])])
def test_the_client_decides_for_its_trace_and_the_settings_for_ours(start, made, client, collector, sample, begun_here):
    server = start(made, **traced(collector, sample=sample))
    for name, parent in (("alone", None), ("yes", SAMPLED), ("no", UNSAMPLED)):
        fields = {"traceparent": parent} if parent else {}
        client.post(f"{server.model}/infer", json=made.request(request_id=name), headers=fields)
    server.stop()
    assert [attributes_of(span)["trivet.request_id"] for span in collector.spans()] == [*begun_here, "yes"]
    assert all(len(line["trace"]) == 32 for line in server.lines("request"))


def test_a_share_is_chosen_by_the_id_of_the_trace(collector):
    """So that services which sample the same share choose the same traces."""
    tracer = Tracer.open(TraceSettings(endpoint=collector.url, sample=0.25), "loans")
    traces = [tracer.begin({}, "GET", None) for _ in range(400)]
    for trace in traces:
        trace.end(200, "r", 0, None, None)
    tracer.close()
    wanted = {trace.id for trace in traces if int(trace.id[16:], 16) < 1 << 62}
    assert {span.trace_id.hex() for span in collector.spans()} == wanted
    assert 0 < len(wanted) < 400


def test_a_failure_of_ours_is_an_error_and_the_client_s_is_none(start, infinite, client, collector):
    server = start(infinite, **traced(collector))
    row = {"amount": 0.0, "income": 31.25, "term": 12, "purpose": "car"}
    assert client.post(f"{server.model}/infer", json=request_of([row], infinite.serving)).status_code == 500
    assert client.post(f"{server.model}/infer", json={"inputs": "secret-name"}).status_code == 400
    assert client.get(f"{server.url}/secret-path", headers={"X-Request-ID": "r-3"}).status_code == 404
    server.stop()
    ours, theirs, nowhere = collector.spans()
    assert ours.status.code == Status.STATUS_CODE_ERROR
    said = attributes_of(ours)
    assert (said["http.response.status_code"], said["error.type"]) == (500, "ModelFailed")
    assert theirs.status.code == Status.STATUS_CODE_UNSET
    said = attributes_of(theirs)
    assert (said["http.response.status_code"], said["trivet.failure"]) == (400, "BadInput")
    assert "error.type" not in said
    assert nowhere.name == "GET"
    said = attributes_of(nowhere)
    assert said["http.response.status_code"] == 404
    assert not said.keys() & {"http.route", "url.path", "error.type"}


def test_what_is_refused_before_it_is_whole_has_its_span_too(start, slow, collector):
    """A body that is too large, a head that can be read in two ways, no free place, and what is no request at all."""
    server = start(slow, **traced(collector), max_concurrency=1, max_queue=0, max_body_bytes=10_000)
    address = server.listener.getsockname()
    whole = json.dumps(slow.request()).encode()
    parent = b"traceparent: " + SAMPLED.encode()
    before = time.time_ns()
    large = talk(address, post(b" " * 10_001, parent))
    unclear = talk(address, post(whole, b"Host: y"))
    none = talk(address, b"NONSENSE\r\n\r\n")
    with socket.create_connection(address) as first:
        first.sendall(post(whole))
        wait_for(lambda: places_taken(server) == 1)
        full = talk(address, post(whole)[:-5])
        read(first, count=1)
    server.stop()
    statuses = [413, 400, 400, 429]
    refused = [large, unclear, none, full]
    assert [answer.statuses for answer in refused] == [[status] for status in statuses]
    spans = {said["trivet.request_id"]: (span, said) for span in collector.spans() if (said := attributes_of(span))}
    found = [spans[answer.answers[0].id] for answer in refused]
    assert [said["http.response.status_code"] for _, said in found] == statuses
    infer = "POST /v2/models/{model}/infer"
    assert [span.name for span, _ in found] == [infer, infer, "HTTP", infer]
    assert found[0][0].trace_id.hex() == CALLER
    assert all(before <= span.start_time_unix_nano < span.end_time_unix_nano for span, _ in found)
    assert {line.get("trace") for line in server.lines("request")} > {span.trace_id.hex() for span, _ in found[:2]}


def test_no_value_and_no_made_up_path_leaves(start, made, infinite, client, collector):
    server = start(infinite, **traced(collector))
    row = {"amount": 0.0, "income": 31.258741, "term": 12, "purpose": "car"}
    client.post(f"{server.model}/infer", json=request_of([row], infinite.serving))
    client.post(f"{server.model}/infer", json={"inputs": [{"name": "secret-name", "data": ["secret-value"]}]})
    client.get(f"{server.url}/secret-path?secret-query", headers={"User-Agent": "secret-agent"})
    server.stop()
    assert len(collector.spans()) == 3
    sent = b"".join(collector.bodies)
    assert b"secret" not in sent
    assert b"31.258741" not in sent


def test_a_method_that_nobody_knows_is_not_repeated(collector):
    tracer = Tracer.open(TraceSettings(endpoint=collector.url), "loans")
    tracer.begin({}, "PURGE", "/v2").end(405, "r", 0, None, None)
    tracer.close()
    [span] = collector.spans()
    assert span.name == "HTTP /v2"
    assert attributes_of(span)["http.request.method"] == "_OTHER"


def test_what_waits_is_sent_at_sigterm(start, made, client, collector):
    server = start(made, **traced(collector))
    for _ in range(10):
        client.post(f"{server.model}/infer", json=made.request())
    assert server.stop() == ExitCode.OK
    assert len(collector.spans()) == 10


def test_a_collector_that_is_not_there_harms_nothing(start, made, client):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/traces"
    server = start(made, traces={"endpoint": url})
    assert server.said == f"ready {made.digest}"
    for _ in range(20):
        assert client.post(f"{server.model}/infer", json=made.request()).status_code == 200
    assert server.stop() == ExitCode.OK
    lines = server.lines("spans dropped")
    assert sum(line["count"] for line in lines) == 20
    assert {line["reason"] for line in lines} == {"ConnectionError"}


def test_a_collector_that_hangs_harms_nothing(start, made, client, collector):
    collector.hold.clear()
    server = start(made, **traced(collector))
    for _ in range(300):
        assert client.post(f"{server.model}/infer", json=made.request()).status_code == 200
    assert server.stop() == ExitCode.OK
    assert sum(line["count"] for line in server.lines("spans dropped")) == 300
    assert len(server.lines("request")) == 300


def test_a_collector_that_fails_harms_nothing(start, made, client, collector):
    collector.usual = 500
    server = start(made, **traced(collector))
    for _ in range(20):
        assert client.post(f"{server.model}/infer", json=made.request()).status_code == 200
    assert server.stop() == ExitCode.OK
    lines = server.lines("spans dropped")
    assert sum(line["count"] for line in lines) == 20
    assert {line["reason"] for line in lines} == {"the collector answered 500"}


def test_a_collector_that_is_busy_is_asked_again(start, made, client, collector):
    collector.statuses = [503, 429]
    server = start(made, **traced(collector))
    client.post(f"{server.model}/infer", json=made.request())
    wait_for(collector.spans)
    assert server.stop() == ExitCode.OK
    assert len(collector.spans()) == 1
    assert server.lines("spans dropped") == []


def test_the_queue_is_bounded_and_what_does_not_fit_is_counted(collector):
    collector.hold.clear()
    dropped: list[int] = []
    tracer = Tracer.open(TraceSettings(endpoint=collector.url), "loans", dropped.append)
    for _ in range(6000):
        tracer.begin({}, "GET", None).end(200, "r", 0, None, None)
    tracer.close()
    assert sum(dropped) == 6000
    collector.hold.set()


def test_every_span_is_either_sent_or_counted(collector):
    """While the collector refuses every third batch."""
    collector.statuses = [200, 200, 500] * 6
    dropped: list[int] = []
    tracer = Tracer.open(TraceSettings(endpoint=collector.url), "loans", dropped.append)
    for _ in range(4000):
        tracer.begin({}, "GET", None).end(200, "r", 0, None, None)
    tracer.close()
    assert len(collector.spans()) + sum(dropped) == 4000
    assert len({span.span_id for span in collector.spans()}) == len(collector.spans()) > 0
    assert sum(dropped) > 0


def test_the_environment_changes_neither_where_spans_go_nor_which(start, made, client, collector, monkeypatch):
    with Collector() as elsewhere:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", elsewhere.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", elsewhere.url)
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console,otlp")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "somebody-else")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.version=9")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=of-the-collector")
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, elsewhere.url)
        server = start(made, **traced(collector))
        client.post(f"{server.model}/infer", json=made.request())
        assert server.stop() == ExitCode.OK
        assert elsewhere.bodies == []
        elsewhere.shutdown()
    assert len(collector.spans()) == 1
    resource = collector.resource()
    assert (resource["service.name"], resource["service.version"]) == ("loans", __version__)
    assert resource["deployment.environment.name"] == "test"
    assert collector.fields[0]["api-key"] == "of-the-collector"


SPY = """
import os, sys
def spy(event, arguments):
    if event == "import" and arguments[0].partition(".")[0] in ("opentelemetry", "google", "requests", "urllib3"):
        with open(os.environ["SPY"], "a") as file:
            file.write(f"{arguments[0]}\\n")
sys.addaudithook(spy)
"""


@pytest.mark.parametrize("on", [False, True])
def test_nothing_of_it_is_imported_and_nothing_sent_unless_the_settings_say_so(
    start, made, client, collector, tmp_path, monkeypatch, on
):
    """An audit hook watches the whole life of a server, under every variable that switches an exporter on elsewhere."""
    (tmp_path / "spy").mkdir()
    (tmp_path / "spy" / "sitecustomize.py").write_text(SPY)
    seen = tmp_path / "seen"
    monkeypatch.setenv("SPY", str(seen))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "spy") + os.pathsep + os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "false")
    server = start(made, **(traced(collector) if on else {}))
    answer = client.post(f"{server.model}/infer", json=made.request(), headers={"traceparent": SAMPLED})
    assert answer.status_code == 200
    assert server.stop() == ExitCode.OK
    assert seen.exists() == on
    assert len(collector.spans()) == int(on)
    assert all(("trace" in line) == on for line in server.lines("request"))


@pytest.mark.parametrize(
    ("hook", "environment", "message"),
    [
        ("import sys; sys.modules['opentelemetry'] = None", {}, "pip install 'trivet[trace]'"),
        ("", {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many"}, "OTEL_"),
    ],
)
def test_traces_that_cannot_be_had_are_said_at_the_start(
    start, made, tmp_path, monkeypatch, hook, environment, message
):
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(hook)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hook") + os.pathsep + os.environ.get("PYTHONPATH", ""))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server = start(made, traces={"endpoint": "http://127.0.0.1:9/v1/traces"})
    assert server.process.wait(30) == ExitCode.CONFIG
    assert message in server.said
    assert message in json.loads(server.log.read_text().splitlines()[-1])["message"]
