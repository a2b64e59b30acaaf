"""What names the services of AWS take."""

from __future__ import annotations

from trivet.core.naming import Naming, Rule

FAMILY = 39
"""How much of an endpoint's name those of its models and configurations begin with; the rest of 63 are digests."""
SCORING = "-scoring"
"""What names of models end in that no endpoint serves."""

NAMING = Naming(
    account=Rule(r"[0-9]{12}", "an account id of 12 digits"),
    # RDS is the strictest: a letter first, no two hyphens together, none at the end; S3, ECR and RDS want lower case.
    # "sg-" begins ids of security groups; S3 keeps "xn--", "sthree-" and "amzn-s3-demo-" to itself.
    prefix=Rule(
        r"(?!sg-|sthree-|amzn-s3-demo-)[a-z]([a-z0-9]|-(?=[a-z0-9]))*",
        "lower-case letters, digits and single hyphens, a letter first",
    ),
    # SageMaker's longest name has 63 characters, and one that is cut gets a digest: the prefix has to stay whole, since
    # roles may touch what begins with it.
    longest_prefix=40,
    part=Rule(r"[a-z0-9]([a-z0-9]|-(?=[a-z0-9]))*", "lower-case letters, digits and single hyphens within"),
)
