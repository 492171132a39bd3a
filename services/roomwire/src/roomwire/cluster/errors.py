"""What can go wrong between nodes, beside `roomwire.errors`.

::

    TooLarge
    └── PeerRequestTooLarge     what other nodes would be asked
"""

from roomwire.errors import TooLarge


class PeerRequestTooLarge(TooLarge):
    """What other nodes would be asked is larger than they take.

    Args:
        most: How many bytes it may have.

    """

    def __init__(self, most: int) -> None:
        super().__init__(f"Other nodes take at most {most} bytes.")
        self.most = most
