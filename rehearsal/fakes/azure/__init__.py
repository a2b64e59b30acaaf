"""A strict Azure on this machine: Blob Storage, Azure ML whose jobs and model servers really run, keys and metrics.

Microsoft's own SDKs and obstore ask for Azure's own names, and reach this through it as their proxy. It proves shapes,
contracts and error paths; no roles, no quotas, no timing.
"""

from trivet.rehearsal.fakes.azure.fake import Fake

__all__ = ["Fake"]
