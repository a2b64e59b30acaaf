"""One error tree, each error named for what the caller does next, and the table of exit codes.

A message is one sentence that says what happened; ``next_step`` says what to do about it. The cause, where a
library raised one, is kept as ``__cause__``.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command tells its caller."""

    OK = 0
    BUG = 1
    USAGE = 2
    CONFIG = 3
    DATA_CONTRACT = 4
    GATE = 5
    LOCKED = 6
    UNSUPPORTED = 7
    PLATFORM = 8
    NOT_READY = 9
    INTERRUPTED = 130


class TrivetError(Exception):
    """Base of every error that Trivet raises on purpose."""

    exit_code = ExitCode.BUG

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class UsageError(TrivetError):
    """The command was called in a way that it does not know."""

    exit_code = ExitCode.USAGE


class ConfigError(TrivetError, ValueError):
    """A setting or an input is wrong: correct it and call again."""

    exit_code = ExitCode.CONFIG


class NotFound(TrivetError, LookupError):
    """What was named does not exist: name another, or make it first."""

    exit_code = ExitCode.CONFIG


class IntegrityError(TrivetError):
    """Bytes are not what their digest or signature says: do not use them, find out who changed them."""

    exit_code = ExitCode.CONFIG


class DataContractBroken(TrivetError):
    """The data is not what the data contract promises: mend the data or the contract."""

    exit_code = ExitCode.DATA_CONTRACT


class GateRefused(TrivetError):
    """The gate or the approval policy did not let a release through."""

    exit_code = ExitCode.GATE


class Locked(TrivetError):
    """Somebody else is writing: wait for them, or end the process that the message names."""

    exit_code = ExitCode.LOCKED


class Unsupported(TrivetError):
    """The cloud or the engine does not offer this: the message says why and what to do instead."""

    exit_code = ExitCode.UNSUPPORTED


class PlatformError(TrivetError):
    """The cloud, the engine or a service of this machine failed: the cause is attached."""

    exit_code = ExitCode.PLATFORM


class ForeignRelease(PlatformError):
    """An endpoint serves what is no release of Trivet's, or nobody can tell of what: look who deployed it."""


class JobFailed(PlatformError):
    """A job ended without its result: its log says why."""


class NotReady(TrivetError):
    """It is not there yet, or no longer: start it or try again."""

    exit_code = ExitCode.NOT_READY
