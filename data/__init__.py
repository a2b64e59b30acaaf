"""Collection, data contracts and snapshots: from a file that somebody left to rows that a model may learn from."""
