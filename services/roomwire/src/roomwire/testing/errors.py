"""The errors that a test gets.

::

    Exception
    ├── Refused            the server refuses a connection or an event
    └── Disconnected       the client is not connected, or is so no more
    AssertionError
    ├── NothingCame        what is waited for never comes
    ├── HandlerFailed      a handler raised what the test does not expect
    └── NothingFailed      no handler raised what the test expects
    RuntimeError
    ├── Deadlock           nothing can happen any more, and the test waits
    └── WrongLoop          the test runs on another event loop
"""

from collections.abc import Mapping, Sequence


class Refused(Exception):
    """The server refuses a connection or an event.

    Args:
        what: What it refuses, as in "the event 'move'".
        message: The sentence that the client gets.
        data: What the client gets beside it; of a `ClientError`, its `details`.

    Attributes:
        message: The sentence.
        data: What came beside it.
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
    """The client is not connected, or is so no more.

    Args:
        client: What the client is called.
        reason: Why, in the official client's words.

    """

    def __init__(self, client: str, reason: str) -> None:
        super().__init__(client, reason)
        self.client = client
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.client} is not connected: {self.reason}"


class NothingCame(AssertionError):
    """What is waited for never comes: nothing more can happen.

    Args:
        client: What the client is called.
        wanted: What it waits for, as in "the event 'moved'".
        came: What came instead, and has not been taken.
        due_s: In how many seconds something is due; None: never.
        ended: Why the client is not connected any more; empty: it is.

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
    """A handler raised what the test does not expect; that is the cause of this.

    Args:
        said: What the library says of it, as in "handler failed".
        facts: What belongs to it: event, namespace, session id.
        error: What was raised.

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
    """No handler raised what the test expects.

    Args:
        kind: What it expects.

    """

    def __init__(self, kind: type[BaseException]) -> None:
        super().__init__(kind)
        self.kind = kind

    def __str__(self) -> str:
        return f"no handler raised {self.kind.__name__}"


class Deadlock(RuntimeError):
    """Nothing can happen any more, and the test waits for something."""

    def __str__(self) -> str:
        return "the test waits for something that cannot happen: no timer is due, and nothing can arrive from outside"


class WrongLoop(RuntimeError):
    """The test runs on another event loop than a `VirtualLoop`.

    Args:
        loop: The loop's class.

    """

    def __init__(self, loop: type) -> None:
        super().__init__(loop)
        self.loop = loop

    def __str__(self) -> str:
        return (
            f"a cluster needs a VirtualLoop, but the test runs on a {self.loop.__name__}: see docs/testing.md"
        )
