"""The auth service, put together: the only place where its parts meet."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from auth import failures
from auth.accounts import Accounts
from auth.api import PREFIX, key_routes, token_routes
from auth.docs import docs_routes
from auth.metrics import Metrics
from auth.middleware import BodyLimit, RequestCount, SecurityHeaders
from auth.passwords import open_passwords
from auth.sessions import CLOCKS_S, Sessions
from auth.settings import Settings
from auth.sign_in import AccessTokens, SignIn
from auth.store import Store, slot_key
from roomwire.backplane import connect
from roomwire.capabilities import load_policy
from roomwire.errors import ConfigurationError
from roomwire.service import state_of
from roomwire.tokens import SigningKey

MAX_BODY_BYTES: Final = 16 * 1024


class AuthApp:
    """A `roomwire.service.Application`.

    Raises:
        ConfigurationError: There is no signing key, or what is there is none.

    """

    def __init__(self, settings: Settings) -> None:
        key = _signing_key(settings)
        metrics = Metrics()
        self._store = Store(
            connect(
                settings.redis_url.get_secret_value(),
                key=slot_key(settings.redis_prefix),
                timeout_s=settings.redis_timeout_s,
            ),
            prefix=settings.redis_prefix,
            timeout_s=settings.redis_timeout_s,
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
        sign_in = SignIn(
            accounts=Accounts(self._store),
            passwords=self._passwords,
            sessions=Sessions(
                self._store,
                account_ttl_s=settings.refresh_ttl_s,
                guest_ttl_s=settings.guest_ttl_s,
                grace_s=settings.refresh_grace_s,
                access_ttl_s=settings.access_ttl_s + CLOCKS_S,
            ),
            access_tokens=AccessTokens(
                key,
                issuer=settings.auth_issuer,
                audience=settings.auth_audience,
                ttl_s=settings.access_ttl_s,
                policy=load_policy(settings.policy_file),
            ),
            guests=settings.guests,
            metrics=metrics,
        )
        self._metrics = metrics
        self.websocket = None
        self.asgi: Any = _api(settings, sign_in, key, metrics)

    @property
    def registry(self) -> CollectorRegistry:
        """What `/metrics` shows."""
        return self._metrics.registry

    async def start(self) -> None:
        """Make sure that the store answers."""
        await self._store.ping()

    async def check(self) -> Mapping[str, str]:
        """Return the state of the store."""
        return {"store": await state_of(self._store.ping)}

    async def drain(self) -> None:
        """Nothing to part from: requests are short, and the listener finishes those at hand."""

    async def close(self) -> None:
        """End the threads and the connections."""
        await self._passwords.close()
        await self._store.close()


def print_new_key() -> None:
    """Print a new private key in PEM, for ROOMWIRE_SIGNING_KEY_FILE."""
    print(SigningKey.generate().to_pem(), end="")  # noqa: T201 - this is the command's output


def _signing_key(settings: Settings) -> SigningKey:
    if settings.signing_key is None:
        raise ConfigurationError(
            "there is no signing key: run `python -m auth new-key > signing-key.pem`"
            " and set ROOMWIRE_SIGNING_KEY_FILE=signing-key.pem"
        )
    return SigningKey.from_pem(settings.signing_key.get_secret_value())


def _api(settings: Settings, sign_in: SignIn, key: SigningKey, metrics: Metrics) -> FastAPI:
    app = FastAPI(
        title="Roomwire auth",
        summary="Accounts, guests, tokens and keys.",
        version=version("roomwire-auth"),
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=_middleware(settings, metrics),
        generate_unique_id_function=_operation_id,
    )
    failures.install(app)
    app.include_router(token_routes(sign_in, access_ttl_s=settings.access_ttl_s))
    app.include_router(key_routes(key))
    if settings.docs:
        app.router.routes.extend(docs_routes())
    return app


def _middleware(settings: Settings, metrics: Metrics) -> list[Middleware]:
    """Return the middleware, from the outside to the inside."""
    cors = Middleware(CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "POST"])
    return [
        Middleware(RequestCount, metrics=metrics),
        Middleware(SecurityHeaders),
        *([cors] if settings.cors_origins else []),
        Middleware(failures.Guard),
        Middleware(BodyLimit, max_body_bytes=min(settings.max_body_bytes, MAX_BODY_BYTES)),
    ]


def _operation_id(route: APIRoute) -> str:
    return route.name
