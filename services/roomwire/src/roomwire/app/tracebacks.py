"""Formats tracebacks for the author of an application: from the first line of the application's own code."""

import asyncio
import contextlib
import importlib
from pathlib import Path
from traceback import format_exception
from types import TracebackType
from typing import Final, Literal

from roomwire.errors import ApplicationError

_MACHINERY: Final = (
    "<frozen ",
    f"{Path(__file__).parents[1]}/",
    f"{Path(asyncio.__file__).parent}/",
    f"{Path(importlib.__file__).parent}/",
    contextlib.__file__,
)
"""Paths of the frames that lead to an application's own code: Python's import, contexts and tasks, and this package."""


def failed(step: Literal["import", "lifespan"], what: str, error: BaseException) -> ApplicationError:
    """Return an exception of the application's own code as one sentence with its traceback.

    Args:
        step: The step that raised it.
        what: The name of the step in the sentence.
        error: The exception.

    """
    said = (str(error).splitlines() or [""])[0]
    problem = f"{what} raised {type(error).__name__}{f': {said}' if said else ''}"
    return ApplicationError(step, problem, traceback=own_traceback(error))


def own_traceback(error: BaseException) -> str:
    """Return the traceback from the first line of the application's own code, or an empty text if it has no such line."""
    own = _own(error.__traceback__)
    if own is None and not isinstance(error, SyntaxError):
        return ""
    return "".join(format_exception(type(error), error, own))


def _own(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        frames = frames.tb_next
    return frames
