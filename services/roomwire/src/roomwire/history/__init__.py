"""The recent messages of rooms, for applications that show them. History is beside the log, which does not know it."""
