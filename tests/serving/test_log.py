"""The line of a request is rendered by hand for speed: it must say what the common way would."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from trivet.serving.http.app import Note
from trivet.serving.log import line

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NOTES = st.builds(
    Note,
    time=st.floats(0, 4e9),
    seconds=st.floats(0, 1e5),
    level=st.sampled_from(["debug", "info", "warning", "error"]),
    route=st.one_of(st.none(), TEXT),
    method=st.sampled_from(["GET", "POST"]),
    status=st.integers(100, 599),
    id=TEXT,
    rows=st.integers(0, 10**6),
    model=TEXT,
    failure=TEXT,
    trace=st.sampled_from(["", "0af7651916cd43dd8448eb211c80319c"]),
)


@given(note=NOTES)
def test_a_request_s_line_says_what_any_line_would(note):
    fields = {
        "id": note.id,
        "method": note.method,
        "route": note.route,
        "status": note.status,
        "ms": round(note.seconds * 1000, 3),
        "rows": note.rows,
        **({"failure": note.failure} if note.failure else {}),
        **({"trace": note.trace} if note.trace else {}),
    }
    common = line(datetime.fromtimestamp(note.time, UTC), note.level, "request", fields)
    assert note.line().count(b"\n") == 1
    assert list(json.loads(note.line()).items()) == list(json.loads(common).items())
