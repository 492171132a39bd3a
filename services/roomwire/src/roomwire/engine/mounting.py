"""What Starlette and FastAPI add to the scope of a request on its way to an application that is mounted in them.

The fast path serves WebSockets beside the application. A program that is mounted reads `scope["app"]` and the path's parameters all
the same, so the way is looked up when a handler asks for it: through the routes, and not through middleware, which would want to answer.
Nothing is imported: what has a `router` or `routes` with `matches` is taken for Starlette's.
"""

import weakref
from collections.abc import Callable, MutableMapping
from typing import Any, Final

_MAX_DEPTH: Final = 32
"""Applications in each other, and middleware around one: more than any program has, and an end for those that contain themselves."""


class Mounting:
    """Completes the scopes of requests that uvicorn gives to a protocol of ours.

    Args:
        config: uvicorn's configuration; None if there is none.

    """

    def __init__(self, config: Any) -> None:
        # Whoever keeps this for a configuration does not keep the configuration.
        self._config: Callable[[], Any] = _no_config if config is None else weakref.ref(config)

    def complete(self, scope: MutableMapping[str, Any]) -> None:
        """Add what each application on the way adds: `app`, `router`, `endpoint`, `path_params`, `root_path` and `app_root_path`.

        Args:
            scope: The scope of a WebSocket; its other keys are complete.

        """
        app = getattr(self._config(), "loaded_app", None)
        for _ in range(_MAX_DEPTH):
            app, router = _routed(app)
            if router is None:
                return
            if app is not router:
                # FastAPI's own; Starlette has none.
                scope["root_path"] = getattr(app, "root_path", "") or scope["root_path"]
                scope["app"] = app
            scope.setdefault("router", router)
            app = _enter(router, scope)


def _no_config() -> None:
    """Return nothing."""


def _routed(app: Any) -> tuple[Any, Any]:
    """Return the application that has routes, behind its middleware, and its router; (None, None) if there is none."""
    for _ in range(_MAX_DEPTH):
        router = getattr(app, "router", app)
        if isinstance(getattr(router, "routes", None), list):
            return app, router
        app = getattr(app, "app", None)
    return None, None


def _enter(router: Any, scope: MutableMapping[str, Any]) -> Any:
    """Follow the first route that matches completely; return the application that is mounted there, or None."""
    for route in router.routes:
        match, added = route.matches(scope)
        if match.name == "FULL":
            scope.update(added)
            return getattr(route, "app", None)
    return None
