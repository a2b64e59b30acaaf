"""The line of a request is rendered by hand for speed: it must say what the common way would."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trivet.serving.http.app import Note, lines_of
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


@given(notes=st.lists(NOTES, min_size=1))
def test_requests_lines_say_what_any_line_would(notes):
    for note, rendered in zip(notes, lines_of(notes), strict=True):
        assert rendered.count(b"\n") == 1
        mine, common = json.loads(rendered), json.loads(common_line(note))
        apart = datetime.fromisoformat(mine.pop("time")) - datetime.fromisoformat(common.pop("time"))
        assert abs(apart) <= timedelta(microseconds=1)
        assert list(mine.items()) == list(common.items())


def common_line(note: Note) -> bytes:
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
    return line(datetime.fromtimestamp(note.time, UTC), note.level, "request", fields)
