"""Writes a line of the audit for each call of the API; the logger is `gateway.api.audit`."""

from contextlib import AbstractContextManager

from roomwire.app.api.callers import Caller
from roomwire.app.audit import recorded
from roomwire.logs import get_logger

_log = get_logger("gateway.api.audit")


def audited(caller: Caller, operation: str, **facts: object) -> AbstractContextManager[dict[str, object]]:
    """Write the line of a call when it ends.

    Args:
        caller: The caller.
        operation: The requested operation.
        facts: The target.

    Returns:
        A context manager, whose value is a mapping for facts that are known only at the end.

    """
    who = {"caller": caller.id, "address": caller.address}
    return recorded(_log, "api call", **who, operation=operation, **facts)
