"""What the embedded engine is not: each limit with what is done about it. Written into ``docs/engine.md``, and told by
``--verbose``."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """Something that Pulumi's own engine has."""

    what: str
    instead: str


LIMITS = (
    Limit("It is not Pulumi's engine", "It speaks the same protocols to the same programs and plugins; one contract "
          "suite holds both where the CLI is present. What follows is what it is known to lack."),
    Limit("Real clouds", "Refused: it serves the cloud `local` and rehearsals; install the CLI, which downloads the "
          "providers."),
    Limit("Downloading plugins", "Refused: it takes the executables `pulumi-resource-*` that are on PATH, and the "
          "SDK's own for dynamic resources."),
    Limit("Languages other than Python", "Refused, for programs and for policy packs."),
    Limit("State backends other than a folder (`file://`)", "Refused."),
    Limit("Secrets providers other than a passphrase", "Refused."),
    Limit("A secret inside of a structured config value", "Refused by name; set the whole value as a secret."),
    Limit("Parameterized and extension packages (`RegisterPackage`)", "Refused by name."),
    Limit("Functions that stream, byte strings, state migrations, views, snippets", "Not announced, so that the SDK "
          "refuses them."),
    Limit("`pulumi:pulumi:Stash` and other resources of Pulumi's own but stack references", "Refused by name."),
    Limit("Update plans, `watch`, `import` of many resources at once, `cancel`, tags, `config --path`, environments",
          "Refused as command lines; Ctrl-C ends an operation once what is in progress has ended."),
    Limit("`refresh --run-program`, `up --run-program=false`", "Refused."),
    Limit("A resource that the program managed and now only reads", "Refused by name; give it another name."),
    Limit("Detailed diffs", "An update or replacement names the inputs for which it is, not their values."),
    Limit("Refresh before each update of one resource", "Not announced; `--refresh` refreshes all before."),
    Limit("Settings of the engine in the config, such as `pulumi:autonaming`", "Refused by name."),
    Limit("Options in what hooks are told", "Not announced; they are told inputs, outputs, URN and id."),
    Limit("Retries after partial failures", "Error hooks are asked after failures that left nothing behind; an object "
          "that is there is updated by the next `up`."),
    Limit("Deletes in parallel", "One after the other, dependents first; creates and updates run in parallel."),
    Limit("More than one machine", "One writer: the lock is this machine's."),
)  # fmt: skip


def lines() -> list[str]:
    """The limits for a terminal."""
    return [f"- {one.what}. {one.instead}".replace("`", "'") for one in LIMITS]
