"""Endpoints of Vertex AI, which the stack owns, and what is deployed on them, which it does not."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from trivet.core.errors import ConfigError, ForeignRelease, Locked, NotFound, NotReady, PlatformError, TrivetError
from trivet.core.faults import point
from trivet.core.outputs import EndpointShell, GcpNative
from trivet.core.platform import Endpoints
from trivet.core.specs import EndpointNative, EndpointSpec, EndpointState, EndpointStatus, GcpEndpoint, Release
from trivet.platforms.gcp.clients import Again, Clients
from trivet.platforms.gcp.deployed import Deployed, Plan, plan_of, split_of
from trivet.platforms.gcp.ensuring import ensure
from trivet.platforms.gcp.errors import is_missing, said, told
from trivet.platforms.gcp.hosted import Hosted, deployed_on, taken_over
from trivet.platforms.gcp.keeping import Keeping
from trivet.platforms.gcp.labels import whose
from trivet.platforms.gcp.leftovers import tidy
from trivet.platforms.gcp.logs import last_error, lines, of_endpoint
from trivet.platforms.gcp.rollout import Watch, check, shift
from trivet.platforms.gcp.served import MODE, environment_of, model_of, served_release
from trivet.platforms.packages import get_package
from trivet.platforms.part import Part

MOST_BODY = 1_572_864  # bytes of a request to a shared endpoint; "Choose an endpoint type"
BUSY = (429, 503, 504)
USUAL_STARTUP = 600.0  # seconds, where a model does not say


class GcpEndpoints(Part[Clients, GcpNative], Endpoints):
    """One endpoint of Vertex AI per shell."""

    def apply(self, spec: EndpointSpec) -> EndpointState:
        self._check(spec)
        check(spec.native.gcp)
        hosted, keeping = self._hosted(spec.name), self._keeping(spec.name)
        self._verify(spec)
        now = hosted.deployed()
        plan = plan_of(spec, [self._model(spec, one) for one in spec.releases], now or keeping.paused() or ())
        point("endpoint.prepared")
        before = keeping.begin(plan, {one.id: one.share for one in now})
        try:
            self._deploy(hosted, plan, spec.native.gcp.startup.total_seconds())
            point("endpoint.deployed")
            alarm = "" if split_of(now) == split_of(plan) else self._take_over(hosted, plan, now, before, spec)
        except TrivetError as error:
            self._take_back(hosted, plan, before, error)
            raise
        if alarm:
            self._take_back(hosted, plan, before, NotReady(f"The alarm {alarm} went off."))
        point("endpoint.shifted")
        self._settle(spec.name, hosted, plan)
        return self.state(spec.name)

    def state(self, name: str) -> EndpointState:
        hosted, keeping = self._hosted(name), self._keeping(name)
        there = hosted.described()
        url = f"https://{self._shell(name).host}/v1/{hosted.at}:rawPredict"
        serving = self._serving(name, there)
        idle = _idle(there, {*keeping.begun(), *(one.id for one in serving)})
        if serving:
            releases = tuple(self._release(one) for one in serving)
            return EndpointState(
                name=name,
                status=EndpointStatus.READY,
                url=url,
                reason=f"{keeping.failed()}{idle}".strip(),
                since=there["updateTime"],
                releases=releases,
            )
        if keeping.paused() is not None:
            reason = f"It was paused; `trivet resume --endpoint {name}` serves again.{idle}"
            return EndpointState(name=name, status=EndpointStatus.STOPPED, url=url, reason=reason)
        if keeping.begun():
            return EndpointState(name=name, status=EndpointStatus.STARTING, url=url)
        reason = keeping.failed()
        status = EndpointStatus.FAILED if reason else EndpointStatus.EMPTY
        return EndpointState(name=name, status=status, url=url, reason=f"{reason}{idle}".strip())

    def held(self, name: str) -> EndpointSpec | None:
        serving = self._serving(name, self._hosted(name).described())
        if not serving:
            return None
        releases = [self._release(one) for one in serving]
        first, model = serving[0], self._described(serving[0])
        container = model["containerSpec"]
        gcp: dict[str, Any] = {
            "machine_type": first.machine,
            "accelerator": first.accelerator,
            "image": container.get("imageUri"),
            "cpu_target": first.cpu,
            "startup": timedelta(seconds=_startup(container)),
        }
        return EndpointSpec.model_validate(
            {
                "name": name,
                "releases": releases,
                "minimum_instances": first.least,
                "maximum_instances": first.most,
                "records": environment_of(model)[MODE],
                "native": EndpointNative(gcp=GcpEndpoint.model_validate(gcp)),
            }
        )

    def invoke(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        hosted = self._hosted(name)
        if (size := len(json.dumps(request).encode())) > MOST_BODY:
            raise ConfigError(
                f"The request has {size} bytes, and Vertex AI takes {MOST_BODY}.", "Send fewer rows at a time."
            )
        with told(f"Endpoint {name}"):
            try:
                return self._clients.post("aiplatform", f"v1/{hosted.at}:rawPredict", request, Again.NEVER)
            except GoogleAPICallError as error:
                if (of_model := _of_the_model(error)) is not None:
                    raise of_model from error
                if is_missing(error) or "traffic_split" in said(error):
                    raise NotReady(f"The endpoint {name} serves nothing.", "Deploy a release first.") from error
                raise

    def delete(self, name: str) -> None:
        self._empty(self._hosted(name))
        point("endpoint.removed")
        self._keeping(name).forget()
        self._tidy(name)

    def pause(self, name: str) -> EndpointState:
        hosted, keeping = self._hosted(name), self._keeping(name)
        there = hosted.described()
        if serving := self._serving(name, there):
            keeping.pause(serving)
            point("endpoint.pausing")
        if serving or (keeping.paused() is not None and deployed_on(there)):  # a pause that was cut off
            self._empty(hosted)  # its models stay
        return self.state(name)

    def resume(self, name: str) -> EndpointState:
        hosted, keeping = self._hosted(name), self._keeping(name)
        paused, now = keeping.paused(), hosted.deployed()
        if paused is None:
            if not now:
                raise NotReady(f"The endpoint {name} was not paused.", "Deploy a release.")
            return self.state(name)
        if not {one.id for one in now if one.share} - {one.id for one in paused}:  # else a release came since
            try:
                self._deploy(hosted, paused, max(_startup(self._described(one)["containerSpec"]) for one in paused))
                point("endpoint.resuming")
                hosted.split(split_of(paused), split_of(now))
                self._rescale(hosted, paused, hosted.deployed())
            except TrivetError as error:
                self._take_back(hosted, paused, {}, error)
                raise
            keeping.want(paused)
        keeping.over(paused)
        return self.state(name)

    def logs(self, name: str) -> Iterator[str]:
        return lines(self._clients, of_endpoint(self._shell(name).name))

    def _deploy(self, hosted: Hosted, plan: Plan, startup: float) -> None:
        """Deploy what is not there."""
        there = {one.id for one in hosted.deployed()}
        for one in plan:
            if one.id not in there:
                hosted.deploy(one, self._native.server, startup, self._keeping(hosted.name))

    def _rescale(self, hosted: Hosted, plan: Plan, there: Plan) -> None:
        """Have what was there scale as it should: not before it serves so, since what is taken back stays as it was."""
        now = {one.id: one for one in there}
        for one in plan:
            if one.id in now and not one.scales_as(now[one.id]):
                hosted.rescale(one)

    def _take_over(self, hosted: Hosted, plan: Plan, now: Plan, before: Mapping[str, int], spec: EndpointSpec) -> str:
        """Shift the traffic to the plan; the alarm that stopped this."""
        after, old, seen = split_of(plan), _getting(before), split_of(now)
        if old.keys() == after.keys():  # nothing that is new gets any
            old = {}
        watch = Watch(self._clients, self._native.alarms.get(spec.name, ()) if old else ())

        def split(shares: Mapping[str, int]) -> None:
            nonlocal seen
            hosted.split(shares, seen)
            seen = dict(shares)

        return shift(old, after, spec.native.gcp, split, watch)

    def _settle(self, name: str, hosted: Hosted, plan: Plan) -> None:
        """After the traffic has gone over: read it back, scale, take off what served before, and forget the way."""
        there, keeping = hosted.deployed(), self._keeping(name)
        wanted = {one.id for one in plan}
        try:
            if split_of(there) != split_of(plan):
                raise taken_over(name)
            keeping.want(plan)
            self._rescale(hosted, plan, there)
            kept = wanted.union(keeping.begun())  # what somebody else deploys just now
            hosted.undeploy(one.id for one in there if one.id not in kept)
        except Locked:
            hosted.undeploy(one.id for one in hosted.deployed() if one.id in wanted and not one.share)
            raise
        point("endpoint.undeployed")
        keeping.over(plan)
        self._tidy(name, frozenset(one.model for one in plan))

    def _take_back(self, hosted: Hosted, plan: Plan, before: Mapping[str, int], why: TrivetError) -> None:
        """Have serve again what served before, and nothing of what was no good.

        :raises NotReady: saying so, where that was the release's own fault.
        """
        there = {one.id: one.share for one in hosted.deployed()}
        known = {*before, *(one.id for one in plan)}
        back = {one: share for one, share in _getting(before).items() if one in there}
        now = _getting(there)
        others = isinstance(why, Locked) or not now.keys() <= known  # what serves now is somebody else's
        if now != back and not others:
            hosted.split(back, now)
        gone = (one.id for one in plan if one.id in there and one.id not in before)
        hosted.undeploy(one for one in gone if not (others and there[one]))
        reason = f"{why.message}{self._wrote(hosted)}"
        self._keeping(hosted.name).fail(plan, reason)
        if isinstance(why, NotReady):
            went = "went back to what it served before" if any(before.values()) else "did not become ready"
            raise NotReady(f"The endpoint {hosted.name} {went}: {reason}", "Read its log.") from (why.__cause__ or why)

    def _wrote(self, hosted: Hosted) -> str:
        """The sentence of the server's own log, where that can be read: nothing else waits for it."""
        try:
            sentence = last_error(self._clients, of_endpoint(hosted.at.rpartition("/")[2]))
        except TrivetError:
            return ""
        return sentence and f" The server: {sentence}"

    def _empty(self, hosted: Hosted) -> None:
        there = hosted.deployed()
        hosted.split({}, split_of(there))
        point("endpoint.silenced")
        hosted.undeploy(one.id for one in there)

    def _serving(self, name: str, there: Mapping[str, Any]) -> Plan:
        """What answers, in the order of the releases; nothing where no traffic goes anywhere.

        What was deployed for no share is a release too, if it was wanted so.
        """
        found = {one.id: one for one in deployed_on(there)}
        if not any(one.share for one in found.values()):
            return ()
        wanted = [one.id for one in self._keeping(name).wanted() if one.id in found]
        rest = [one.id for one in found.values() if one.share and one.id not in wanted]
        return tuple(found[one] for one in (*wanted, *rest))

    def _release(self, one: Deployed) -> Release:
        return served_release(self._described(one), self._outputs.store).model_copy(update={"traffic": one.share})

    def _described(self, one: Deployed) -> Mapping[str, Any]:
        """The model that is deployed.

        :raises ForeignRelease: where it was deleted, which Vertex AI does not let happen.
        """
        with told(f"The model {one.model}"):
            try:
                return self._clients.get("aiplatform", f"v1/{one.model}")
            except GoogleAPICallError as error:
                if is_missing(error):
                    raise ForeignRelease(f"The model {one.model} was deleted.", "Deploy again.") from error
                raise

    def _model(self, spec: EndpointSpec, release: Release) -> str:
        """The model that serves a release here, by its resource name; made where it is not there."""
        wanted = model_of(spec, release, self._shell(spec.name), self._outputs, self._native)
        at = f"{self._clients.parent}/models/{wanted['id']}"

        def upload() -> None:
            body = {"modelId": wanted["id"], "model": wanted["model"]}
            path = f"v1/{self._clients.parent}/models:upload"
            self._clients.ended(self._clients.post("aiplatform", path, body, Again.ALWAYS), f"The model {at}")

        found = ensure(lambda: self._clients.get("aiplatform", f"v1/{at}"), upload, f"The model {wanted['id']}")
        point("endpoint.model")
        return str(found["name"]).partition("@")[0]

    def _verify(self, spec: EndpointSpec) -> None:
        """Read every package once before anything is made: Vertex AI would find out after minutes."""
        for release in spec.releases:
            with tempfile.TemporaryDirectory(prefix="trivet-package-") as folder:
                get_package(self._store, release.digest, Path(folder, "package"), self._outputs.signing.public_key)

    def _tidy(self, name: str, used: frozenset[str] = frozenset()) -> None:
        with told(f"Models of endpoint {name}"):
            tidy(self._clients, self._shell(name), whose(self._outputs.project, self._outputs.stack), used=used)

    def _keeping(self, name: str) -> Keeping:
        return Keeping(self._store, name)

    def _hosted(self, name: str) -> Hosted:
        return Hosted(self._clients, name, self._shell(name).name)

    def _shell(self, name: str) -> EndpointShell:
        if name not in self._outputs.endpoints:
            there = ", ".join(self._outputs.endpoints) or "none"
            raise NotFound(f"The stack has no endpoint {name!r}; it has {there}.", "Name it in trivet:endpoints.")
        return self._outputs.endpoints[name]


def _getting(shares: Mapping[str, int]) -> dict[str, int]:
    """Those that get traffic."""
    return {one: share for one, share in shares.items() if share}


def _idle(there: Mapping[str, Any], known: set[str]) -> str:
    """A sentence about what is deployed for nothing, such as by a call that was cut off."""
    names = [one.get("displayName", one["id"]) for one in there.get("deployedModels", []) if one["id"] not in known]
    if not names:
        return ""
    return f" {', '.join(names)} is deployed, charged, and serves nothing: the next release takes it off."


def _startup(container: Mapping[str, Any]) -> float:
    """Seconds that a container has to become ready."""
    return float(str(container.get("deploymentTimeout") or USUAL_STARTUP).removesuffix("s"))


def _of_the_model(error: GoogleAPICallError) -> Exception | None:
    """The answer of the server itself, as our errors; none where Vertex AI has said it."""
    try:
        sentence = str(json.loads(said(error))["error"])
    except (ValueError, LookupError, TypeError):
        return None
    code = int(error.code or 500)
    if code in BUSY:
        return NotReady(sentence, "Try again.")
    return ConfigError(sentence) if code < 500 else PlatformError(sentence)
