"""What can be wrong with Redis and its URL, beside `roomwire.errors`; nothing of a URL that may be secret is in the sentences.

::

    Unavailable
    └── BackplaneSilent     Redis did not answer what was asked beside the log
    ConfigurationError
    ├── UnknownScheme       the URL begins with something else
    ├── NoSuchRedisUrl      it has another shape than its scheme has
    ├── UnknownOptions      an option that this scheme does not have
    └── UnusableTls         a file that its options name cannot be read

What the server's refusals mean stands in `refusals`.
"""

from collections.abc import Collection

from roomwire.errors import ConfigurationError, Unavailable


class BackplaneSilent(Unavailable):
    """Redis did not answer what was asked beside the log."""

    default_message = "The backplane does not answer: try again."


class UnknownScheme(ConfigurationError):
    """A URL begins with no scheme of Redis.

    Args:
        known: The schemes that there are.

    """

    def __init__(self, known: Collection[str]) -> None:
        super().__init__(known)
        self.known = known

    def __str__(self) -> str:
        return f"use one of {', '.join(f'{scheme}://' for scheme in self.known)}"


class NoSuchRedisUrl(ConfigurationError):
    """A URL has another shape than URLs of its scheme.

    Args:
        shape: How they are written.

    """

    def __init__(self, shape: str) -> None:
        super().__init__(shape)
        self.shape = shape

    def __str__(self) -> str:
        return f"use {self.shape}"


class UnknownOptions(ConfigurationError):
    """A URL has an option that its scheme does not have.

    Args:
        known: The options that there are.

    """

    def __init__(self, known: Collection[str]) -> None:
        super().__init__(known)
        self.known = known

    def __str__(self) -> str:
        return f"use no options behind the ? but {', '.join(sorted(self.known))}"


class UnusableTls(ConfigurationError):
    """A file of a URL's TLS options cannot be read.

    Args:
        problem: What the system says.

    """

    def __init__(self, problem: OSError) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"TLS to Redis: {self.problem}"
