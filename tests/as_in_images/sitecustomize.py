"""Lets a service that a test starts import only what its image holds; Python imports this module by itself in each process of the tests.

python-socketio and redis-py import the clients and servers of other libraries where these are installed, as they are for other tests.
The images have none of them, and a service starts faster without them. Every other process is left alone.
"""

import gc
import sys

SERVICES = {
    ("roomwire_gateway",),
    ("roomwire_auth",),
    ("roomwire.app.dev",),
    ("roomwire", "serve"),
    ("roomwire", "dev"),
}
NOT_IN_IMAGES = ("aiohttp", "requests", "rich", "tornado", "valkey")
GC_THRESHOLDS = (50_000, 20, 50)
"""Those that a service sets itself (`roomwire.serving.process`), which is after its imports."""


def is_service(arguments: list[str]) -> bool:
    """Return whether `python` with these arguments runs a service."""
    if "-m" not in arguments:
        return False
    module = arguments[arguments.index("-m") + 1 :]
    return bool(SERVICES & {tuple(module[:1]), tuple(module[:2])})


if is_service(sys.orig_argv):
    gc.set_threshold(*GC_THRESHOLDS)
    # None ends an import at once, as if there were no such module.
    sys.modules.update(dict.fromkeys(NOT_IN_IMAGES))  # type: ignore[arg-type] - typeshed knows only modules
