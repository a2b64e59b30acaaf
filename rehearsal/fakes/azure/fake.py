"""The fake of Azure in a process of its own, as whoever started it holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from trivet.rehearsal.fakes.azure import access
from trivet.rehearsal.fakes.azure.names import ACCOUNT, GROUP, LOCATION, SUBSCRIPTION, TENANT, VAULT, WORKSPACE
from trivet.rehearsal.fakes.azure.settings import Settings
from trivet.rehearsal.fakes.handle import Handle


class Fake(Handle):
    """Starts it, and ends it together with all its containers. It dies with this process, be that by kill -9.

    :param folder: for its log and its containers' files; made when absent.
    :param images: from patterns on image URIs to entry points, see :class:`~trivet.rehearsal.fakes.images.Images`.
    :param mode: ``namespaces`` or ``variables``; the former where the kernel allows it.
    :param settings: see :class:`~.settings.Settings`.
    """

    cloud = "Azure"
    program: ClassVar[tuple[str, ...]] = ("-m", "trivet.rehearsal.fakes.azure")
    hidden = ("AZURE_", "ARM_", "AZUREML_", "IDENTITY_", "MSI_", "HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE")
    subscription, tenant, location = SUBSCRIPTION, TENANT, LOCATION
    group, workspace, account, vault = GROUP, WORKSPACE, ACCOUNT, VAULT
    """What is there from the beginning: a resource group, and in it a workspace with its storage and its vault."""

    def __init__(self, folder: Path, images: Mapping[str, Any], *, mode: str = "", **settings: Any) -> None:
        """:raises ConfigError: where a setting or an image is wrong. :raises PlatformError: where it does not start."""
        Settings().change(settings)
        super().__init__(folder, images, mode, settings)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead Azure's SDKs and obstore here and nowhere else."""
        return access.environment(self.folder / "containers", self.endpoint)
