"""A Lua script that runs on the primary: its text, and the hash under which the primary knows it."""

import hashlib


class Script:
    """A Lua script.

    Attributes:
        name: The script's name in messages.
        text: The source.
        sha: The hash for EVALSHA.

    """

    __slots__ = ("name", "sha", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text.encode()
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()
