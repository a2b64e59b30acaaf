"""What a cloud takes as a name, so that a wrong one is told before anything is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
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
    :param tag: of the key of a tag, and :param written: how such a key is written where it is not taken as it is.
    """

    account: Rule
    prefix: Rule
    longest_prefix: int
    part: Rule
    tag: Rule = Rule(r".+", "at least one character")
    written: Callable[[str], str] = str

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

    def wrong_tags(self, tags: Iterable[str]) -> Iterator[str]:
        """What is wrong with each of these keys, and which would become one."""
        known: dict[str, str] = {}
        for tag in tags:
            if not self.tag.holds(tag):
                yield f"{tag!r} in trivet:tags is no tag here: use {self.tag.words}"
            if other := known.get(self.written(tag)):
                yield f"{other!r} and {tag!r} in trivet:tags would both be written {self.written(tag)!r} here"
            known[self.written(tag)] = tag
