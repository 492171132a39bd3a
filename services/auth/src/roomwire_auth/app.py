"""Assembles the auth service: the only place where its parts meet."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from roomwire.errors import ConfigurationError
from roomwire.health.dependencies import Dependencies
from roomwire.identity.capabilities import load_policy
from roomwire.identity.verification import Verifier
from roomwire.protocol.asgi import App
from roomwire.protocol.sources import Proxies
from roomwire.redis.topology import connect
from roomwire.redis.url import shown_hosts
from roomwire.serving.application import state_of
from roomwire.serving.listener import NO_WEBSOCKETS
from roomwire.serving.web import failures, framework
from roomwire.serving.web.cors import Cors
from roomwire.serving.web.middleware import BodyLimit, RequestCount, SecurityHeaders
from roomwire.serving.web.sources import Sources
from roomwire_auth.accounts.accounts import Accounts
from roomwire_auth.accounts.passwords import open_passwords
from roomwire_auth.accounts.throttle import Limits, Throttle
from roomwire_auth.clients.client_tokens import ClientTokens
from roomwire_auth.clients.clients import Clients
from roomwire_auth.http.callers import Callers
from roomwire_auth.http.client_api import client_routes
from roomwire_auth.http.docs import docs_routes
from roomwire_auth.http.routes import PREFIX, CallerOf
from roomwire_auth.http.self_service_api import self_service_routes
from roomwire_auth.http.sign_in_api import key_routes, token_routes
from roomwire_auth.keys.access_tokens import AccessTokens
from roomwire_auth.keys.keyring import Keyring
from roomwire_auth.keys.keys import Keys
from roomwire_auth.metrics import Metrics
from roomwire_auth.sessions.scripts import CLOCKS_S
from roomwire_auth.sessions.self_service import SelfService
from roomwire_auth.sessions.sessions import Sessions
from roomwire_auth.sessions.sign_in import SignIn
from roomwire_auth.settings import Settings
from roomwire_auth.store import Store, slot_key

MAX_BODY_BYTES: Final = 16 * 1024


class AuthApp:
    """The auth service, a `roomwire.serving.application.Application`.

    Raises:
        ConfigurationError: There is no signing key, or it is not a valid key.

    """

    def __init__(self, settings: Settings) -> None:
        metrics = Metrics()
        self._keys = keys = _keys(settings, metrics)
        self._store = Store(
            connect(
                settings.redis_url.get_secret_value(),
                key=slot_key(settings.redis_prefix),
                timeout_s=settings.redis_timeout_s,
            ),
            prefix=settings.redis_prefix,
            timeout_s=settings.redis_timeout_s,
            dependency=metrics.dependencies.add(
                "store", where=shown_hosts(settings.redis_url.get_secret_value())
            ),
        )
        self._passwords = open_passwords(
            time_cost=settings.argon2_time_cost,
            memory_kib=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
            threads=settings.password_hashers,
            queue=settings.password_queue,
            metrics=metrics,
        )
        metrics.watch_password_queue(lambda: self._passwords.waiting)
        policy = load_policy(settings.policy_file)
        accounts = Accounts(self._store)
        sessions = Sessions(
            self._store,
            account_ttl_s=settings.refresh_ttl_s,
            guest_ttl_s=settings.guest_ttl_s,
            grace_s=settings.refresh_grace_s,
            access_ttl_s=settings.access_ttl_s + CLOCKS_S + int(settings.auth_leeway_s),
            max_sessions=settings.max_sessions,
            guest_first_ttl_s=min(settings.guest_first_ttl_s, settings.guest_ttl_s),
            max_guests=settings.max_guests,
            guests_mark=settings.redis_guests_mark,
        )
        access_tokens = AccessTokens(
            keys,
            issuer=settings.auth_issuer,
            audience=settings.auth_audience,
            ttl_s=settings.access_ttl_s,
            policy=policy,
        )
        throttle = Throttle(self._store, limits=_limits(settings), metrics=metrics)
        sign_in = SignIn(
            accounts=accounts,
            passwords=self._passwords,
            sessions=sessions,
            access_tokens=access_tokens,
            throttle=throttle,
            guests=settings.guests,
            metrics=metrics,
        )
        self_service = SelfService(
            accounts=accounts, passwords=self._passwords, sessions=sessions, throttle=throttle
        )
        client_tokens = ClientTokens(Clients(settings.clients_file, policy), access_tokens, throttle)
        verifier = Verifier(
            keys,
            issuer=settings.auth_issuer,
            audience=settings.auth_audience,
            leeway_s=settings.auth_leeway_s,
            max_token_bytes=settings.max_token_bytes,
        )
        routers = [
            token_routes(sign_in, access_ttl_s=settings.access_ttl_s),
            self_service_routes(self_service, caller_of=CallerOf(Callers(verifier, sessions))),
            client_routes(client_tokens, access_ttl_s=settings.access_ttl_s),
            key_routes(keys),
        ]
        self._metrics = metrics
        self.websocket = NO_WEBSOCKETS
        self.asgi: App = _api(settings, routers, metrics)

    @property
    def registry(self) -> CollectorRegistry:
        """The metrics that `/metrics` shows."""
        return self._metrics.registry

    @property
    def dependencies(self) -> Dependencies:
        """The service's dependencies, and why one of them fails."""
        return self._metrics.dependencies

    async def start(self) -> None:
        """Make sure that the store answers."""
        await self._store.ping()

    async def check(self) -> Mapping[str, str]:
        """Return the state of the store; `dependencies` shows a file of signing keys that cannot be read."""
        self._keys.published()
        return {"store": await state_of(self._store.ping)}

    async def drain(self) -> None:
        """Do nothing: requests are short, and the listener finishes the running ones."""

    async def close(self) -> None:
        """End the threads and the connections."""
        await self._passwords.close()
        await self._store.close()


def _keys(settings: Settings, metrics: Metrics) -> Keys:
    if settings.signing_key is None:
        raise ConfigurationError(
            "there is no signing key: run `python -m roomwire_auth new-key > signing-key.pem`"
            " and set ROOMWIRE_SIGNING_KEY_FILE=signing-key.pem"
        )
    ring = Keyring.parse(settings.signing_key.get_secret_value())
    return Keys(
        ring, file=settings.secret_file("signing_key"), dependency=metrics.dependencies.add("signing_keys")
    )


def _limits(settings: Settings) -> Limits:
    if not settings.throttle:
        # All clients have one address, as far as is known.
        return Limits(
            window_s=settings.throttle_window_s,
            login_failures=0,
            login_failures_per_address=0,
            registrations_per_address=0,
            guests_per_address=0,
            refresh_failures_per_address=0,
            known_ttl_s=settings.known_address_ttl_s,
            guests_per_minute=settings.max_guests_per_minute,
            registrations_per_minute=settings.max_registrations_per_minute,
            checks_per_minute=settings.max_password_checks_per_minute,
            longest_delay_s=settings.longest_login_delay_s,
        )
    return Limits(
        window_s=settings.throttle_window_s,
        login_failures=settings.max_login_failures,
        login_failures_per_address=settings.max_login_failures_per_address,
        registrations_per_address=settings.max_registrations_per_address,
        guests_per_address=settings.max_guests_per_address,
        refresh_failures_per_address=settings.max_refresh_failures_per_address,
        known_ttl_s=settings.known_address_ttl_s,
        guests_per_minute=settings.max_guests_per_minute,
        registrations_per_minute=settings.max_registrations_per_minute,
        checks_per_minute=settings.max_password_checks_per_minute,
    )


def _api(settings: Settings, routers: Sequence[APIRouter], metrics: Metrics) -> FastAPI:
    app = FastAPI(
        title="Roomwire auth",
        summary="Accounts, guests, clients, tokens and keys.",
        version=version("roomwire-auth"),
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=_middleware(settings, metrics),
    )
    framework.install(app)
    for router in routers:
        framework.add_routes(app, router)
    if settings.docs:
        app.router.routes.extend(docs_routes())
    return app


def _middleware(settings: Settings, metrics: Metrics) -> list[Middleware]:
    """Return the middleware, from the outside to the inside."""
    cors = Middleware(
        Cors,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization"],
        expose_headers=["Retry-After"],
    )
    return [
        Middleware(RequestCount, counter=metrics.requests),
        Middleware(SecurityHeaders),
        Middleware(Sources, proxies=Proxies(settings.trusted_proxies)),
        *([cors] if settings.cors_origins else []),
        Middleware(failures.Guard),
        Middleware(BodyLimit, max_body_bytes=min(settings.max_body_bytes, MAX_BODY_BYTES)),
    ]
