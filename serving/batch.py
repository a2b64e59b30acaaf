"""``python -m trivet.serving.batch``: scores the files under a prefix of a store, one after the other, as a job.

What to do is in ``TRIVET_SCORING``, and the working folder is the job's own. Neither a file nor its answers are ever
whole in the memory. After every chunk of lines the answers are on the disk, and then a checkpoint says how far they
go; a job that is run again, whatever ended it, goes on from there. Where the next run is on another machine, it goes on
after the last file that was scored whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from trivet.core.document import Document
from trivet.core.errors import ConfigError, ExitCode, TrivetError
from trivet.core.faults import point
from trivet.core.files import write_atomic
from trivet.core.platform import Store
from trivet.platforms.jobplaces import vertex_checkpoints
from trivet.platforms.packages import get_package
from trivet.platforms.scoring import FAILED, FORMS, MOST_LINE, SUFFIX, TASK, ScoringTask
from trivet.platforms.store import CHUNK, ObjectStore
from trivet.serving.engine import Engine
from trivet.serving.scoring import Scorer
from trivet.serving.service import Service

CHECKPOINT, ANSWERS, PACKAGE = Path("checkpoint.json"), Path("answers.part"), Path("package")
TELL_SECONDS = 5.0
NOTHING = f"sha256:{hashlib.sha256().hexdigest()}"


class Checkpoint(Document):
    """How far a task has come: the files that are done, and the one that is not."""

    task: str
    done: dict[str, str] = {}  # by the keys of their answers, the digests of what was answered
    key: str = ""
    answered: int = 0  # bytes of the file under ``key`` to whose rows there are answers
    digest: str = NOTHING  # of these bytes: a file that has changed is begun afresh
    written: int = 0  # bytes of answers
    rows: int = 0
    errors: int = 0

    def of(self, key: str) -> Checkpoint:
        """The same, for this file: as it is where it was begun, else at its beginning."""
        return self if self.key == key else Checkpoint(task=self.task, done=self.done, key=key)


class Batch:
    """One task in the working folder."""

    def __init__(self, config: ScoringTask, store: Store, scorer: Scorer, elsewhere: Path | None = None) -> None:
        """:param elsewhere: a folder that outlives this machine."""
        self._config = config
        self._elsewhere = elsewhere
        self._store = store
        self._scorer = scorer
        self._told = time.monotonic()

    def run(self) -> None:
        """Score every file that is not scored yet.

        :raises ConfigError: for a line that is too long to be a row.
        """
        checkpoint = self._begun()
        keys = {self._target(key): key for key in self._store.list(f"{self._config.input}/")}
        for target in checkpoint.done.keys() - keys.keys():  # to a file that is there no more
            self._store.delete(target)
        for target, key in keys.items():
            if not self._is_answered(key, checkpoint.done.get(target, "")):
                checkpoint = self._file(target, checkpoint.of(key))
        ANSWERS.unlink(missing_ok=True)

    def _target(self, key: str) -> str:
        return f"{self._config.output}/{key.removeprefix(f'{self._config.input}/')}{SUFFIX}"

    def _is_answered(self, key: str, digest: str) -> bool:
        """Whether a file is still the one of that digest, which was answered; it is read again to know."""
        if not digest:
            return False
        sha = hashlib.sha256()
        for chunk in self._store.stream(key):
            sha.update(chunk)
        return digest == f"sha256:{sha.hexdigest()}"

    def _begun(self) -> Checkpoint:
        """Where to go on; what another task had left under this name is taken away."""
        fresh = Checkpoint(task=self._config.content_digest())
        if CHECKPOINT.exists():
            found = Checkpoint.read(CHECKPOINT)
        elif self._elsewhere and (self._elsewhere / CHECKPOINT).exists():
            found = Checkpoint.read(self._elsewhere / CHECKPOINT)
        else:
            return fresh
        if found.task == fresh.task:
            return found
        for target in found.done:
            self._store.delete(target)
        return fresh

    def _file(self, target: str, at: Checkpoint) -> Checkpoint:
        try:
            at = self._answered(at)
        except Changed:
            at = self._answered(Checkpoint(task=at.task, done=at.done, key=at.key))
        self._store.put(target, ANSWERS)
        point("scoring.stored")
        self._tell(at, "done")
        at = Checkpoint(task=at.task, done={**at.done, target: at.digest})
        write_atomic(CHECKPOINT, at.canonical())
        if self._elsewhere:
            write_atomic(self._elsewhere / CHECKPOINT, at.canonical())
        return at

    def _answered(self, at: Checkpoint) -> Checkpoint:
        """Append the answers to the rest of the file.

        :raises Changed: when the rows that were answered are no longer there.
        """
        form = FORMS[PurePosixPath(at.key).suffix].encode()
        if at.rows:
            self._tell(at, "goes on")
        with ANSWERS.open("r+b" if ANSWERS.exists() else "w+b") as answers:
            answers.truncate(at.written)
            answers.seek(at.written)
            source = Source(self._store.stream(at.key), at)
            for block in source.blocks():
                lines = block.removesuffix(b"\n").split(b"\n")
                found = self._scorer.score(lines, form)
                _append(answers, found.lines)
                at = at.model_copy(
                    update={
                        "answered": source.read,
                        "digest": source.digest,
                        "written": answers.tell(),
                        "rows": at.rows + len(lines),
                        "errors": at.errors + found.errors,
                    }
                )
                write_atomic(CHECKPOINT, at.canonical())
                point("scoring.chunk")
                if time.monotonic() > self._told + TELL_SECONDS:
                    self._tell(at, "so far")
        return at

    def _tell(self, at: Checkpoint, what: str) -> None:
        self._told = time.monotonic()
        print(f"{at.key}: {at.rows} rows {what}, {at.errors} with an error", flush=True)  # noqa: T201  a job's log


class Changed(Exception):
    """A file is not the one that was begun."""


class Source:
    """A file from a checkpoint on, in blocks of whole lines."""

    def __init__(self, chunks: Iterator[bytes], at: Checkpoint) -> None:
        self._chunks = chunks
        self._at = at
        self._sha = hashlib.sha256()
        self.read = 0

    @property
    def digest(self) -> str:
        """Of what was read."""
        return f"sha256:{self._sha.hexdigest()}"

    def blocks(self) -> Iterator[bytes]:
        """Blocks of about ``CHUNK`` bytes; the last line of the last may lack its end.

        :raises Changed: when what the checkpoint says was read is not there.
        :raises ConfigError: for a line of more than ``MOST_LINE`` bytes.
        """
        held = self._skip()
        for chunk in self._chunks:
            held += chunk
            end = held.rfind(b"\n") + 1
            if not end and len(held) > MOST_LINE:
                raise ConfigError(f"{self._at.key} has a line of more than {MOST_LINE} bytes.", "Put a row on each.")
            if len(held) >= CHUNK and end:
                yield self._count(held[:end])
                held = held[end:]
        if held:
            yield self._count(held)

    def _skip(self) -> bytes:
        """Pass over what is answered; returns what came after it in the same chunk."""
        rest = b""
        while self.read < self._at.answered and (chunk := next(self._chunks, b"")):
            left = self._at.answered - self.read
            self._count(chunk[:left])
            rest = chunk[left:]
        if (self.read, self.digest) != (self._at.answered, self._at.digest):
            raise Changed
        return rest

    def _count(self, block: bytes) -> bytes:
        self._sha.update(block)
        self.read += len(block)
        return block


def _append(file: BinaryIO, lines: list[bytes]) -> None:
    """Write what must be on the disk before a checkpoint says so."""
    file.writelines(lines)
    file.flush()
    os.fsync(file.fileno())


def main() -> int:
    """Do the task; returns the exit code."""
    try:
        if TASK not in os.environ:
            raise ConfigError(f"{TASK} is not set: this runs inside a job.", "Use `trivet score`.")
        config = ScoringTask.model_validate_json(os.environ[TASK])
        store = ObjectStore(config.store)
        package = get_package(store, config.digest, PACKAGE, config.public_key)
        engine = Engine.open(package.folder, config.public_key)
        scorer = Scorer(Service(engine, config.model, config.version))
        Batch(config, store, scorer, vertex_checkpoints()).run()
        shutil.rmtree(PACKAGE)  # which another job fetches for itself
    except TrivetError as error:
        print(f"{FAILED}{error}", file=sys.stderr, flush=True)  # noqa: T201  a job's log
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
