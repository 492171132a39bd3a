"""The reports of an application's process to its supervisor. Each report is a line of JSON. Pure."""

import msgspec

from roomwire.app.dev.description import Description


class Serving(msgspec.Struct, frozen=True, tag="serving"):
    """The application serves clients.

    Attributes:
        application: The events that it subscribes to.

    """

    application: Description


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The application cannot be served, or has ended.

    Attributes:
        sentence: The cause; it begins with the step that failed.
        traceback: The traceback of the application's own code, if it raised.

    """

    sentence: str
    traceback: str = ""


Report = Serving | Failed


def encode(report: Report) -> bytes:
    """Return a report as a line."""
    return msgspec.json.encode(report) + b"\n"


def decode(line: bytes) -> Report:
    """Return the report that a line holds.

    Raises:
        msgspec.MsgspecError: The line is not a report.

    """
    report: Report = msgspec.json.decode(line, type=Report)
    return report
