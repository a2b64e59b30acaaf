"""Models of an endpoint that nothing serves any more; the last ones stay, to go back to by hand, without Trivet."""

from __future__ import annotations

from trivet.core.outputs import EndpointShell
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.ensuring import insisted, unless_gone
from trivet.platforms.gcp.labels import ENDPOINT
from trivet.platforms.gcp.served import DIGITS, family

KEPT = 3  # models beside those in use


def tidy(clients: Clients, shell: EndpointShell, wanted: str, *, used: frozenset[str] = frozenset()) -> None:
    """Delete what the endpoint had; where something is in use, that stays and the last models before it.

    :param wanted: the filter for what is the stack's.
    :param used: resource names.
    """
    begin = f"{clients.parent}/models/{family(shell)}"
    pages = clients.pages("aiplatform", f"v1/{clients.parent}/models", "models", filter=wanted)
    mine = [one for one in pages if ENDPOINT in one.get("labels", {})]
    names = {one["name"].partition("@")[0]: one["createTime"] for one in mine}
    # The service may name the project by its number.
    named = {name: time for name, time in names.items() if _local(name).startswith(_local(begin))}
    named = {name: time for name, time in named.items() if len(_local(name)) == len(_local(begin)) + DIGITS}
    in_use = {_local(one) for one in used}
    newest = sorted((one for one in named if _local(one) not in in_use), key=lambda one: named[one], reverse=True)
    for name in newest[KEPT if used else 0 :]:
        delete(clients, name)


def delete(clients: Clients, model: str) -> None:
    """Delete a model with all its versions, unless it is gone, or deployed, by then."""

    def work() -> None:
        clients.ended(clients.delete("aiplatform", f"v1/{model}"), "A model")

    unless_gone(lambda: insisted(work, "A model"), or_used=True)


def _local(name: str) -> str:
    """A resource's name without its project."""
    return name.partition("/locations/")[2]
