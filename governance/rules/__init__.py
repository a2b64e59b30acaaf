"""Rules for what a stack is made of: plain functions over resources, without Pulumi, without a cloud.

The policy pack in ``governance/policy`` wraps them; :func:`violations` holds any list of resources to them::

    violations([Resource("aws:rds/instance:Instance", "db", {"publiclyAccessible": True})], Setting("prod"))

They stand on the standard library alone, since a policy pack runs in an environment of its own.
"""

from __future__ import annotations

from trivet.governance.rules import aws, gcp
from trivet.governance.rules.base import Graph, Resource, Rule, Setting, Violation, violations

RULES = (*aws.RULES, *gcp.RULES)
"""Every rule for every cloud; each looks at one cloud's types alone."""

__all__ = ["RULES", "Graph", "Resource", "Rule", "Setting", "Violation", "violations"]
