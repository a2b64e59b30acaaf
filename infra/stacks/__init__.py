"""One folder per cloud, the same file names in each."""
