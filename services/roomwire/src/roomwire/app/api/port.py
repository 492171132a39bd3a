"""The HTTP API on its own port, with the callers and limits that the settings name.

A gateway imports this module only where the API is on: with its framework it takes a seventh of the CPU of a gateway's imports, and
6 MiB of memory.
"""

from collections.abc import Callable
from functools import partial

from roomwire.app.api.actions import Actions
from roomwire.app.api.callers import Callers, parse_keys
from roomwire.app.api.rate import Rate
from roomwire.app.api.routes import api_app
from roomwire.app.settings import GatewaySettings
from roomwire.errors import ConfigurationError
from roomwire.identity.capabilities import Policy
from roomwire.identity.verification import Verifier
from roomwire.metrics.gateway import Metrics
from roomwire.metrics.http import HttpMetrics
from roomwire.protocol.asgi import App, Receive, Scope, Send
from roomwire.protocol.sources import Proxies
from roomwire.serving.listener import SidePort


class ApiPort:
    """The port on which backends call the API.

    Args:
        settings: The gateway's settings.
        policy: The permissions of each role: those of the keys.
        verifier: Checks the tokens of callers.
        metrics: Counts requests and refusals.

    Raises:
        ConfigurationError: A key is malformed, or there is neither a key nor a token that the API would accept.

    """

    def __init__(
        self, settings: GatewaySettings, *, policy: Policy, verifier: Verifier, metrics: Metrics
    ) -> None:
        keys = parse_keys(settings.api_keys.get_secret_value() if settings.api_keys else "", policy)
        verify = None if settings.auth_mode == "off" else verifier.verify
        if verify is None and not keys:
            raise ConfigurationError(
                "no caller could use the API: set ROOMWIRE_API_KEYS, or a ROOMWIRE_AUTH_MODE other than off"
            )
        self._make_app: Callable[[Actions], App] = partial(
            api_app,
            callers=Callers(keys, verify=verify),
            rate=Rate(settings.api_max_per_s),
            max_body_bytes=settings.max_body_bytes,
            requests=metrics.api_requests,
            proxies=Proxies(settings.trusted_proxies),
        )
        self._app: App
        refused = HttpMetrics(metrics.registry, name="roomwire_api_http_refused_total")
        self._port = SidePort(self._serve, settings, "api_port", metrics=refused)

    async def open(self, actions: Actions) -> None:
        """Open the port.

        Args:
            actions: They perform what callers ask for.

        """
        self._app = self._make_app(actions)
        await self._port.open()

    async def close(self) -> None:
        """Close the port."""
        await self._port.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
