"""Packages to services: what takes long about a model, away from the event loop."""

from __future__ import annotations

from trivet.core.errors import IntegrityError, PlatformError
from trivet.serving.config import ModelConfig, ServerConfig
from trivet.serving.engine import Engine
from trivet.serving.scribe import Scribe
from trivet.serving.service import Service


def load(config: ServerConfig, model: ModelConfig) -> Service:
    """Verify and load a package, and have it answer its golden request.

    :raises IntegrityError: when it is not what its manifest or its signature says.
    :raises NotReady: when it does not give the answer that it was sealed with.
    :raises PlatformError: when it cannot be read.
    """
    try:
        engine = Engine.open(model.package, config.public_key)
    except OSError as error:
        raise PlatformError(f"The model package cannot be read: {error.strerror}.") from error
    if model.digest is not None and engine.digest != model.digest:
        raise IntegrityError(f"The model package is {engine.digest[:19]}, not {model.digest[:19]}.", "Deploy it anew.")
    scribe = None
    if config.records is not None:
        lazy = config.records_mode == "sampled"
        scribe = Scribe(engine, config.endpoint, model.name, model.version, lazy=lazy)
    return Service(engine, model.name, model.version, scribe, config.max_rows)
