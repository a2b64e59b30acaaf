"""A strict Google Cloud on this machine: Cloud Storage, and Vertex AI whose jobs and model servers really run.

Google's own SDKs and obstore talk to it over HTTP on loopback. It proves shapes, contracts and error paths; no IAM, no
quotas, no timing.
"""

from trivet.rehearsal.fakes.gcp.fake import LOCATION, PROJECT, Fake

__all__ = ["LOCATION", "PROJECT", "Fake"]
