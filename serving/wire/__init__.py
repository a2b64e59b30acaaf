"""Protocols: bytes of a request to tensors, an answer to bytes. One file per protocol, no transport."""
