"""The reasons why a request does not reach the node that holds its session.

::

    Unreached
    ├── NotWelcomed       the node's listener ended the connection: its secret is another one
    ├── NotConnected      there is no connection, or what answers is not the node
    └── AnswersTooLate    the node did not answer in time
"""


class Unreached(Exception):
    """The node does not answer, or does not prove that it is the requested node."""


class NotWelcomed(Unreached):
    """A listener closed the connection without an answer, as it does for a false proof.

    Args:
        host: The listener's host.
        port: The listener's port.

    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.host = host
        self.port = port

    def __str__(self) -> str:
        return f"{self.host}:{self.port} closed the connection without a welcome: check that all gateways have the same ROOMWIRE_RELAY_SECRET"


class NotConnected(Unreached):
    """There is no connection to the node, or the peer is not the node.

    Args:
        host: The listener's host.
        port: The listener's port.
        problem: The problem.

    """

    def __init__(self, host: str, port: int, *, problem: Exception) -> None:
        super().__init__(host, port, problem)
        self.host = host
        self.port = port
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.host}:{self.port} cannot be reached: {self.problem}"


class AnswersTooLate(Unreached):
    """The node did not answer in time.

    Args:
        node: Its name.

    """

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.node = node

    def __str__(self) -> str:
        return f"{self.node} did not answer in time"
