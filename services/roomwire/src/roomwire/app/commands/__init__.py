"""The command `roomwire`: `line` reads the command line, and each command has a module of its name."""
