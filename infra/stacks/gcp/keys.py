"""The key with which everything of the stack is encrypted, and the one with which it signs model packages.

Google deletes neither rings nor keys, and takes a name in a project once and for ever: so Pulumi gives both an end of
their own each time that they are made. What a stack leaves is a ring and keys whose versions are destroyed, which cost
nothing; a key that something kept still needs is kept whole, and a later stack names it in ``trivet:key``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from trivet.infra.names import fitted
from trivet.infra.settings import Settings
from trivet.infra.stacks.context import is_needed_later
from trivet.infra.stacks.gcp.context import Context, check_id

IDS = ("id",)
"""What names a key that is used."""
_ROTATION_S = 90 * 24 * 3600
_DAY_S = 24 * 3600
_USES = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
_END = 7  # hexadecimal digits that Pulumi puts behind a name of its own choice


@dataclass(frozen=True)
class Keys:
    """Resource names of keys; of the one that signs its version, and the public half, PEM.

    :param end: digits that are this stack's since it was made, and no later one's: for names that Google does not give
        again at once.
    :param allows: by service, what lets it use the key: whatever it encrypts comes after that.
    """

    data: pulumi.Input[str]
    signing: pulumi.Output[str]
    signing_public: pulumi.Output[str]
    signing_key: pulumi.Output[str]
    end: pulumi.Output[str]
    allows: dict[str, pulumi.Resource]

    def after(self, context: Context, service: str) -> pulumi.ResourceOptions:
        """Options of what a service encrypts with the key, for which it must have leave."""
        return context.after(*self._needed(service))

    def holding(self, context: Context, service: str) -> pulumi.ResourceOptions:
        """The same of what holds data."""
        return context.holding(*self._needed(service))

    def once(self, context: Context, what: str, most: int = 63) -> pulumi.Output[str]:
        """A name that is given only once, or not again for weeks after it was deleted."""
        return self.end.apply(lambda end: f"{fitted(context.name(what), most - len(end) - 1)}-{end}")

    def _needed(self, service: str) -> list[pulumi.Resource]:
        return [self.allows[service]] if service in self.allows else []


def check(settings: Settings) -> None:
    """:raises ConfigError: for a used key that is none, or lies in another region than what it is to encrypt."""
    if settings.key.mode == "use":
        form = f"projects/P/locations/{settings.region}/keyRings/RING/cryptoKeys/KEY"
        check_id("key", settings.key.ids(*IDS)["id"], form)


def create(context: Context) -> Keys:
    """Make both keys; the one for data is used where one is there.

    The services' agents are made in both cases: a key that is used can be opened to nobody who is not there.
    """
    settings = context.settings.key
    ring = gcp.kms.KeyRing(context.name("keys"), location=context.region, opts=context.holding())
    signing = _signing_key(context, ring)
    allows: dict[str, pulumi.Resource] = {}
    members = _members(context)
    if settings.mode == "use":
        data: pulumi.Input[str] = settings.ids(*IDS)["id"]
    else:
        key = _data_key(context, ring)
        data, allows = key.id, _allowed(context, key, members)
    version = gcp.kms.get_kms_crypto_key_version_output(crypto_key=signing.id, opts=context.asking(signing))
    return Keys(
        data=data,
        signing=version.name,
        signing_public=version.public_keys.apply(lambda keys: keys[0].pem),
        signing_key=signing.id,
        end=ring.name.apply(lambda name: name[-_END:]),
        allows=allows,
    )


def _data_key(context: Context, ring: gcp.kms.KeyRing) -> gcp.kms.CryptoKey:
    return gcp.kms.CryptoKey(
        context.name("data"),
        key_ring=ring.id,
        purpose="ENCRYPT_DECRYPT",
        rotation_period=f"{_ROTATION_S}s",
        destroy_scheduled_duration=f"{context.profile.key_window_days * _DAY_S}s",
        version_template=_template(context, "GOOGLE_SYMMETRIC_ENCRYPTION"),
        opts=context.keeping(context.under(ring).holding(), keeps=is_needed_later(context)),
    )


def _signing_key(context: Context, ring: gcp.kms.KeyRing) -> gcp.kms.CryptoKey:
    """It does not rotate: Google turns no asymmetric key, and what was signed names the version that signed it."""
    return gcp.kms.CryptoKey(
        context.name("signing"),
        key_ring=ring.id,
        purpose="ASYMMETRIC_SIGN",
        destroy_scheduled_duration=f"{context.profile.key_window_days * _DAY_S}s",
        version_template=_template(context, "EC_SIGN_P256_SHA256"),
        opts=context.under(ring).holding(),
    )


def _template(context: Context, algorithm: str) -> gcp.kms.CryptoKeyVersionTemplateArgs:
    return gcp.kms.CryptoKeyVersionTemplateArgs(
        algorithm=algorithm, protection_level="HSM" if context.profile.hardware_keys else "SOFTWARE"
    )


def _allowed(
    context: Context, key: gcp.kms.CryptoKey, members: Mapping[str, pulumi.Output[str]]
) -> dict[str, pulumi.Resource]:
    """One leave for each service that encrypts for the stack, and for nobody else.

    Where the key outlives the stack these do, too, as its children: what is kept could not be read without them.
    """
    return {
        service: gcp.kms.CryptoKeyIAMMember(
            f"key-{service}", crypto_key_id=key.id, role=_USES, member=member, opts=context.under(key).options
        )
        for service, member in members.items()
    }


def _members(context: Context) -> dict[str, pulumi.Output[str]]:
    """As whom each service encrypts; three have agents of another kind, whose names Google has to be asked for."""

    def member(email: pulumi.Output[str]) -> pulumi.Output[str]:
        return pulumi.Output.concat("serviceAccount:", email)

    asking, project = context.asking(), context.project
    storage = gcp.storage.get_project_service_account_output(project=project, opts=asking).email_address
    found = {
        "storage": member(storage),
        "aiplatform": context.agent("aiplatform"),
        "pubsub": context.agent("pubsub"),
    }
    for service in encrypting(context.settings):
        if service == "logging":
            cmek = gcp.logging.get_project_cmek_settings_output(project=project, opts=asking)
            found[service] = member(cmek.service_account_id)
        elif service == "bigquery":
            found[service] = member(gcp.bigquery.get_default_service_account_output(project=project, opts=asking).email)
        else:
            found[service] = context.agent(service)
    return found


def encrypting(settings: Settings) -> list[str]:
    """Services that encrypt for the stack only where it has what is theirs."""
    parts = {
        "artifactregistry": settings.images,
        "bigquery": settings.catalog,
        "logging": settings.audit,
        "sqladmin": settings.database,
    }
    return [service for service, part in parts.items() if part.mode == "create"]
