"""What goes wrong while serving, named for what the client does next. ``http.app`` maps each to its status."""

from __future__ import annotations

from trivet.core.errors import ConfigError, NotReady, PlatformError


class BadInput(ConfigError):
    """The request is wrong: correct it."""


class TooLarge(BadInput):
    """The body is larger than this server takes: send fewer rows at a time."""


class WrongEncoding(BadInput):
    """The type or the coding of a body is not taken."""


class TooSlow(BadInput):
    """The body did not arrive in time: send it faster or in smaller requests."""


class ClientGone(BadInput):
    """The client left before it had sent its request: there is nobody to answer."""


class Overloaded(NotReady):
    """The queue is full: wait, then send again."""


class TooLate(NotReady):
    """The deadline passed before there was an answer: wait, or send fewer rows."""


class NotRecorded(NotReady):
    """A decision could not be written down and therefore is not given: free the disk, then send again."""


class ModelFailed(PlatformError):
    """The model gave no usable answer to a correct request: the server's log says why."""


class NotAcceptable(BadInput):
    """The client accepts no form that this server answers in: accept another."""


class Unloadable(BadInput):
    """What the repository holds cannot be served: mend the package, then load it again."""
