"""The end-to-end workflow, composed of the rooms below it."""
