"""What a cloud takes as a name, so that a wrong one is told before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A pattern, and the same in words."""

    pattern: str
    words: str

    def holds(self, text: str) -> bool:
        """Whether the whole text fits."""
        return re.fullmatch(self.pattern, text) is not None


@dataclass(frozen=True)
class Naming:
    """The rules of one cloud.

    :param account: of the account, project or subscription in which a stack is made.
    :param prefix: of what all names of a stack begin with.
    :param longest_prefix: in characters.
    :param part: of what follows the prefix, such as an endpoint's name.
    """

    account: Rule
    prefix: Rule
    longest_prefix: int
    part: Rule

    def wrong_account(self, account: str | None) -> Iterator[str]:
        """What is wrong with the account, if something is."""
        if not account:
            yield f"no account is named: set trivet:account to {self.account.words}"
        elif not self.account.holds(account):
            yield f"{account!r} in trivet:account is not {self.account.words}"

    def wrong_prefix(self, prefix: str) -> Iterator[str]:
        """What is wrong with it, if something is."""
        if len(prefix) > self.longest_prefix:
            yield f"names would begin with {prefix!r}, which is longer than {self.longest_prefix} characters"
        if not self.prefix.holds(prefix):
            yield f"names would begin with {prefix!r}, and here they need {self.prefix.words}"

    def wrong_parts(self, names: Iterable[str]) -> Iterator[str]:
        """What is wrong with each of these, if something is."""
        for name in names:
            if not self.part.holds(name):
                yield f"{name!r} is no name here: use {self.part.words}"
