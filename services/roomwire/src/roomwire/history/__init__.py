"""The recent messages and members of rooms, beside the log."""
