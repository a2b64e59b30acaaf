"""Blob Storage by its REST API: block blobs in containers of storage accounts, kept in the memory."""
