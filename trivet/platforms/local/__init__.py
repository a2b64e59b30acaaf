"""One machine and no account: files, processes and SQLite."""
