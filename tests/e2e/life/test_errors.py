"""What the command line says when something is wrong: one sentence with the next step, and its kind's exit code."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

USAGE, CONFIG, PLATFORM, NOT_READY, INTERRUPTED = 2, 3, 8, 9, 130


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("depoly",), "No such command 'depoly'"),
        (("status", "--nonsense"), "No such option: --nonsense"),
        (("deploy",), "Missing argument"),
        (("up", "--config", "cloud"), "'cloud' sets nothing"),
        (("predict",), "There are no rows"),
        (("predict", "--file", "rows.csv"), "--file needs --out"),
    ],
)
def test_what_the_command_line_does_not_know(checkout, words: tuple[str, ...], told: str) -> None:
    assert_sentence(checkout.trivet(*words, expect=USAGE), told)


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (NOT_READY, ("status",), "Run `trivet up --stack local`."),
        (NOT_READY, ("outputs", "--stack", "other"), "Run `trivet up --stack other`."),
        (CONFIG, ("preview", "--stack", "other"), "The stack other has no config here"),
        (CONFIG, ("destroy", "--yes", "--stack", "other"), "There is no stack other here."),
        (CONFIG, ("demo", "--down"), "There is no stack local here."),
        (CONFIG, ("run", "nowhere"), "nowhere is no project"),
        (CONFIG, ("predict", "[1]"), "A row is a JSON object."),
        (CONFIG, ("status", "--outputs", "nowhere.json"), "nowhere.json"),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_is_not_there(checkout, code: int, words: tuple[str, ...], told: str, form: tuple[str, ...]) -> None:
    assert_sentence(checkout.trivet(*words, *form, expect=code), told)
    assert not (checkout.root / ".trivet").exists()


def assert_sentence(ran, told: str) -> None:
    """One line on standard error, nothing on standard output."""
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("Error: ")
    assert told in ran.stderr


def test_every_setting_that_is_wrong_is_named_at_once(checkout) -> None:
    settings = ("cloud=mars", "environment=moon", "endpoints=loan", "colour=red")
    words = [word for one in settings for word in ("--config", one)]
    ran = checkout.trivet("up", "--stack", "other", *words, expect=CONFIG)
    assert_sentence(ran, "region: Field required")
    for told in ("'mars' is no cloud of this version", "'dev', 'staging' or 'prod'", '["loan"]', "colour"):
        assert told in ran.stderr
    assert not (checkout.root / "Pulumi.other.yaml").exists()


def test_outside_of_a_project(checkout, tmp_path: Path) -> None:
    for words in (("status",), ("up",), ("demo", "--down"), ("models", "list")):
        ran = checkout.trivet(*words, cwd=tmp_path, expect=CONFIG)
        assert_sentence(ran, f"No Pulumi.yaml in {tmp_path} or above it. Run `trivet init NAME")
    assert list(tmp_path.iterdir()) == []


def test_debug_adds_the_traceback_and_keeps_the_code(checkout) -> None:
    ran = checkout.trivet("--debug", "status", expect=NOT_READY)
    first, *_, last = ran.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert last.startswith("Error: The stack local has no outputs yet.")


def test_nobody_says_yes(checkout) -> None:
    ran = checkout.trivet("destroy", expect=INTERRUPTED)
    assert ran.stderr.endswith("Nothing was done.\n")


def test_a_full_disk_is_named(checkout, tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("x,y\n" + "".join(f"{n % 7},{n % 2}\n" for n in range(200)))
    words = ("init", "small", "--from", str(data), "--target", "y")
    command = 'ulimit -f 0; exec "$0" -m trivet "$@"'  # no file may hold a byte
    ran = subprocess.run(
        ["bash", "-c", command, sys.executable, *words],
        cwd=tmp_path,
        env=checkout.environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == PLATFORM
    assert ran.stderr.startswith("Error: File too large")
    checkout.trivet(*words, cwd=tmp_path)
    assert (tmp_path / "small" / "trivet.yaml").is_file()


def test_a_port_that_is_taken_is_named(checkout) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        endpoints = json.dumps([{"name": "loan", "port": port}])
        ran = checkout.trivet("up", "--config", f"endpoints={endpoints}", expect=CONFIG)
    assert f"Port {port} of 127.0.0.1 is taken" in ran.stderr
    assert "Set another in trivet:endpoints" in ran.stderr
    checkout.trivet("destroy", "--yes")
