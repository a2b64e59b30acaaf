"""Loopback services that the vendors' real SDKs talk to: they refuse what the cloud refuses, and run what it runs."""
