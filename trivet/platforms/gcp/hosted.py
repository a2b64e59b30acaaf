"""One endpoint of Vertex AI: what is deployed on it, and how that is changed.

An operation on an endpoint may be refused while another one is under way, so it is asked for until it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from google.api_core.exceptions import GoogleAPICallError

from trivet.core.errors import Locked, NotFound, NotReady
from trivet.core.faults import point
from trivet.core.waiting import wait_for
from trivet.platforms.gcp.clients import Again, Clients
from trivet.platforms.gcp.deployed import Deployed, Plan, split_of
from trivet.platforms.gcp.ensuring import LONGEST_PAUSE, SEEN_SECONDS, SETTLE_SECONDS, insisted, unless_gone
from trivet.platforms.gcp.errors import is_changing, is_missing, is_of_operation, is_taken, is_withheld, said, told
from trivet.platforms.gcp.keeping import Keeping

T = TypeVar("T")

ENOUGH_S = 3600.0  # for machines to come up, beside the container's own start
SCALING = ",".join(
    f"dedicatedResources.{name}" for name in ("minReplicaCount", "maxReplicaCount", "autoscalingMetricSpecs")
)


class Hosted:
    """The endpoint that is behind one shell.

    :param name: as the stack calls it.
    :param id: as Vertex AI does.
    """

    def __init__(self, clients: Clients, name: str, id: str) -> None:  # noqa: A002  the field's own name
        self.name = name
        self.at = f"{clients.parent}/endpoints/{id}"
        self._clients = clients

    def described(self) -> Mapping[str, Any]:
        """What Vertex AI says of it.

        :raises NotFound: when it was deleted: it is the stack's.
        """
        with told(f"Endpoint {self.name}"):
            try:
                return self._clients.get("aiplatform", f"v1/{self.at}")
            except GoogleAPICallError as error:
                if is_missing(error):
                    raise NotFound(
                        f"The endpoint {self.name} of the stack was deleted from Vertex AI.", "Run `trivet up`."
                    ) from error
                raise

    def deployed(self) -> Plan:
        """What is deployed, the oldest first."""
        return deployed_on(self.described())

    def deploy(self, one: Deployed, account: str, startup: float, keeping: Keeping) -> None:
        """Deploy a model without any traffic, and wait until it serves.

        :raises NotReady: when it does not, with Vertex AI's reason.
        """
        body, what = {"deployedModel": one.request(account)}, f"The release on endpoint {self.name}"

        def begin() -> str:
            try:
                begun = self._clients.post("aiplatform", f"v1/{self.at}:deployModel", body, Again.ALWAYS)
            except GoogleAPICallError as error:
                if not is_taken(error):
                    raise
                return keeping.deploying(one.id)
            keeping.deploys(one.id, begun["name"])
            return begun["name"]

        with told(f"Endpoint {self.name}"):
            operation = self._insisted(begin)
            point("endpoint.deploying")
            if operation:
                self._ended(operation, what, startup + ENOUGH_S)
        # Without an operation: somebody else has begun this, or our own call, whose answer was lost.
        seconds = SEEN_SECONDS if operation else startup + ENOUGH_S
        wait_for(lambda: one.id in {now.id for now in self.deployed()} or None, what, seconds=seconds)

    def _ended(self, operation: str, what: str, seconds: float) -> None:
        try:
            self._clients.ended({"name": operation}, what, seconds)
        except GoogleAPICallError as error:
            if not is_of_operation(error) or is_withheld(error):
                raise  # we could not ask what became of it, or it is no fault of the release's
            raise NotReady(f"{said(error)}.") from error

    def rescale(self, one: Deployed) -> None:
        """Have a deployed model scale otherwise."""
        wanted = {"id": one.id, "model": one.model, "dedicatedResources": one.request("")["dedicatedResources"]}
        body = {"deployedModel": wanted, "updateMask": SCALING}

        def change() -> object:
            operation = self._clients.post("aiplatform", f"v1/{self.at}:mutateDeployedModel", body, Again.ALWAYS)
            return self._clients.ended(operation, f"Endpoint {self.name}")

        with told(f"Autoscaling of endpoint {self.name}"):
            self._insisted(change)

    def split(self, shares: Mapping[str, int], seen: Mapping[str, int]) -> None:
        """Have the traffic go where it should, unless somebody else has sent it elsewhere meanwhile.

        :param seen: where it went by the last look.
        :raises Locked: when it goes elsewhere than there by now, or what should get some was taken off.
        """

        def attempt() -> bool | None:
            there = self.described()
            now = split_of(deployed_on(there))
            if now == shares:  # done by a call of ours whose answer was lost, or by who wants the same
                return True
            if now != seen or not shares.keys() <= {one.id for one in deployed_on(there)}:
                raise taken_over(self.name)
            body = {"name": self.at, "etag": there.get("etag", ""), "trafficSplit": dict(shares)}
            try:
                self._clients.patch("aiplatform", f"v1/{self.at}", body, "trafficSplit")
            except GoogleAPICallError as error:
                if is_changing(error):
                    return None  # look again
                raise
            return True

        with told(f"Endpoint {self.name}"):
            wait_for(attempt, f"Endpoint {self.name}", seconds=SETTLE_SECONDS, longest=LONGEST_PAUSE)

    def undeploy(self, ids: Iterable[str]) -> None:
        """Take off what gets no traffic; what is gone already is gone.

        :raises Locked: when somebody has given it some meanwhile.
        """
        for one in ids:
            with told(f"Endpoint {self.name}"):
                try:
                    unless_gone(lambda one=one: self._insisted(lambda: self._undeploy(one)))
                except GoogleAPICallError as error:
                    if one in {now.id for now in self.deployed() if now.share}:
                        raise taken_over(self.name) from error
                    raise

    def _undeploy(self, one: str) -> None:
        body = {"deployedModelId": one}
        operation = self._clients.post("aiplatform", f"v1/{self.at}:undeployModel", body, Again.ALWAYS)
        self._clients.ended(operation, f"Endpoint {self.name}")

    def _insisted(self, call: Callable[[], T]) -> T:
        return insisted(call, f"Endpoint {self.name}")


def deployed_on(there: Mapping[str, Any]) -> Plan:
    """What an endpoint says that is deployed on it, the oldest first."""
    split = there.get("trafficSplit", {})
    every: Sequence[Mapping[str, Any]] = there.get("deployedModels", [])
    ordered = sorted(every, key=lambda one: (one.get("createTime", ""), one["id"]))
    return tuple(Deployed.of(one, split) for one in ordered)


def taken_over(name: str) -> Locked:
    """Another release was faster."""
    return Locked(f"Another release took over endpoint {name} meanwhile.", "Look who deploys, and deploy again.")
