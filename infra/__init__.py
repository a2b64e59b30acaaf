"""The Pulumi program: one for every cloud, chosen by config."""
