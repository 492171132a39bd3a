"""Writes one line for each call that changes something, whatever its outcome: caller, operation, target. Never message contents.

They can be told from other lines, as those of the auth service, by `"audit": true` or the logger, `gateway.api.audit`, to be
kept elsewhere, and for longer.
"""

import contextlib
from collections.abc import Iterator

from roomwire.app.api.callers import Caller
from roomwire.errors import ClientError, Internal
from roomwire.logs import get_logger

_log = get_logger("gateway.api.audit")


@contextlib.contextmanager
def audited(caller: Caller, operation: str, **facts: object) -> Iterator[dict[str, object]]:
    """Write the line of a call when it ends.

    Args:
        caller: Who calls.
        operation: What it asks for.
        facts: Whom it concerns.

    Yields:
        Facts that are known only at the end: put them in.

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
        who = {"caller": caller.id, "address": caller.address}
        _log.info("api call", audit=True, **who, operation=operation, code=code, **facts, **known)
