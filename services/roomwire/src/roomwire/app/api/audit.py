"""Writes one line for each call that changes something, whatever its outcome: caller, operation, target. Never message contents.

As in the auth service, `"audit": true` or the logger `gateway.api.audit` distinguishes these lines from others, so that they can be
stored elsewhere, and for longer.
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
        caller: The caller.
        operation: The requested operation.
        facts: The target.

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
        who = {"caller": caller.id, "address": caller.address}
        _log.info("api call", audit=True, **who, operation=operation, code=code, **facts, **known)
