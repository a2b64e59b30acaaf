"""Custom jobs of Vertex AI by our names.

Vertex AI names jobs itself, and takes one that is asked for twice for two. So the store says which is which: each
attempt is an object, ``jobs/NAME/attempts/0001.json``, that is written once and names the job, and the newest is the
job. Before that a word is written that nobody else has, which the job bears as a label. By it a job is found and taken
up whose creator was killed, or got no answer, before the job was written: no earlier stack of this name has it. Of
several that were made at once the one that is written counts, and by the word the others are found and cancelled.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from google.api_core.exceptions import GoogleAPICallError

from trivet.core.document import Document
from trivet.core.errors import ConfigError, NotFound, PlatformError
from trivet.core.faults import point
from trivet.core.platform import Store
from trivet.core.refs import JobRef
from trivet.core.specs import JobState
from trivet.platforms.gcp.clients import Again, Clients
from trivet.platforms.gcp.ensuring import ensure
from trivet.platforms.gcp.errors import is_missing, told
from trivet.platforms.gcp.requests import PATIENCE
from trivet.platforms.gcp.served import plain

MOST_NAME = 128
STATES = {
    "JOB_STATE_QUEUED": JobState.RUNNING,
    "JOB_STATE_PENDING": JobState.RUNNING,
    "JOB_STATE_RUNNING": JobState.RUNNING,
    "JOB_STATE_CANCELLING": JobState.RUNNING,
    "JOB_STATE_UPDATING": JobState.RUNNING,
    "JOB_STATE_SUCCEEDED": JobState.SUCCEEDED,
    "JOB_STATE_FAILED": JobState.FAILED,
    "JOB_STATE_EXPIRED": JobState.FAILED,
    "JOB_STATE_CANCELLED": JobState.CANCELLED,
}
WAITING = ("JOB_STATE_QUEUED", "JOB_STATE_PENDING")
DEADLINE_EXCEEDED = 4  # google.rpc.Code: Vertex AI's own ending, which nobody asked for

WORD = "trivet-attempt"  # the label that an attempt's jobs bear

Kind = Literal["training", "scoring"]


class Begun(Document):
    """By which word the jobs of an attempt are found."""

    word: str


class Written(Document):
    """Which job of Vertex AI's an attempt is, and of which kind."""

    kind: Kind
    job: str
    word: str


class Attempt(NamedTuple):
    """One job of Vertex AI, and the word by which its twins are found."""

    kind: Kind
    number: int
    word: str
    described: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its number, as Vertex AI gives it."""
        return _id(self.described["name"])

    @property
    def state(self) -> JobState:
        """Where it stands.

        :raises PlatformError: for a state that is not known.
        """
        word = self.described.get("state", "")
        if word not in STATES:
            raise PlatformError(f"Vertex AI says that job {self.id} is {word!r}, which is unknown.")
        state = STATES[word]
        if state is JobState.CANCELLED and (self._error.get("code") == DEADLINE_EXCEEDED or self._waited()):
            return JobState.FAILED
        return state

    @property
    def is_overdue(self) -> bool:
        """Whether it still waits for spare machines, longer than it may.

        Vertex AI would let it wait for ever, and run it when nobody expects that any more.
        """
        return self.described.get("state") in WAITING and self._waited()

    @property
    def reason(self) -> str:
        """Why it failed, in a line; empty where Vertex AI says nothing."""
        if self.state is not JobState.FAILED:
            return ""
        limit = self.described.get("jobSpec", {}).get("scheduling", {}).get("timeout", "")
        if self._error.get("code") == DEADLINE_EXCEEDED and limit:
            return f"It ran longer than its {limit.removesuffix('s')} s."
        if self._waited():
            return f"It waited longer than its {self._patience} s for spare machines."
        said = " ".join(str(self._error.get("message", "")).split())
        return said and f"{said.rstrip('.')}."

    @property
    def _patience(self) -> str:
        """Seconds; empty where it may wait as long as there are none."""
        return str(self.described.get("labels", {}).get(PATIENCE, ""))

    def _waited(self) -> bool:
        """Whether it has waited, or did until it was ended, for longer than it may."""
        if not self._patience or "startTime" in self.described:
            return False
        end = self.described.get("endTime")
        waited = (datetime.fromisoformat(end) if end else datetime.now(UTC)) - datetime.fromisoformat(
            self.described["createTime"]
        )
        return waited.total_seconds() > float(self._patience)

    @property
    def _error(self) -> Mapping[str, Any]:
        return self.described.get("error", {})


class Attempts:
    """The jobs of one stack."""

    def __init__(self, clients: Clients, store: Store, prefix: str) -> None:
        self._clients = clients
        self._store = store
        self._prefix = prefix

    def known(self, ref: JobRef) -> Attempt:
        """The newest attempt of a job.

        :raises NotFound: when there is none.
        """
        if (found := self.newest(ref)) is None:
            raise NotFound(f"The job {ref.id} was never submitted.")
        return found

    def newest(self, ref: JobRef) -> Attempt | None:
        """The newest attempt that is written; one whose job somebody deleted has failed."""
        keys = self._store.list(_folder(ref))
        if not keys:
            return None
        written = Written.model_validate_json(self._store.get(keys[-1]))
        return self._attempt(ref, written, len(keys))

    def begin(self, kind: Kind, ref: JobRef, request: Callable[[str], dict[str, Any]]) -> None:
        """Create a job of Vertex AI's, unless the job runs or has succeeded.

        :param request: makes the request from the display name.
        :raises ConfigError: when the name is that of a job of another kind.
        """
        newest = self.newest(ref)
        if newest and newest.kind != kind:
            raise ConfigError(f"{ref.id} is the name of a job of another kind.", "Choose another name.")
        if newest:
            self._end_twins(ref, newest.word, newest.described["name"])
            if newest.state in (JobState.RUNNING, JobState.SUCCEEDED):
                return
        number = newest.number + 1 if newest else 1
        word = self._word(ref, number)
        asked = request(self._display_name(ref, number))
        asked["labels"] = {**asked["labels"], WORD: word}
        job = ensure(
            lambda: self._unwritten(word),
            lambda: self._clients.post("aiplatform", f"v1/{self._clients.parent}/customJobs", asked),
            f"Job {ref.id}",
        )
        point("job.created")
        key = f"{_folder(ref)}{number:04d}.json"
        self._store.create(key, Written(kind=kind, job=job, word=word).canonical())
        self._end_twins(ref, word, Written.model_validate_json(self._store.get(key)).job)

    def stop(self, ref: JobRef) -> None:
        """End a job; nothing happens if it has ended."""
        found = self.known(ref)
        with told(f"Cancelling job {ref.id}"):
            if found.state is JobState.RUNNING and runs(found.described):
                cancel(self._clients, found.described["name"])
        self._end_twins(ref, found.word, found.described["name"])

    def _end_twins(self, ref: JobRef, word: str, job: str) -> None:
        """Cancel what runs for an attempt beside its job."""
        with told(f"Cancelling what was made beside job {ref.id}"):
            for one in self._jobs(word):
                if _id(one["name"]) != _id(job) and runs(one):
                    cancel(self._clients, one["name"])

    def _word(self, ref: JobRef, number: int) -> str:
        """The word of an attempt: whoever writes it first says it for all."""
        key = f"jobs/{ref.id}/begun/{number:04d}.json"
        self._store.create(key, Begun(word=secrets.token_hex(8)).canonical())
        return Begun.model_validate_json(self._store.get(key)).word

    def _unwritten(self, word: str) -> str | None:
        """The oldest job of an attempt, by its resource name."""
        found = self._jobs(word)
        return min(found, key=lambda one: (one["createTime"], one["name"]))["name"] if found else None

    def _jobs(self, word: str) -> list[dict[str, Any]]:
        path, wanted = f"v1/{self._clients.parent}/customJobs", f'labels.{WORD}="{word}"'
        return list(self._clients.pages("aiplatform", path, "customJobs", filter=wanted))

    def _attempt(self, ref: JobRef, written: Written, number: int) -> Attempt:
        with told(f"Job {ref.id}"):
            try:
                described = self._clients.get("aiplatform", f"v1/{written.job}")
            except GoogleAPICallError as error:
                if not is_missing(error):
                    raise
                gone = {"message": "Somebody deleted it."}
                described = {"name": written.job, "state": "JOB_STATE_FAILED", "error": gone}
        return Attempt(written.kind, number, written.word, described)

    def _display_name(self, ref: JobRef, number: int) -> str:
        return f"{plain(f'{self._prefix}-{ref.id}', MOST_NAME - 5)}-{number}"


def runs(job: Mapping[str, Any]) -> bool:
    """Whether a job of Vertex AI has not ended, and nobody has cancelled it."""
    return STATES.get(job["state"]) is JobState.RUNNING and job["state"] != "JOB_STATE_CANCELLING"


def cancel(clients: Clients, job: str) -> None:
    """Cancel a job of Vertex AI; one that has ended meanwhile, or is gone, is none to cancel."""
    try:
        clients.post("aiplatform", f"v1/{job}:cancel", {}, Again.ALWAYS)
    except GoogleAPICallError as error:
        if not is_missing(error) and runs(clients.get("aiplatform", f"v1/{job}")):
            raise


def _id(job: str) -> str:
    """The number of a job: its name may say its project by id or by number."""
    return job.rpartition("/")[2]


def _folder(ref: JobRef) -> str:
    return f"jobs/{ref.id}/attempts/"
