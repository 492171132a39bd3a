"""Loads an application by its name, `module:attribute`. This is the only module that imports code named by a setting."""

import difflib
import importlib
import inspect
import os
import sys
from types import ModuleType

from roomwire.app.app import App
from roomwire.app.tracebacks import failed
from roomwire.errors import ApplicationError, ConfigurationError
from roomwire.server.drop_in import settings_read_later


def load(reference: str) -> App:
    """Return the application of a name, bound. The working directory precedes installed packages.

    Args:
        reference: `module:attribute`; the attribute is an `App`, or a function without arguments that returns one.

    Raises:
        ApplicationError: The application cannot be imported or bound, or is not an `App`.
        ConfigurationError: Its own code, or our code that it calls, raised it.

    """
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise ApplicationError(
            "import", f"{reference!r} does not name an application: write module:attribute, such as board:app"
        )
    with settings_read_later():
        found = _attribute(_module(module_name), attribute)
        if inspect.isroutine(found):
            found = _made(reference, found)
    if not isinstance(found, App):
        kind = "class" if isinstance(found, type) else type(found).__name__
        raise ApplicationError(
            "import",
            f"{reference} is a {kind}, not an App: write app = App(...){_hint(found)}",
        )
    found.bind()
    found.refuse_instrumented()
    return found


def _module(name: str) -> ModuleType:
    here = os.getcwd()  # noqa: PTH109 - sys.path has it in this form
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ConfigurationError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ApplicationError(
                "import",
                f"there is no module {name!r} in {here} or among the installed packages",
            ) from error
        raise failed("import", name, error) from error
    except (Exception, SystemExit) as error:
        raise failed("import", name, error) from error


def _attribute(module: ModuleType, name: str) -> object:
    try:
        return getattr(module, name)
    except AttributeError as error:
        likest = difflib.get_close_matches(name, dir(module), n=1)
        hint = f": did you mean {module.__name__}:{likest[0]}?" if likest else ""
        raise ApplicationError("import", f"{module.__name__} has no attribute {name!r}{hint}") from error


def _made(reference: str, make: object) -> object:
    try:
        return make()  # type: ignore[operator] # it is a routine
    except ConfigurationError:
        raise
    except (Exception, SystemExit) as error:
        raise failed("import", f"{reference}()", error) from error


def _hint(found: object) -> str:
    if inspect.iscoroutine(found):
        found.close()
        return " in a function that is not async"
    return ""
