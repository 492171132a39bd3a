"""Assembles a gateway process, which serves an `App`: the only place where its parts meet.

It wires everything that does not belong to an application, from the settings only: the log, history, keys and tokens, revocations,
the relay, the API's port, metrics and the drain.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import socketio
from prometheus_client import CollectorRegistry

from roomwire.app.app import App
from roomwire.app.authentication import authentication
from roomwire.app.options import (
    believed,
    client_limits,
    cors,
    emitters,
    log_config,
    per_message_deflate,
    recovery_limits,
    shown,
)
from roomwire.app.running import Running, server_of
from roomwire.app.settings import GatewaySettings
from roomwire.cluster.standings.opening import open_standings
from roomwire.engine.engine import Engine
from roomwire.engine.fast import fast_websocket
from roomwire.errors import ConfigurationError, Unavailable
from roomwire.gateways.chain import Kind
from roomwire.health.dependencies import Dependencies
from roomwire.history.contract import History
from roomwire.history.opening import open_history
from roomwire.identity.capabilities import Policy, load_policy
from roomwire.identity.errors import SessionEnded
from roomwire.identity.jwk import Fault
from roomwire.identity.jwks import JwksClient
from roomwire.identity.provider import Discovery
from roomwire.identity.revocations import RevocationReader, Revoked, revocations_key
from roomwire.identity.verification import Verifier
from roomwire.limits.accounts import Accounts
from roomwire.log.opening import open_log
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.sources import Proxies
from roomwire.redis.topology import connect
from roomwire.redis.url import shown_hosts
from roomwire.relay import Relay, RelayListener
from roomwire.serving.application import NotYet, state_of
from roomwire.serving.listener import http_limits
from roomwire.serving.web.bounds import Bounded
from roomwire.tracing import Tracing

if TYPE_CHECKING:
    from roomwire.app.admin.login import Login
    from roomwire.app.api.actions import Actions
    from roomwire.app.api.port import ApiPort
    from roomwire.app.nodejs.listener import Listener

_PATH: Final = "/socket.io/"
_KEYS_FORGOTTEN_S: Final = 300.0
"""Seconds after a failed fetch of the keys, without another fetch, after which the failure is no longer reported."""
PARTING_S: Final = 10.0
"""Maximum time between the end of the drain and the end of an application's lifespan, in seconds."""

_log = get_logger(__name__)


class Node:
    """A `roomwire.serving.application.Application`.

    It provides its parts to the application by their types: `Server`, `GatewaySettings` and the settings' own class, `History`,
    `Policy` and `Metrics`; and `Verifier`, unless tokens are ignored.

    Args:
        app: The application that it serves.
        settings: The settings.

    Attributes:
        server: The server.

    Raises:
        ConfigurationError: The settings contradict each other.

    """

    def __init__(self, app: App, settings: GatewaySettings) -> None:
        self._app = app
        self._settings = settings
        self._metrics = Metrics()
        url = settings.redis_url.get_secret_value()
        self._log = open_log(
            url,
            node=settings.node_name,
            address=settings.relay_address,
            prefix=settings.redis_prefix,
            config=log_config(settings),
            metrics=self._metrics,
        )
        self._history = open_history(
            url,
            prefix=settings.redis_prefix,
            timeout_s=settings.redis_timeout_s,
            metrics=self._metrics,
            log=self._log,
            # History uses the log's Redis.
            is_given_up=lambda: self._log.is_given_up,
        )
        self._standings = open_standings(
            url, prefix=settings.redis_prefix, timeout_s=settings.redis_timeout_s
        )
        self._keys = _keys(settings, self._metrics)
        self._revoked = Revoked()
        self._policy = (
            load_policy(settings.policy_file) if settings.policy_file or app.policy is None else app.policy
        )
        self._verifier = _verifier(settings, self._keys, self._policy, self._revoked)
        self._relay: Relay | None = None
        self._login = self._make_login() if settings.admin_name else None
        self.server = server_of(app, **self._arguments())
        self._running = Running(
            app,
            self.server,
            self._provided(),
            max_connections_per_user=settings.max_connections_per_user,
        )
        self._api = self._make_api() if settings.api_port else None
        http = Bounded(
            self._running.http,
            max_body_bytes=settings.max_body_bytes,
            proxies=Proxies(settings.trusted_proxies),
        )
        self.asgi: Any = socketio.ASGIApp(self.server, other_asgi_app=http if app.http else None)
        self.websocket = fast_websocket(self.server.eio, _PATH)
        self._revocations = self._make_reader()
        self._relay_listener = self._make_relay_listener() if settings.relay_port else None
        self._emitters = self._make_listener()
        self._has_joined = False
        self._parted_at: float | None = None

    def _arguments(self) -> dict[str, Any]:
        """Return the server's arguments."""
        settings = self._settings
        authenticate = authentication(
            settings.auth_mode,
            self._verifier,
            anonymous=self._policy.of_role(settings.anonymous_role),
            further=self._app.authenticate,
        )
        return {
            "log": self._log,
            "history": self._history,
            "standings": self._standings,
            "node_name": settings.node_name,
            "authenticate": authenticate if self._login is None else self._login.before(authenticate),
            "metrics": self._metrics,
            "trusted_proxies": settings.trusted_proxies,
            "transports": list(settings.transports),
            # An upgrade is offered only if it would be accepted.
            "allow_upgrades": "websocket" in settings.transports,
            "cors_allowed_origins": cors(settings.cors_origins),
            # Cookies only carry affinity. If every origin is allowed, other pages must not send them.
            "cors_credentials": settings.cors_origins != ("*",),
            "limits": client_limits(settings),
            "recovery": recovery_limits(settings),
            "relay": self._make_relay if settings.relay_port else None,
            # A server that the application brings may have its own.
            **({"tracing": Tracing()} if settings.tracing else {}),
            **(
                {"per_message_deflate": per_message_deflate(settings)} if settings.per_message_deflate else {}
            ),
        }

    def _provided(self) -> dict[Kind, object]:
        """Return the objects that this process provides to the application, by type."""
        settings = self._settings
        provided: dict[Kind, object] = {
            GatewaySettings: settings,
            type(settings): settings,
            History: self._history,
            Metrics: self._metrics,
            Policy: self._policy,
        }
        if settings.auth_mode != "off":
            provided[Verifier] = self._verifier
        return provided

    def _make_reader(self) -> RevocationReader | None:
        """Return the reader of revocations, or None if there are no tokens or no Redis."""
        settings, url = self._settings, self._settings.redis_url.get_secret_value()
        if settings.auth_mode == "off" or url.startswith("memory:"):
            return None
        client = connect(url, key=revocations_key(settings.redis_prefix), timeout_s=settings.redis_timeout_s)
        return RevocationReader(
            client,
            prefix=settings.redis_prefix,
            revoked=self._revoked,
            apply=lambda: self.server.send_away_all(self._revoked.holds, SessionEnded()),
            timeout_s=settings.redis_timeout_s,
            dependency=self._metrics.dependencies.add("revocations", where=shown_hosts(url)),
        )

    def _make_listener(self) -> "Listener | None":
        """Return the listener to Node's emitters, or None if it is off."""
        settings = self._settings
        found = emitters(settings)
        if found is None:
            return None
        from roomwire.app.nodejs.listener import Listener  # noqa: PLC0415 - it costs nothing where it is off

        return Listener(
            self.server,
            self._metrics,
            log_url=settings.redis_url.get_secret_value(),
            emitters_url=found.url,
            prefix=settings.redis_prefix,
            key=found.key,
            stream=found.stream,
            timeout_s=settings.redis_timeout_s,
        )

    def _make_login(self) -> "Login":
        """Return the login of the admin UI."""
        from roomwire.app.admin.login import NAMESPACE, Login  # noqa: PLC0415 - argon2 is an extra

        if NAMESPACE in self._app.bind():
            raise ConfigurationError(
                f"ROOMWIRE_ADMIN_NAME: the application serves the namespace {NAMESPACE} itself"
            )
        password_hash = self._settings.admin_password_hash
        return Login(self._settings.admin_name, password_hash.get_secret_value() if password_hash else "")

    def _serve_admin(self, login: "Login") -> None:
        """Serve the admin UI. The application's guards, interceptors and filters do not run around it."""
        from roomwire.app.admin.gateway import Admin  # noqa: PLC0415 - the same

        settings = self._settings
        self.server.register_namespace(
            Admin(
                self.server,
                login,
                metrics=self._metrics,
                max_sockets=settings.admin_max_sockets if settings.admin_mode == "development" else 0,
                is_read_only=settings.admin_read_only,
            )
        )

    def _make_api(self) -> "ApiPort":
        """Return the port of the API for backends."""
        from roomwire.app.api.port import ApiPort  # noqa: PLC0415 - as the module says

        return ApiPort(self._settings, policy=self._policy, verifier=self._verifier, metrics=self._metrics)

    def _make_actions(self) -> "Actions":
        """Return the actions of the API: the application's own if it has some, or the default ones."""
        from roomwire.app.api.actions import Actions  # noqa: PLC0415 - the same

        make = self._app.api
        return Actions(self.server) if make is None else self._running.made("the API", make)

    def _make_relay(self, engine: Engine) -> Relay:
        """Return the relay, which forwards requests to other gateways. The server calls this method, because it creates the engine."""
        settings = self._settings
        self._relay = Relay(
            engine,
            log=self._log,
            secret=_relay_secret(settings),
            max_relays=settings.max_relays,
            timeout_s=settings.relay_timeout_s,
            metrics=self._metrics,
        )
        return self._relay

    def _make_relay_listener(self) -> RelayListener:
        """Return the listener that accepts requests from other gateways."""
        settings = self._settings
        return RelayListener(
            self.server.eio,
            path=_PATH,
            node=self._log.node,
            secret=_relay_secret(settings),
            limits=http_limits(settings),
            metrics=self._metrics,
        )

    @property
    def registry(self) -> CollectorRegistry:
        """The metrics of `/metrics`."""
        return self._metrics.registry

    async def start(self) -> None:
        """Open the relay port, join the other gateways and announce it to them, then start the application, then the API.

        Raises:
            NotYet: A dependency of the application does not answer.

        """
        if not self._has_joined:
            if self._relay_listener is not None:
                await self._relay_listener.open(self._settings.host, self._settings.relay_port)
            await self._history.start()
            await self.server.join_nodes()
            if self._revocations is not None:
                await self._revocations.start()
            self._has_joined = True
        try:
            await self._running.start()
        except Unavailable as error:
            raise NotYet(error.message) from error
        if self._emitters is not None:
            self._emitters.start()
        if self._login is not None:
            self._serve_admin(self._login)
        if self._api is not None:
            await self._api.open(self._make_actions())

    @property
    def accounts(self) -> Accounts:
        """What the clients hold; see `roomwire.serving.application.HoldsForClients`."""
        return self.server.accounts

    @property
    def guests_share(self) -> float:
        """The guests' part of the memory for clients."""
        return self._settings.guests_share

    async def ended(self) -> None:
        """Wait until the application ends by itself; see `roomwire.serving.process.EndsByItself`."""
        await self._running.ended()

    @property
    def dependencies(self) -> Dependencies:
        """The dependencies, and the cause of each failure."""
        return self._metrics.dependencies

    async def check(self) -> Mapping[str, str]:
        """Return the joint state of log and history. It is also `degraded` while they answer but accept no messages."""
        state = await state_of(self._check)
        return {"backplane": state if self._metrics.redis_writes.cause is None else "degraded"}

    async def _check(self) -> None:
        await self._history.check()
        await self._log.check()

    async def drain(self) -> None:
        """Disconnect the clients, which reconnect to other gateways."""
        self._parted_at = time.monotonic() + self._settings.drain_s + PARTING_S
        async with asyncio.TaskGroup() as parting:
            parting.create_task(self.server.drain(self._settings.drain_s))
            if self._relay is not None:
                parting.create_task(self._relay.drain(self._settings.drain_s))

    async def close(self) -> None:
        """Disconnect the remaining clients, end the application, then leave the other gateways."""
        if self._emitters is not None:
            await self._emitters.close()
        if self._api is not None:
            await self._api.close()
        if self._revocations is not None:
            await self._revocations.close()
        if self._relay is not None:
            await self._relay.close()
        left_s = None if self._parted_at is None else max(0.0, self._parted_at - time.monotonic())
        try:
            async with asyncio.timeout(left_s):
                await self.server.shutdown()
        except TimeoutError:
            _log.warning("clients not parted from", drain_s=self._settings.drain_s)
        await self._running.close()
        await self._log.close()
        await self._history.close()
        await self._standings.close()
        if self._relay_listener is not None:
            await self._relay_listener.close()
        await self._keys.close()


def _keys(settings: GatewaySettings, metrics: Metrics) -> JwksClient:
    """Return the source of the public keys of tokens."""
    discovered = settings.auth_discovery_url
    for fault in Fault:
        # The counter is exported from the start, because `increase()` needs a sample before the first refusal.
        metrics.keys_refused.labels(fault.value)
    return JwksClient(
        Discovery(discovered, settings.auth_issuer) if discovered else settings.auth_jwks_url,
        tls=believed(settings.auth_jwks_ca_file),
        algorithms=settings.auth_algorithms,
        timeout_s=settings.auth_fetch_timeout_s,
        count_refused=metrics.key_refused,
        dependency=metrics.dependencies.add(
            "keys", where=shown(discovered or settings.auth_jwks_url), forgets_after_s=_KEYS_FORGOTTEN_S
        ),
        published=metrics.dependencies.add("published_keys"),
        issuers_clock=metrics.clock("auth", max_skew_s=settings.max_clock_skew_s),
    )


def _verifier(settings: GatewaySettings, keys: JwksClient, policy: Policy, revoked: Revoked) -> Verifier:
    """Return the verifier of tokens."""
    return Verifier(
        keys,
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        algorithms=settings.auth_algorithms,
        token_types=settings.auth_token_types,
        claim_names=settings.auth_claim_names,
        leeway_s=settings.auth_leeway_s,
        max_token_bytes=settings.max_token_bytes,
        roles=policy.roles,
        without_claim=policy.of_role(settings.claimless_role),
        is_revoked=revoked.holds,
    )


def _relay_secret(settings: GatewaySettings) -> str:
    return settings.relay_secret.get_secret_value() if settings.relay_secret else ""
