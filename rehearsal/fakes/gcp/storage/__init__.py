"""Cloud Storage: its JSON API and its XML API over the same buckets, which are kept in the memory."""
