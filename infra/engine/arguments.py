"""The command lines of the pulumi CLI that the embedded engine implements, as Pulumi's Automation API builds them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from trivet.core.errors import Unsupported


def parse(args: Sequence[str]) -> argparse.Namespace:
    """The options of one command line; ``command`` says which, such as ``stack_init``.

    :raises Unsupported: naming whatever is not implemented.
    """
    return _parser().parse_args(args)


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Each command, such as ``stack init``, and its options."""
    yield from _lines(_parser(), "")


def _lines(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, list[str]]]:
    options = [one.option_strings[0] for one in parser._actions if one.option_strings]
    if name and options:
        yield name, sorted(options)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from _lines(below, f"{name} {word}".strip())


class _Parser(argparse.ArgumentParser):
    """Refuses what it does not know, and knows no abbreviations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "add_help": False, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        raise Unsupported(
            f"The embedded engine does not implement this pulumi command line: {message}.",
            "Leave that out or use the pulumi CLI.",
        )


def _parser() -> _Parser:
    parser = _Parser(prog="pulumi")
    commands = parser.add_subparsers(required=True, metavar="command")
    _operations(commands)
    _stack(commands.add_parser("stack").add_subparsers(required=True, metavar="stack command"))
    _config(commands.add_parser("config"))
    return parser


def _operations(commands: Any) -> None:
    for name, flags in {
        "up": ["--yes", "--skip-preview"],
        "preview": [],
        "refresh": ["--yes", "--skip-preview", "--preview-only", "--clear-pending-creates"],
        "destroy": ["--yes", "--skip-preview", "--preview-only"],
    }.items():
        parser = _command(commands.add_parser(name), name, *flags)
        parser.add_argument("--message", default="")
        parser.add_argument("--target", action="append", default=[])
        parser.add_argument("--target-dependents", action="store_true")
        parser.add_argument("--exclude", action="append", default=[])
        parser.add_argument("--exclude-dependents", action="store_true")
        parser.add_argument("--parallel", type=int, default=16)
        parser.add_argument("--expect-no-changes", action="store_true")
        parser.add_argument("--event-log")
        parser.add_argument("--client")
        parser.add_argument("--exec-kind", choices=["auto.local", "auto.inline"])
        parser.add_argument("--verbose", type=int, default=0)
        # What is shown has no colours, no progress dots and no outputs in any case.
        parser.add_argument("--color", choices=["never", "auto", "raw"])
        parser.add_argument("--suppress-progress", action="store_true")
        parser.add_argument("--suppress-outputs", action="store_true")
        if name == "refresh":
            parser.add_argument("--run-program", choices=["false"])
            continue
        parser.add_argument("--continue-on-error", action="store_true")
        parser.add_argument("--refresh", nargs="?", choices=["true", "false"], const="true")
        if name == "destroy":
            parser.add_argument("--run-program", choices=["true", "false"])
            parser.add_argument("--exclude-protected", action="store_true")
        else:
            parser.add_argument("--replace", action="append", default=[])
            parser.add_argument("--policy-pack", action="append", default=[])
            parser.add_argument("--policy-pack-config", action="append", default=[])


def _stack(commands: Any) -> None:
    def add(name: str, *flags: str) -> argparse.ArgumentParser:
        return _command(commands.add_parser(name), f"stack_{name}", *flags)

    init = add("init")
    init.add_argument("stack")
    init.add_argument("--secrets-provider", choices=["passphrase", "default"])
    add("select")
    _json(add("ls", "--all"))
    add("rm", "--yes", "--force", "--preserve-config").add_argument("stack")
    _json(add("output", "--show-secrets"))
    add("export", "--show-secrets")
    add("import").add_argument("--file", required=True)
    history = _json(add("history", "--show-secrets"))
    history.add_argument("--page-size", type=int, default=10)
    history.add_argument("--page", type=int, default=1)


def _config(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="config command")
    _command(parser, "config_all", "--show-secrets", "--json")
    get = _json(_command(commands.add_parser("get"), "config_get"))
    get.add_argument("key")
    put = _command(commands.add_parser("set"), "config_set")
    put.add_argument("key")
    put.add_argument("value")
    kind = put.add_mutually_exclusive_group(required=True)
    kind.add_argument("--secret", action="store_true")
    kind.add_argument("--plaintext", action="store_true")
    put_all = _command(commands.add_parser("set-all"), "config_set_all")
    put_all.add_argument("--secret", action="append", default=[])
    put_all.add_argument("--plaintext", action="append", default=[])
    _command(commands.add_parser("rm"), "config_rm").add_argument("keys", nargs=1)
    _command(commands.add_parser("rm-all"), "config_rm").add_argument("keys", nargs="*")


def _command(parser: argparse.ArgumentParser, command: str, *flags: str) -> argparse.ArgumentParser:
    """A command with the options that every command has, and these flags."""
    parser.set_defaults(command=command)
    parser.add_argument("--stack")
    parser.add_argument("--non-interactive", action="store_true")
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    return parser


def _json(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Output is JSON, and has to be asked for."""
    parser.add_argument("--json", action="store_true", required=True)
    return parser
