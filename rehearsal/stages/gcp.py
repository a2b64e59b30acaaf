"""Google Cloud for a rehearsal: the fake for what the platform asks, the stand-ins for what Pulumi makes in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from trivet.rehearsal.fakes.gcp import LOCATION, PROJECT, Fake
from trivet.rehearsal.plugins.gcp.fake import Fake as Asked
from trivet.rehearsal.plugins.gcp.rules import stays
from trivet.rehearsal.plugins.guards import STORE
from trivet.rehearsal.plugins.path import rehearsing
from trivet.rehearsal.plugins.store import Store
from trivet.rehearsal.rigs.gcp import COMMANDS
from trivet.rehearsal.stages import Stage

_HERE = f"/v1/projects/{PROJECT}/locations/{LOCATION}"


class GcpStage(Stage):
    """One project and region."""

    title = "Google Cloud"
    proves = (
        "the requests, as Google's own messages and their descriptions allow them; the containers' contract; "
        "the order of what is made and deleted; what is said when something fails"
    )
    proves_not = "rights (IAM), quotas, prices, timing, and that Google's real services answer as the fake does"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fake = Fake(folder / "gcp", COMMANDS)
        self._asked = Asked(self._fake.endpoint)
        sdk = version("google-cloud-aiplatform")
        self.evidence = f"fake (messages of google-cloud-aiplatform {sdk}, {self._fake.mode})"

    @property
    def environment(self) -> Mapping[str, str]:
        return {**rehearsing(self._folder / "plugins"), **self._fake.environment}

    @property
    def config(self) -> Mapping[str, str]:
        return {
            "cloud": "gcp",
            "environment": "dev",
            "region": LOCATION,
            "account": PROJECT,
            # Nothing answers at the address of a stand-in's database: the ledger lies in the store.
            "database": "off",
        }

    def operations(self) -> Mapping[str, int]:
        return Counter(call["service"] for call in self._fake.calls())

    def left(self) -> Sequence[str]:
        """Beside what stays: keys, names that Google gives but once, audit settings, the roles of its own agents."""
        store = Store(Path(rehearsing(self._folder / "plugins")[STORE]))
        noted = [f"{entry.token} {entry.id}" for entry in store.all() if not stays(entry)]
        return sorted([*noted, *self._lying()])

    def close(self) -> None:
        self._fake.close()

    def _lying(self) -> Iterator[str]:
        for path, key in (
            (f"/storage/v1/b?project={PROJECT}", "items"),
            (f"{_HERE}/endpoints", "endpoints"),
            (f"{_HERE}/models", "models"),
            (f"/v1/projects/{PROJECT}/serviceAccounts", "accounts"),
            (f"/v3/projects/{PROJECT}/alertPolicies", "alertPolicies"),
        ):
            yield from (f"{key} {one['name']}" for one in self._asked.ask("GET", path).get(key, []))
