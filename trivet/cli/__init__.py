"""The command line. Each verb group is one thin file over ``trivet.api``; nothing heavy is imported for ``--help``."""

from __future__ import annotations

import sys

import typer

from trivet.cli import demo, endpoints, ledger, models, projects, stacks
from trivet.cli.output import fail, say
from trivet.core.errors import ExitCode, TrivetError

app = typer.Typer(
    name="trivet",
    help="Train, register and serve models behind one interface: on this machine with no account, or on a cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for room in (demo, projects, stacks, endpoints):
    for command in room.COMMANDS:
        app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(ledger.app, name="ledger")


@app.callback()
def options(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Options of every command."""
    context.obj = {"debug": debug}


def main() -> None:
    """Run the command line; every error leaves as one sentence and an exit code."""
    debug = "--debug" in sys.argv
    try:
        # Typer makes a code of Ctrl-C, without a word.
        code = app(prog_name="trivet", standalone_mode=False) or ExitCode.OK
    except typer.Abort:
        sys.exit(ExitCode.INTERRUPTED)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except TrivetError as error:
        if debug:
            raise
        fail(error)
    except typer.TyperException as error:
        say(f"{error.format_message()} See `trivet --help`.", error=True)
        sys.exit(ExitCode.USAGE)
    except OSError as error:
        if debug:
            raise
        where = f": {error.filename}" if error.filename else ""
        say(f"Error: {error.strerror or error}{where}. Mend that, then call again.", error=True)
        sys.exit(ExitCode.PLATFORM)
    except Exception as error:
        if debug:
            raise
        say(
            f"This is a bug of Trivet ({type(error).__name__}: {error}). "
            "Call again with --debug right after `trivet` and report what it shows.",
            error=True,
        )
        sys.exit(ExitCode.BUG)
    if code == ExitCode.INTERRUPTED:
        say("Interrupted; the same command goes on from here.", error=True)
    sys.exit(code)
