"""Writes one line for each call that changes something, whatever its outcome: never message contents, never a secret.

`"audit": true` distinguishes these lines from others, so that they can be stored elsewhere, and for longer.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from roomwire.errors import ClientError, Internal


class _Log(Protocol):
    def info(self, event: str, **facts: object) -> object: ...


@contextlib.contextmanager
def recorded(log: _Log, event: str, **facts: object) -> Iterator[dict[str, object]]:
    """Write the line of a call when it ends, with its outcome: `ok`, or the code of the error.

    Args:
        log: The log of such lines.
        event: The line's constant phrase.
        facts: The caller, the operation and its target.

    Yields:
        A mapping for facts that are known only at the end.

    """
    known: dict[str, object] = {}
    code = Internal.code
    try:
        yield known
        code = "ok"
    except ClientError as error:
        code = error.code
        raise
    finally:
        log.info(event, audit=True, code=code, **facts, **known)
