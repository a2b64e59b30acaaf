"""What an instance type of SageMaker says by its name."""

from __future__ import annotations

import re

# A "d" after the generation's number stands for local disks; these families of SageMaker's have some without saying so.
# Source: Amazon EC2 Instance Types, "Instance store volumes".
_SAYS_SO = re.compile(r"[a-z]+[0-9]+[a-z]*d[a-z]*")
_SILENT = {
    *("dl1", "g5", "g6", "g6e", "g7", "g7e", "p5", "p5e", "p5en", "p6-b200", "p6-b300", "p6e-gb200"),
    *("trn1", "trn1n", "trn2"),
}


def has_local_disks(instance_type: str) -> bool:
    """Whether machines of a type such as ``ml.g5.xlarge`` keep data on disks of their own.

    Those are encrypted by the machine itself, and SageMaker takes no key for them.
    Source: API reference of SageMaker, ``CreateEndpointConfig.KmsKeyId`` and ``ResourceConfig.VolumeKmsKeyId``.
    """
    family = instance_type.removeprefix("ml.").partition(".")[0]
    return family in _SILENT or _SAYS_SO.fullmatch(family) is not None
