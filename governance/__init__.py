"""Governance: the gate, approvals, the ledger, and the evidence that a release was allowed to."""
