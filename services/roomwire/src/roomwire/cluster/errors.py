"""The errors between nodes, in addition to `roomwire.errors`.

::

    TooLarge
    └── PeerRequestTooLarge     a request to other nodes is too large
"""

from roomwire.errors import TooLarge


class PeerRequestTooLarge(TooLarge):
    """A request to other nodes is larger than they accept.

    Args:
        most: The maximum size in bytes.

    """

    def __init__(self, most: int) -> None:
        super().__init__(f"Other nodes accept at most {most} bytes.")
        self.most = most
