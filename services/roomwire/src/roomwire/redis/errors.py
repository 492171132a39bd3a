"""The errors in a Redis URL, in addition to `roomwire.errors`. Their sentences contain nothing that may be secret.

::

    Unavailable
    └── BackplaneSilent     Redis did not answer a command outside of the log
    ConfigurationError
    ├── UnknownScheme       the URL begins with something else
    ├── NoSuchRedisUrl      the URL does not have the form of its scheme
    ├── UnknownOptions      an option that this scheme does not have
    └── UnusableTls         a file that its options name cannot be read

`refusals` interprets the refusals of the server.
"""

from collections.abc import Collection

from roomwire.errors import ConfigurationError, Unavailable


class BackplaneSilent(Unavailable):
    """Redis did not answer a command outside of the log."""

    default_message = "The backplane does not answer: try again."


class UnknownScheme(ConfigurationError):
    """A URL does not begin with a scheme of Redis.

    Args:
        known: The known schemes.

    """

    def __init__(self, known: Collection[str]) -> None:
        super().__init__(known)
        self.known = known

    def __str__(self) -> str:
        return f"use one of {', '.join(f'{scheme}://' for scheme in self.known)}"


class NoSuchRedisUrl(ConfigurationError):
    """A URL does not have the form of its scheme.

    Args:
        shape: The form of such URLs.

    """

    def __init__(self, shape: str) -> None:
        super().__init__(shape)
        self.shape = shape

    def __str__(self) -> str:
        return f"use {self.shape}"


class UnknownOptions(ConfigurationError):
    """A URL has an option that its scheme does not have.

    Args:
        known: The known options.

    """

    def __init__(self, known: Collection[str]) -> None:
        super().__init__(known)
        self.known = known

    def __str__(self) -> str:
        return f"use only these options after the ?: {', '.join(sorted(self.known))}"


class UnusableTls(ConfigurationError):
    """A file of a URL's TLS options cannot be read.

    Args:
        problem: The system's message.

    """

    def __init__(self, problem: OSError) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"TLS to Redis: {self.problem}"
