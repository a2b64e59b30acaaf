"""The command line. Each verb group is one thin file over ``trivet.api``; nothing heavy is imported for ``--help``."""

from __future__ import annotations

import gc
import sys
import traceback

import typer

from trivet.cli import datasets, demo, endpoints, ledger, models, projects, rehearsals, stacks
from trivet.cli.output import say
from trivet.core.errors import ExitCode, TrivetError

app = typer.Typer(
    name="trivet",
    help="Train, register and serve models behind one interface: on this machine with no account, or on a cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for room in (demo, projects, stacks, endpoints, rehearsals):
    for command in room.COMMANDS:
        app.command()(command)
app.add_typer(datasets.app, name="datasets")
app.add_typer(models.app, name="models")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(ledger.app, name="ledger")
app.add_typer(stacks.app, name="stack")


@app.callback()
def options(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Options of every command."""
    context.obj = {"debug": debug}


def main() -> None:
    """Run the command line; every error leaves as one sentence and an exit code."""
    gc.set_threshold(50_000)  # most of what a command makes are the packages that it imports, and they stay
    try:
        # Typer makes a code of Ctrl-C, without a word.
        code = app(prog_name="trivet", standalone_mode=False) or ExitCode.OK
    except KeyboardInterrupt:  # before Typer took over
        code = ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001  what it was, the exit code says
        if "--debug" in sys.argv:
            traceback.print_exc()
        sentence, code = _told(error)
        say(sentence, error=True)
        sys.exit(code)
    if code == ExitCode.INTERRUPTED:
        say("Interrupted; the same command goes on from here.", error=True)
    sys.exit(code)


def _told(error: Exception) -> tuple[str, ExitCode]:
    """What to say of an error, and the exit code."""
    match error:
        case TrivetError():
            return f"Error: {error}", error.exit_code
        case typer.Abort():
            return "Nothing was done.", ExitCode.INTERRUPTED
        case typer.TyperException():
            message = error.format_message()
            is_help = "\n" in message
            return message if is_help else f"Error: {message.rstrip('.')}. See `trivet --help`.", ExitCode.USAGE
        case OSError():
            where = f": {error.filename}" if error.filename else ""
            return f"Error: {error.strerror or error}{where}. Mend that, then call again.", ExitCode.PLATFORM
    return (
        f"This is a bug of Trivet ({type(error).__name__}: {error}). "
        "Call again with --debug right after `trivet` and report what it shows."
    ), ExitCode.BUG
