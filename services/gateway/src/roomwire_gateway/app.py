"""The gateway, put together: the only place where its parts meet."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import socketio
from prometheus_client import CollectorRegistry

from roomwire.engine.engine import Engine
from roomwire.engine.fast import fast_websocket
from roomwire.errors import ConfigurationError
from roomwire.health.dependencies import Dependencies
from roomwire.history.opening import open_history
from roomwire.identity.capabilities import Policy, load_policy
from roomwire.identity.errors import SessionEnded
from roomwire.identity.jwk import Fault
from roomwire.identity.jwks import JwksClient
from roomwire.identity.provider import Discovery
from roomwire.identity.revocations import RevocationReader, Revoked, revocations_key
from roomwire.identity.tokens import User
from roomwire.identity.verification import Verifier
from roomwire.limits.client import Limits
from roomwire.log.contract import LogConfig
from roomwire.log.opening import open_log
from roomwire.metrics.gateway import Metrics
from roomwire.metrics.http import HttpMetrics
from roomwire.protocol.sources import Proxies
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.redis.topology import connect
from roomwire.redis.url import shown_hosts
from roomwire.relay import Relay, RelayListener
from roomwire.server import Server
from roomwire.serving.listener import SidePort, http_limits
from roomwire.serving.process import state_of
from roomwire.serving.tls import vouched_for_by
from roomwire_gateway.api.actions import Actions
from roomwire_gateway.api.callers import Callers, parse_keys
from roomwire_gateway.api.rate import Rate
from roomwire_gateway.api.routes import api_app
from roomwire_gateway.authentication import authentication
from roomwire_gateway.chat import ChatGateway
from roomwire_gateway.page import page_app
from roomwire_gateway.settings import Settings

_PATH: Final = "/socket.io/"
_KEYS_FORGOTTEN_S: Final = 300.0
"""After how many seconds without another fetch it is forgotten that keys could not be fetched."""


class GatewayApp:
    """A `roomwire.serving.process.Application`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        url = settings.redis_url.get_secret_value()
        self._log = open_log(
            url,
            node=settings.node_name,
            address=settings.relay_address,
            prefix=settings.redis_prefix,
            config=LogConfig.for_pings(
                settings.ping_interval_s,
                settings.ping_timeout_s,
                link_timeout_s=settings.redis_timeout_s,
                message_id_ttl_s=settings.message_id_ttl_s,
                # Long enough for another link, short enough for whoever waits for an ack.
                call_timeout_s=1.5 * settings.redis_timeout_s,
                claim_deadline_s=settings.recovery_deadline_s,
                max_claims=settings.max_claims,
                claims_window_s=settings.claims_window_s,
                max_clock_skew_s=settings.max_clock_skew_s,
            ),
            metrics=self._metrics,
        )
        self._history = open_history(
            url,
            prefix=settings.redis_prefix,
            timeout_s=settings.redis_timeout_s,
            metrics=self._metrics,
            # It is the same Redis.
            is_given_up=lambda: self._log.is_given_up,
        )
        self._keys = _keys(settings, self._metrics)
        self._revoked = Revoked()
        policy = load_policy(settings.policy_file)
        verifier = Verifier(
            self._keys,
            issuer=settings.auth_issuer,
            audience=settings.auth_audience,
            algorithms=settings.auth_algorithms,
            token_types=settings.auth_token_types,
            claim_names=settings.auth_claim_names,
            leeway_s=settings.auth_leeway_s,
            max_token_bytes=settings.max_token_bytes,
            roles=policy.roles,
            without_claim=policy.of_role(settings.claimless_role),
            is_revoked=self._revoked.holds,
        )
        self._relay: Relay | None = None
        self.server = Server(
            log=self._log,
            node_name=settings.node_name,
            authenticate=authentication(
                settings.auth_mode, verifier, anonymous=policy.of_role(settings.anonymous_role)
            ),
            metrics=self._metrics,
            trusted_proxies=settings.trusted_proxies,
            async_mode="asgi",
            transports=list(settings.transports),
            # Nobody is offered what would be refused.
            allow_upgrades="websocket" in settings.transports,
            cors_allowed_origins=_cors(settings.cors_origins),
            # Cookies only carry affinity here; with any origin allowed they are not wanted from other pages.
            cors_credentials=settings.cors_origins != ("*",),
            limits=_limits(settings),
            recovery=_recovery(settings),
            relay=self._make_relay if settings.relay_port else None,
        )
        verify = None if settings.auth_mode == "off" else verifier.verify
        chat = ChatGateway(self._history, verify=verify, reaches_users=bool(settings.api_port))
        self.server.register_namespace(chat)
        self._api = self._make_api(chat, policy, verify) if settings.api_port else None
        self.asgi: Any = socketio.ASGIApp(self.server, other_asgi_app=page_app(enabled=settings.page))
        self.websocket: Any = fast_websocket(self.server.eio, _PATH)
        self._revocations = self._make_reader()
        self._relay_listener = self._make_relay_listener() if settings.relay_port else None

    def _make_reader(self) -> RevocationReader | None:
        """Return what hears of revoked tokens, if there are tokens and somewhere to hear of them."""
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

    def _make_api(
        self, chat: ChatGateway, policy: Policy, verify: Callable[[str], Awaitable[User]] | None
    ) -> SidePort:
        """Return the port of the API for backends."""
        settings = self._settings
        keys = parse_keys(settings.api_keys.get_secret_value() if settings.api_keys else "", policy)
        if verify is None and not keys:
            raise ConfigurationError(
                "nobody could call the API: set ROOMWIRE_API_KEYS, or another ROOMWIRE_AUTH_MODE than off"
            )
        app = api_app(
            Actions(chat, self._history),
            callers=Callers(keys, verify=verify),
            rate=Rate(settings.api_max_per_s),
            max_body_bytes=settings.max_body_bytes,
            requests=self._metrics.api_requests,
            proxies=Proxies(settings.trusted_proxies),
        )
        refused = HttpMetrics(self._metrics.registry, name="roomwire_api_http_refused_total")
        return SidePort(app, settings, "api_port", metrics=refused)

    def _make_relay(self, engine: Engine) -> Relay:
        """Return what takes requests to other gateways: called by the server, which makes the engine."""
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
        """Return what takes the requests of other gateways."""
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
        """What `/metrics` shows."""
        return self._metrics.registry

    async def start(self) -> None:
        """Open the relay port, connect to the other gateways, which learn of it, then open the port of the API."""
        if self._relay_listener is not None:
            await self._relay_listener.open(self._settings.host, self._settings.relay_port)
        await self._history.start()
        await self.server.start()
        if self._revocations is not None:
            await self._revocations.start()
        if self._api is not None:
            await self._api.open()

    @property
    def dependencies(self) -> Dependencies:
        """What it depends on, and why that does not serve."""
        return self._metrics.dependencies

    async def check(self) -> Mapping[str, str]:
        """Return the state of log and history as one: `degraded` as well while they answer, but take no messages."""
        state = await state_of(self._check)
        return {"backplane": state if self._metrics.redis_writes.cause is None else "degraded"}

    async def _check(self) -> None:
        await self._history.check()
        await self._log.check()

    async def drain(self) -> None:
        """Part from the clients: they reconnect to other gateways."""
        async with asyncio.TaskGroup() as parting:
            parting.create_task(self.server.drain(self._settings.drain_s))
            if self._relay is not None:
                parting.create_task(self._relay.drain(self._settings.drain_s))

    async def close(self) -> None:
        """Leave the other gateways."""
        if self._api is not None:
            await self._api.close()
        if self._revocations is not None:
            await self._revocations.close()
        if self._relay is not None:
            await self._relay.close()
        await self.server.close()
        await self._history.close()
        if self._relay_listener is not None:
            await self._relay_listener.close()
        await self._keys.close()


def _keys(settings: Settings, metrics: Metrics) -> JwksClient:
    """Return where the public keys of tokens come from."""
    discovered = settings.auth_discovery_url
    for fault in Fault:
        # Exported from the start: an increase needs a sample before the first.
        metrics.keys_refused.labels(fault.value)
    return JwksClient(
        Discovery(discovered, settings.auth_issuer) if discovered else settings.auth_jwks_url,
        tls=_believed(settings.auth_jwks_ca_file),
        algorithms=settings.auth_algorithms,
        timeout_s=settings.auth_fetch_timeout_s,
        count_refused=metrics.key_refused,
        dependency=metrics.dependencies.add(
            "keys", where=_shown(discovered or settings.auth_jwks_url), forgets_after_s=_KEYS_FORGOTTEN_S
        ),
        published=metrics.dependencies.add("published_keys"),
        issuers_clock=metrics.clock("auth", max_skew_s=settings.max_clock_skew_s),
    )


def _shown(url: str) -> str:
    """Return an address without what may be secret in it: credentials and the query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _relay_secret(settings: Settings) -> str:
    return settings.relay_secret.get_secret_value() if settings.relay_secret else ""


def _limits(settings: Settings) -> Limits:
    """Return what one client may cost: the settings of these names."""
    names = {*Limits.__struct_fields__} & {*Settings.model_fields}
    return Limits(
        max_payload_bytes=settings.max_body_bytes, **{name: getattr(settings, name) for name in names}
    )


def _recovery(settings: Settings) -> RecoveryLimits:
    """Return what recoveries may cost at this gateway."""
    return RecoveryLimits(
        is_offered=settings.recovery,
        max_entries=settings.max_replay_messages,
        max_bytes=settings.max_replay_bytes,
        max_concurrent=settings.max_recoveries,
    )


def _believed(authorities: Path | None) -> ssl.SSLContext | None:
    """Return what auth has to show over https; None: what the system's certificates vouch for."""
    if authorities is None:
        return None
    try:
        return vouched_for_by(authorities)
    except ConfigurationError as error:
        raise ConfigurationError(f"ROOMWIRE_AUTH_JWKS_CA_FILE: {error}") from None


def _cors(origins: tuple[str, ...]) -> str | list[str] | None:
    """Translate the setting into python-engineio's: None is the page's own origin only."""
    if origins == ("*",):
        return "*"
    return list(origins) or None
