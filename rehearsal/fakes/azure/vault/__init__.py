"""Key Vault: keys that are made, read, listed and deleted, and that sign and verify."""
