"""The base of every document that crosses a seam: strict, immutable, without unknown fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from trivet.core.canonical import canonical_json, digest
from trivet.core.errors import ConfigError


class Document(BaseModel):
    """A value that is checked when it is read and never changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def parse(cls, value: Any, where: str) -> Self:
        """Check ``value``; ``where`` names its origin in the message.

        :raises ConfigError: naming every field that is wrong, in one sentence.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise ConfigError(f"{where} is not valid: {describe(error)}.", "Correct it and call again.") from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read JSON from a file.

        :raises ConfigError: when the file is missing or wrong.
        """
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(f"{path} is not valid: {describe(error)}.") from error

    def canonical(self) -> bytes:
        """The document as canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))

    def content_digest(self) -> str:
        """Digest of the canonical JSON."""
        return digest(self.canonical())


def describe(error: ValidationError) -> str:
    """Every mistake of a validation as ``field: reason``, joined by semicolons."""
    return "; ".join(
        f"{'.'.join(str(part) for part in mistake['loc']) or 'the document'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False, include_input=False)
    )
