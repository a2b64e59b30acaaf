"""JMESPath with what ids need: their parts."""

from __future__ import annotations

from typing import Any

import jmespath
from jmespath import functions


class _Parts(functions.Functions):
    """Functions over text and a separator."""

    @functions.signature({"types": ["string", "null"]}, {"types": ["string"]})
    def _func_head(self, text: str | None, separator: str) -> str | None:
        """What is before the first separator."""
        return text and text.partition(separator)[0]

    @functions.signature({"types": ["string", "null"]}, {"types": ["string"]})
    def _func_tail(self, text: str | None, separator: str) -> str | None:
        """What is after the first separator."""
        return text and text.partition(separator)[2]

    @functions.signature({"types": ["string", "null"]}, {"types": ["string"]})
    def _func_last(self, text: str | None, separator: str) -> str | None:
        """What is after the last separator, or the whole."""
        return text and text.rpartition(separator)[2]


_OPTIONS = jmespath.Options(custom_functions=_Parts())


def search(expression: str, bag: Any) -> Any:
    """What an expression finds; none where it finds nothing."""
    return jmespath.search(expression, bag, _OPTIONS)
