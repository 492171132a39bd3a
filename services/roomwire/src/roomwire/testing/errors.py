"""The exceptions that a test gets.

::

    Exception
    ├── Refused            the server refuses a connection or an event
    └── Disconnected       the client is not or no longer connected
    AssertionError
    ├── NothingCame        the awaited event cannot arrive
    ├── HandlerFailed      a handler raised an exception that the test does not expect
    └── NothingFailed      no handler raised what the test expects
    RuntimeError
    ├── Deadlock           nothing can happen any more, but the test waits
    └── WrongLoop          the test does not run on a virtual event loop
"""

from collections.abc import Mapping, Sequence


class Refused(Exception):
    """The server refuses a connection or an event.

    Args:
        what: The refused action, as in "the event 'move'".
        message: The message for the client.
        data: Further data for the client; for a `ClientError`, its `details`.

    Attributes:
        message: The message for the client.
        data: The further data.
        code: The error's code; empty if it has none.
        retryable: Whether trying again makes sense.

    """

    def __init__(self, what: str, message: str, data: object = None) -> None:
        super().__init__(what, message, data)
        self.what = what
        self.message = message
        self.data = data
        details = data if isinstance(data, Mapping) else {}
        self.code = str(details.get("code", ""))
        self.retryable = bool(details.get("retryable", False))

    def __str__(self) -> str:
        return f"{self.what} is refused{f', {self.code}' if self.code else ''}: {self.message}"


class Disconnected(Exception):
    """The client is not or no longer connected.

    Args:
        client: The client's name.
        reason: Why, in the official client's words.

    """

    def __init__(self, client: str, reason: str) -> None:
        super().__init__(client, reason)
        self.client = client
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.client} is not connected: {self.reason}"


class NothingCame(AssertionError):
    """The awaited event cannot arrive: nothing more can happen.

    Args:
        client: The client's name.
        wanted: The awaited event, as in "the event 'moved'".
        came: The events that arrived instead and were not consumed.
        due_s: The seconds until the next timer is due; None if there is none.
        ended: Why the client is no longer connected; empty if it is connected.

    """

    def __init__(
        self, client: str, wanted: str, came: Sequence[object], *, due_s: float | None, ended: str
    ) -> None:
        super().__init__(client, wanted)
        self.client = client
        self.wanted = wanted
        self.came = tuple(came)
        self.due_s = due_s
        self.ended = ended

    def __str__(self) -> str:
        lines = [f"{self.client} waits for {self.wanted}, and nothing more can happen."]
        if self.ended:
            lines.append(f"It is not connected any more: {self.ended}.")
        lines.append(
            "These arrived and were not consumed:" if self.came else "Everything that arrived was consumed."
        )
        lines += [f"  {event}" for event in self.came]
        if self.due_s is not None:
            lines.append(f"A timer is due in {self.due_s:g} s: see `cluster.advance`.")
        return "\n".join(lines)


class HandlerFailed(AssertionError):
    """A handler raised an exception that the test does not expect; it is the cause of this one.

    Args:
        said: The library's log message, as in "handler failed".
        facts: The fields of the log line: event, namespace, session id.
        error: The exception.

    """

    def __init__(self, said: str, facts: Mapping[str, object], error: BaseException) -> None:
        super().__init__(said, facts, error)
        self.said = said
        self.facts = facts
        self.error = error

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value!r}" for name, value in self.facts.items())
        kind = type(self.error).__name__
        hint = f"If the test expects it: async with cluster.expects({kind}): ..."
        return f"{self.said}{f' ({facts})' if facts else ''}: {kind}: {self.error}\n{hint}"


class NothingFailed(AssertionError):
    """No handler raised the exception that the test expects.

    Args:
        kind: The expected exception.

    """

    def __init__(self, kind: type[BaseException]) -> None:
        super().__init__(kind)
        self.kind = kind

    def __str__(self) -> str:
        return f"no handler raised {self.kind.__name__}"


class Deadlock(RuntimeError):
    """Nothing can happen any more, but the test waits."""

    def __str__(self) -> str:
        return "the test waits for something that cannot happen: no timer is due, and nothing can arrive from outside"


class WrongLoop(RuntimeError):
    """The test does not run on a `VirtualLoop`.

    Args:
        loop: The class of its loop.

    """

    def __init__(self, loop: type) -> None:
        super().__init__(loop)
        self.loop = loop

    def __str__(self) -> str:
        return (
            f"a cluster needs a VirtualLoop, but the test runs on a {self.loop.__name__}: see docs/testing.md"
        )
