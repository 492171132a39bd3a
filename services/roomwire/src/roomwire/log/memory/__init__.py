"""The ordered log of one process."""
