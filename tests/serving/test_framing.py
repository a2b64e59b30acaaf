"""Where one request ends and the next begins: what could be read two ways is refused, and never served."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable

import pytest

from .rawhttp import INFER, LIVE, Talk, chunked, get, parse, places_taken, post, read, talk, unharmed, wait_for

NEXT = get(LIVE, b"X-Request-ID: smuggled")  # what an attacker hides behind a request
CHUNKED = b"Transfer-Encoding: chunked"
Shape = Callable[[bytes], bytes]


def _length(value: bytes) -> Shape:
    return lambda body: post(body, b"Content-Length: " + value.replace(b"N", b"%d" % len(body)), length=False)


def _coding(*values: bytes) -> Shape:
    fields = [b"Transfer-Encoding: " + value for value in values]
    return lambda body: post(chunked(body), *fields, length=False)


def _chunk(size: bytes) -> Shape:
    return lambda body: post(chunked(body, size.replace(b"N", b"%x" % len(body))), CHUNKED, length=False)


def _field(value: bytes) -> Shape:
    return lambda body: post(body, value)


def _instead(old: bytes, new: bytes, count: int = -1) -> Shape:
    return lambda body: post(body).replace(old, new, count)


TWO_WAYS: dict[str, Shape] = {
    "the same length twice": lambda body: post(body, b"Content-Length: %d" % len(body)),
    "two lengths": _field(b"Content-Length: 5"),
    "two lengths in one field": _length(b"N, N"),
    "length, then coding": lambda body: post(chunked(body), b"Content-Length: 5", CHUNKED, length=False),
    "coding, then length": lambda body: post(chunked(body), CHUNKED),
    "negative length": _length(b"-1"),
    "length with a plus": _length(b"+N"),
    "length beyond 64 bits": _length(b"99999999999999999999999999"),
    "length in hexadecimal": _length(b"0x10"),
    "length with an underscore": _length(b"1_0"),
    "length with an exponent": _length(b"1e3"),
    "length in other digits": _length("²".encode()),
    "no length in its field": _length(b""),
    "length on a folded line": _length(b"\r\n N"),
    "coding identity": _coding(b"identity"),
    "coding chunked twice": _coding(b"chunked, chunked"),
    "coding that is not undone": _coding(b"gzip, chunked"),
    "coding after chunked": _coding(b"chunked, identity"),
    "coding of another name": _coding(b"xchunked"),
    "coding with a vertical tab": _coding(b"chunked\x0b"),
    "coding in quotes": _coding(b'"chunked"'),
    "two codings in two fields": _coding(b"chunked", b"identity"),
    "negative chunk": _chunk(b"-5"),
    "chunk with a plus": _chunk(b"+N"),
    "chunk with 0x": _chunk(b"0xN"),
    "chunk with a space before": _chunk(b" N"),
    "chunk with a space behind": _chunk(b"N ;"),
    "chunk beyond 64 bits": _chunk(b"ffffffffffffffffff"),
    "chunk that is no number": _chunk(b"g"),
    "chunk line with a bare line feed": lambda body: _chunk(b"N")(body).replace(b"\r\n{", b"\n{"),
    "chunk longer than said": _chunk(b"5"),
    "length in the trailer": lambda body: _chunk(b"N")(body)[:-2] + b"Content-Length: 3\r\n\r\n",
    "folded field": _field(b"X-A: 1\r\n folded"),
    "bare line feeds": _instead(b"\r\n", b"\n"),
    "bare carriage return": _field(b"X-A: 1\rX-B: 2"),
    "space before a colon": _instead(b"Content-Length:", b"Content-Length :"),
    "space in a name": _field(b"X Y: 1"),
    "no name": _field(b": 1"),
    "NUL in a value": _field(b"X-A: a\0b"),
    "NUL in a name": _field(b"X\0A: a"),
    "no host": _instead(b"Host: x\r\n", b""),
    "two hosts": _field(b"Host: y"),
    "version 2.0": _instead(b"HTTP/1.1", b"HTTP/2.0"),
    "version 1.9": _instead(b"HTTP/1.1", b"HTTP/1.9"),
    "no version": _instead(b" HTTP/1.1", b""),
    "the preface of HTTP/2": lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": lambda _: b"CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path beyond ASCII": _instead(b"/v2/", "/v²/".encode()),
    "a space in the path": _instead(b"/v2/", b"/v 2/"),
    "an unknown method": _instead(b"POST", b"BREW"),
    "a method in small letters": _instead(b"POST", b"post"),
}  # fmt: skip


def _wrong(name: str, result: Talk) -> str | None:
    """What is wrong with the answer to a shape; nothing where it was refused once, and closed."""
    if result.end == "open" or result.rest:
        return f"{name}: {result.end} with {result.rest!r}"
    if len(result.answers) > 1 or any(not 400 <= one.status < 502 or one.status == 500 for one in result.answers):
        return f"{name}: {result.statuses}"
    return None


@pytest.mark.parametrize("apart", [False, True])
def test_what_could_be_read_two_ways_is_refused_and_closed(start, made, apart):
    """Nothing behind it is served either, in the same packet or in the next."""
    server = start(made, max_concurrency=1, max_queue=0, deadline_seconds=1.0, idle_seconds=1.0)
    body = json.dumps(made.request()).encode()
    address = server.listener.getsockname()
    with unharmed(server, made.request()):
        wrong = [
            _wrong(name, talk(address, shape(body), NEXT) if apart else talk(address, shape(body) + NEXT))
            for name, shape in TWO_WAYS.items()
        ]
    assert not (bad := [one for one in wrong if one]), "\n".join(bad)
    server.stop()
    assert "smuggled" not in server.log.read_text()
    assert [line for line in server.lines("request") if line["status"] == 200 and line["id"] == "smuggled"] == []


def test_a_refusal_is_json_as_everywhere_and_says_no_more(start, made):
    server = start(made)
    result = talk(server.listener.getsockname(), post(b"secret", b"Content-Length: 5", b"X-Secret: secret"))
    [answer] = result.answers
    assert (answer.status, result.end) == (400, "end")
    assert list(json.loads(answer.body)) == ["error"]
    assert answer.fields["content-type"] == "application/json"
    assert answer.fields["connection"] == "close"
    server.stop()
    assert "secret" not in (server.log.read_text() + answer.body.decode()).lower()


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_an_upgrade_is_passed_over_and_its_body_is_the_request_s(start, made, protocol):
    """Java's own client offers h2c with every request. A parser that believes in it loses the body, or worse: takes it
    for the next request, which nobody checked.

    Source: https://github.com/Kludex/uvicorn/issues/2722.
    """
    server = start(made)
    body = json.dumps(made.request()).encode()
    fields = (b"Connection: Upgrade, HTTP2-Settings", b"UPGRADE: " + protocol, b"HTTP2-Settings: AAMAAABkAARAAAAA")
    after = get(LIVE, b"X-Request-ID: after")
    wrong: list[str] = []
    for name, whole in {
        "length": post(body, *fields),
        "chunked": post(chunked(body), CHUNKED, *fields, length=False),
        "none": get(LIVE, *fields),
    }.items():
        end = whole.index(b"\r\n\r\n") + 4
        for packets in ((whole, after), (whole[:end], whole[end:], after), (whole[:30], whole[30:] + after)):
            result = talk(server.listener.getsockname(), *filter(None, packets), count=2, pause=0.02)
            if result.statuses != [200, 200] or result.answers[1].id != "after":
                wrong.append(f"{name} in {len(packets)}: {result.statuses} {result.end}")
    assert not wrong, "\n".join(wrong)


def test_a_request_in_the_body_of_an_upgrade_is_not_served(start, made):
    server = start(made, max_concurrency=1, max_queue=0)
    wrong: list[str] = []
    with unharmed(server, made.request()):
        for path, status in ((INFER, 400), (LIVE, 405), ("/nowhere", 404)):
            whole = post(NEXT, b"Connection: Upgrade", b"Upgrade: h2c", path=path)
            for packets in ((whole,), (whole[: -len(NEXT)], NEXT), (whole[:-5], whole[-5:])):
                result = talk(server.listener.getsockname(), *packets, shut=True)
                if result.statuses not in ([status], [400]):
                    wrong.append(f"{path} in {len(packets)}: {result.statuses} {result.end}")
    assert not wrong, "\n".join(wrong)
    server.stop()
    assert "smuggled" not in server.log.read_text()


def test_what_can_be_read_one_way_only_is_served(start, made):
    """The control of the shapes above, and what the standard asks a server to take."""
    server = start(made)
    body = json.dumps(made.request()).encode()
    length = b"%d" % len(body)
    whole = post(body)
    shapes = {
        "plain": whole,
        "space around the length": post(body, b"Content-Length:  \t" + length + b" \t", length=False),
        "zeros before the length": post(body, b"Content-Length: 000" + length, length=False),
        "chunked": post(chunked(body), CHUNKED, length=False),
        "chunked in capitals": post(chunked(body), b"Transfer-Encoding: Chunked", length=False),
        "chunk with an extension": post(chunked(body, b"%x;a=1" % len(body)), CHUNKED, length=False),
        "a trailer": post(chunked(body), CHUNKED, length=False)[:-2] + b"X-A: 1\r\n\r\n",
        "empty lines before": b"\r\n\r\n" + whole,
        "an absolute address": whole.replace(b" /v2", b" http://x/v2"),
        "expecting to be asked": post(body, b"Expect: 100-continue"),
        "an empty field": post(body, b"X-A:"),
        "a value beyond ASCII": post(body, b"X-A: \xff\xfe"),
    }
    address = server.listener.getsockname()
    results = {name: talk(address, shape, count=1).statuses for name, shape in shapes.items()}
    assert results == {name: [200] for name in shapes}


def test_http_1_0_is_answered_once_and_closed(start, made):
    server = start(made)
    body = json.dumps(made.request()).encode()
    old = post(body).replace(b"HTTP/1.1", b"HTTP/1.0")
    result = talk(server.listener.getsockname(), old + NEXT)
    assert (result.statuses, result.end) == ([200], "end")


@pytest.mark.parametrize("length", [b"9223372036854775807", b"18446744073709551615"])
def test_a_length_that_no_body_has_is_too_large_and_what_follows_is_its_body(start, made, length):
    server = start(made, max_concurrency=1, max_queue=0, deadline_seconds=1.0, idle_seconds=1.0)
    with unharmed(server, made.request()):
        result = talk(server.listener.getsockname(), post(NEXT, b"Content-Length: " + length, length=False), NEXT)
        assert result.statuses == [413]
        assert result.end != "open"
    assert "smuggled" not in server.log.read_text()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("POST /nowhere", 404),
        ("DELETE /v2", 405),
        ("GET /v2/health/live", 200),
        ("POST /v2/health/live", 405),
    ],
)
def test_a_body_that_nobody_wants_is_no_request(start, made, request_line, status):
    server = start(made)
    head = f"{request_line} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(NEXT)}\r\n\r\n".encode()
    after = get(LIVE, b"X-Request-ID: after")
    for packets in ((head + NEXT + after,), (head, NEXT, after), (head, NEXT[:10], NEXT[10:] + after)):
        result = talk(server.listener.getsockname(), *packets, count=2)
        if result.end == "open":
            assert result.statuses == [status, 200]
            assert result.answers[1].id == "after"
        else:  # refused before its body came: the connection ends rather than carry a body for nobody
            assert result.statuses in ([status], [])
    server.stop()
    assert "smuggled" not in server.log.read_text()


def _numbered(body: bytes, count: int) -> list[bytes]:
    """Requests of several kinds, each with its number as its id."""
    kinds = [
        lambda id_: post(body, id_),
        lambda id_: get(LIVE, id_),
        lambda id_: post(b"{", id_),
        lambda id_: get("/nowhere", id_),
        lambda id_: post(chunked(body), id_, CHUNKED, length=False),
    ]
    return [kinds[number % 5](b"X-Request-ID: n-%d" % number) for number in range(count)]


def test_requests_in_one_packet_are_answered_in_their_order(start, made):
    server = start(made)
    requests = _numbered(json.dumps(made.request()).encode(), 60)
    for packets in ([b"".join(requests)], [b"".join(requests[at : at + 7]) for at in range(0, 60, 7)]):
        result = talk(server.listener.getsockname(), *packets, count=60, pause=0.01)
        assert [answer.id for answer in result.answers] == [f"n-{number}" for number in range(60)]
        assert result.statuses == [200, 200, 400, 404, 200] * 12


def test_a_quick_request_waits_for_the_slow_one_before_it(start, slow):
    server = start(slow)
    body = json.dumps(slow.request()).encode()
    requests = [post(body, b"X-Request-ID: n-0"), get(LIVE, b"X-Request-ID: n-1"), post(body, b"X-Request-ID: n-2")]
    for packets in ([b"".join(requests)], requests):
        result = talk(server.listener.getsockname(), *packets, count=3)
        assert [answer.id for answer in result.answers] == ["n-0", "n-1", "n-2"]
        assert result.statuses == [200, 200, 200]


@pytest.mark.parametrize("package", ["made", "slow"])
@pytest.mark.parametrize("before", [1, 3])
def test_what_is_broken_takes_no_answer_from_what_came_before_it(start, request, package, before):
    """A client would take the refusal for the answer to its first request, although that was decided and recorded."""
    served = request.getfixturevalue(package)
    server = start(served)
    body = json.dumps(served.request()).encode()
    good = [post(body, b"X-Request-ID: n-%d" % number) for number in range(before)]
    for packets in ([b"".join(good) + b"BROKEN\r\n\r\n"], [b"".join(good), b"BROKEN\r\n\r\n"]):
        result = talk(server.listener.getsockname(), *packets, pause=0.02)
        assert result.statuses[:before] == [200] * before
        assert [answer.id for answer in result.answers[:before]] == [f"n-{number}" for number in range(before)]
        assert result.statuses[before:] in ([], [400])
        assert result.end != "open"
    server.stop()
    assert [line for line in server.lines() if line["level"] == "error"] == []


@pytest.mark.parametrize("broken", [b"g\r\n", b"-1\r\n", b"1\r\nabc", b"0\r\nX Y: 1\r\n\r\n"])
def test_a_body_that_breaks_in_its_middle_gives_its_place_back(start, made, broken):
    """It has one since its first part; a second that is no part of a body must not leave it taken for ever."""
    server = start(made, max_concurrency=1, max_queue=0)
    first = post(b"5\r\n{    \r\n", CHUNKED, length=False)
    with unharmed(server, made.request()):
        result = talk(server.listener.getsockname(), first, broken)
        assert (result.statuses, result.end) == ([400], "end")


@pytest.mark.parametrize("how", ["is answered", "leaves", "breaks off", "gets one answer only"])
def test_who_waits_behind_another_request_gives_its_place_back(start, slow, how):
    """The second request has its place since its first part came; its turn comes, or never does."""
    server = start(slow, max_concurrency=1, max_queue=1)
    first = second = post(json.dumps(slow.request()).encode())
    if how == "gets one answer only":
        first = first.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host", b"Connection: keep-alive\r\nHost")
    with socket.create_connection(server.listener.getsockname()) as connection:
        connection.sendall(first)
        wait_for(lambda: places_taken(server) == 1)
        connection.sendall(second[:-5])
        wait_for(lambda: places_taken(server) == 2)
        connection.sendall(second[-5:])
        if how == "is answered":
            assert read(connection, count=2).statuses == [200, 200]
        elif how == "gets one answer only":
            assert read(connection).statuses in ([200], [])
        elif how == "breaks off":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_for(lambda: places_taken(server) == 0)


@pytest.mark.parametrize("size", [1000, 100_000, 200_000, 250_000])
def test_a_head_that_begins_behind_a_large_body_is_as_small_as_any(start, made, size):
    """What came with it in one packet is not its own."""
    server = start(made)
    before = post(b" " * size, b"X-Request-ID: before")
    behind = post(json.dumps(made.request()).encode(), b"X-Request-ID: behind")
    with socket.create_connection(server.listener.getsockname()) as connection:
        for _ in range(3):
            connection.sendall(post(b" " * 5_000_000))  # the kernel learns to take much at once
            assert read(connection, count=1).statuses == [400]
        server.process.send_signal(signal.SIGSTOP)  # so that all of it is there when the server looks
        connection.sendall(before + behind[:30])
        server.process.send_signal(signal.SIGCONT)
        assert read(connection, count=1).statuses == [400]  # its body is no JSON
        connection.sendall(behind[30:])
        [answer] = read(connection, count=1).answers
        assert (answer.status, answer.id) == (200, "behind")


def test_nothing_is_answered_after_a_close_that_the_client_asked_for(start, made):
    server = start(made)
    body = json.dumps(made.request()).encode()
    for packets in ([post(body, b"Connection: close") + NEXT], [post(body, b"Connection: close"), NEXT]):
        result = talk(server.listener.getsockname(), *packets)
        assert result.statuses in ([200], [])  # a reset may take the answer along, when the client sends on
    time.sleep(0.2)
    assert "smuggled" not in server.log.read_text()


def test_the_parser_of_these_tests_sees_what_it_should():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Request-ID: a\r\n\r\nok"
    answers, rest = parse(answer + answer + answer[:-1])
    assert [(one.status, one.id, one.body) for one in answers] == [(200, "a", b"ok")] * 2
    assert rest == answer[:-1]


def test_a_refusal_comes_after_the_answers_that_are_due(start, made):
    """Both are told: what came whole is answered, then what cannot be read is refused."""
    server = start(made)
    body = json.dumps(made.request()).encode()
    large = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" % INFER.encode()
    for bad, status in ((b"GARBAGE\r\n\r\n", 400), (large, 413)):
        said = talk(server.listener.getsockname(), post(body, b"X-Request-Id: one") + bad)
        assert said.statuses == [200, status]
        assert said.answers[0].id == "one"
        assert said.end == "end"


def test_a_client_is_not_told_to_go_on_in_place_of_an_answer(start, made):
    server = start(made)
    body = json.dumps(made.request()).encode()
    second = post(body, b"Expect: 100-continue", b"X-Request-Id: two")
    head, rest = second[: -len(body)], second[-len(body) :]
    said = talk(server.listener.getsockname(), post(body, b"X-Request-Id: one") + head, rest, count=2)
    assert [(answer.status, answer.id) for answer in said.answers] == [(200, "one"), (200, "two")]
    alone = talk(server.listener.getsockname(), head, rest, count=1)
    assert [answer.status for answer in alone.answers] == [100, 200]
