"""One machine and no account."""

from __future__ import annotations

from types import MappingProxyType

from trivet.core.capabilities import Capability, Claim, Cloud, Support

LOCAL = Cloud(
    name="local",
    title="local",
    extra="local",
    regions=("local",),
    platform="trivet.platforms.local.session:connect",
    evidence="the real thing: this machine",
    left="trivet.platforms.local.left:audit",
    claims=MappingProxyType(
        {
            Capability.STORE: Claim(Support.NATIVE, "files in the stack's folder"),
            Capability.JOBS: Claim(Support.NATIVE, "a process of its own"),
            Capability.BATCH_SCORING: Claim(
                Support.EMULATED, "a process scores file after file, and goes on after its last complete chunk"
            ),
            Capability.MODELS: Claim(Support.NATIVE, "MLflow on SQLite"),
            Capability.ENDPOINTS: Claim(Support.NATIVE, "a supervised server process"),
            Capability.WORKFLOWS: Claim(Support.EMULATED, "a detached process runs the workflow"),
            Capability.SCHEDULES: Claim(
                Support.EMULATED,
                "`trivet run --if-needed`, called by cron or a CI schedule, asks whether it is due",
            ),
            Capability.SCHEDULED_JOBS: Claim(
                Support.REFUSED, "one machine has no clock that starts jobs; call `trivet run --if-needed` from cron."
            ),
            Capability.METRICS: Claim(Support.NATIVE, "a table in SQLite"),
            Capability.TRAFFIC_SPLIT: Claim(
                Support.REFUSED, "one process serves one release; deploy it alone, or split on a cloud."
            ),
            Capability.SHADOW_TRAFFIC: Claim(
                Support.REFUSED, "one process serves one release; compare two releases with `trivet predict`."
            ),
            Capability.AUTOSCALING: Claim(Support.REFUSED, "there is one machine; ask for one instance."),
            Capability.SCALE_TO_ZERO: Claim(
                Support.REFUSED,
                "a stopped server does not wake on a request; use `trivet destroy` to free the machine.",
            ),
            Capability.ACCELERATORS: Claim(Support.REFUSED, "models run on the CPU here; train on a cloud for a GPU."),
            Capability.PRIVATE_NETWORK: Claim(
                Support.REFUSED,
                "the server listens on the loopback address only, which nothing else reaches.",
            ),
        }
    ),
)
