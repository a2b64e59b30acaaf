"""A strict AWS on this machine, in which training jobs and model servers really run.

moto answers for every service but SageMaker, whose control and runtime planes are answered here: validated by
botocore's own service model and by the documented constraints, with containers that live as SageMaker's do. It proves
shapes, contracts and error paths; no IAM, no quotas, no timing.
"""

from trivet.rehearsal.fakes.aws.fake import REGION, Fake

__all__ = ["REGION", "Fake"]
