"""For tests of the API: two gateways of one Redis, people in the chat, and backends that call."""

import contextlib
from typing import Any

import httpx
from live import Client

from roomwire.identity.capabilities import Capabilities
from roomwire.identity.tokens import SigningKey, User

SIGNING_KEY = SigningKey.generate()
ADMIN = "a" * 40
POLICY = """
[roles.guest]
"acme:*" = ["join", "history", "presence"]
[roles.user]
"*" = ["join", "publish", "history", "presence"]
[roles.shop]
"acme:*" = ["publish", "history", "presence"]
[roles.admin]
"*" = ["join", "publish", "history", "presence", "rooms", "broadcast", "admin"]
"""
KEYS = f"""
# name role secret
root admin {ADMIN}
shop shop {"s" * 40}
"""
ROOM = "acme:den"


def token(
    claim: dict[str, list[str]], *, id_: str = "account:1", lifetime_s: float = 600, **facts: Any
) -> str:
    user = User(id=id_, name="Ann", kind="account", capabilities=Capabilities.of(claim), **facts)
    return SIGNING_KEY.sign(user, issuer="roomwire", audience="roomwire", lifetime_s=lifetime_s)


class System:
    """Two gateways, `first` and `second`, and what calls their APIs."""

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        self._stack = stack
        self.gateways: list[Any] = []
        self._https: list[httpx.AsyncClient] = []

    async def add(self, running: Any, port: int) -> None:
        self.gateways.append(running)
        http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False, timeout=60)
        self._https.append(await self._stack.enter_async_context(http))

    async def call(
        self, method: str, path: str, *, bearer: str | None = ADMIN, of: int = 0, **options: Any
    ) -> httpx.Response:
        headers = {**({"authorization": f"Bearer {bearer}"} if bearer else {}), **options.pop("headers", {})}
        return await self._https[of].request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Any:
        """Return the body of what has to succeed."""
        of, params = options.pop("of", 0), options
        response = await self.call("GET", path, of=of, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any, **options: Any) -> Any:
        """The same."""
        response = await self.call("POST", path, json=body, **options)
        assert response.status_code == 200, response.text
        return response.json()

    async def person(
        self, of: int, *, room: str | None = ROOM, name: str = "Ann", bearer: str | None = None, **auth: Any
    ) -> Client:
        """Return somebody who is connected to a gateway, and in a room."""
        auth |= {"token": bearer} if bearer else {}
        client = await self._stack.enter_async_context(
            Client.connected(self.gateways[of].address, auth or None)
        )
        if room is not None:
            answer = await client.emit("joinRoom", {"roomId": room, "userName": name})
            assert answer == f"Joined room {room}", answer
        return client
