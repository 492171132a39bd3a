"""What the process of an application tells the one that supervises it: each report is a line of JSON. Pure."""

import msgspec

from roomwire.app.dev.description import Description


class Serving(msgspec.Struct, frozen=True, tag="serving"):
    """The application takes clients.

    Attributes:
        application: What it subscribes to.

    """

    application: Description


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The application cannot be served, or has ended.

    Attributes:
        sentence: What is wrong; it begins with the step that failed.
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
        msgspec.MsgspecError: It holds none.

    """
    report: Report = msgspec.json.decode(line, type=Report)
    return report
