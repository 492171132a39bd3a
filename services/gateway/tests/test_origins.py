"""Which pages may talk to a gateway: each origin on each way in, on a process as it runs."""

import json

import httpx
import pytest
import websockets
from service_process import running

PAGE = "https://chat.example.org"
# Per setting: an origin (None: no browser's request), and whether it may.
OWN = "http://the gateway's own"
OWN_OVER_TLS = "https://the gateway's own"
OWN_SOCKET = "wss://the gateway's own"
LISTED = {
    None: True,
    PAGE: True,
    "https://other.example.org:8443": True,
    OWN: False,
    "null": False,
    "http://chat.example.org": False,
    # Written otherwise, it is the same origin.
    "https://chat.example.org:443": True,
    "HTTPS://CHAT.example.org": True,
    # Swift's client names a WebSocket's scheme.
    "wss://chat.example.org": True,
    "": False,
    "https://chat.example.org:8443": False,
    "https://chat.example.org/": False,
    "https://chat.example.org.evil.example": False,
    "https://evil.example/https://chat.example.org": False,
    "https://evilchat.example.org": False,
    "https://sub.chat.example.org": False,
    "https://chat.example.org,https://evil.example": False,
    "https://chat.example.org https://evil.example": False,
    "https://chat.example.orgé": False,
    "*": False,
}
SETTINGS = {
    "listed": ({"cors_origins": f"{PAGE},https://other.example.org:8443"}, LISTED),
    "none": (
        {},
        {None: True, OWN: True, OWN_OVER_TLS: True, OWN_SOCKET: True, PAGE: False, "null": False, "*": False}
        | {"": False, "http://127.0.0.1:5173": False, "http://127.0.0.1": False},
    ),
    "any": ({"cors_origins": "*"}, dict.fromkeys((None, OWN, PAGE, "null", "https://evil.example"), True)),
}


async def session(http):
    """Open a polling session, as no browser does: without an origin."""
    return json.loads((await http.get("?EIO=4&transport=polling")).text[1:])["sid"]


async def handshake(url, headers):
    """Return the status by which a WebSocket is answered."""
    try:
        async with websockets.connect(url, additional_headers=headers, proxy=None) as websocket:
            return websocket.response.status_code
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("setting", SETTINGS)
async def test_an_origin_may_on_every_way_in_or_on_none(setting, tmp_path):
    settings, origins = SETTINGS[setting]
    expected, outcomes = {}, {}
    async with (
        running(
            "gateway", tmp_path / "log", redis_url="memory://", auth_mode="off", page="false", **settings
        ) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.address}/socket.io/", trust_env=False) as http,
    ):
        socket_url = f"ws://{gateway.address}/socket.io/?EIO=4&transport=websocket"
        for origin, may in origins.items():
            given = origin and origin.replace("the gateway's own", gateway.address)
            headers = {"Origin": given.encode().decode("latin-1")} if given is not None else {}
            raw = {name: value.encode("latin-1") for name, value in headers.items()}
            poll = await http.get("?EIO=4&transport=polling", headers=raw)
            sid = await session(http)
            post = await http.post(f"?EIO=4&transport=polling&sid={sid}", content="40", headers=raw)
            outcomes[origin] = {
                "polling": poll.status_code,
                "post": post.status_code,
                "websocket": await handshake(socket_url, headers),
                "upgrade": await handshake(f"{socket_url}&sid={await session(http)}", headers),
                "may be read": poll.headers.get("access-control-allow-origin") == given,
                "depends on the page": {poll.headers["vary"], post.headers["vary"]},
            }
            expected[origin] = {
                "polling": 200 if may else 400,
                "post": 200 if may else 400,
                "websocket": 101 if may else 400,
                "upgrade": 101 if may else 400,
                "may be read": may,
                "depends on the page": {"Origin"},
            }

    assert expected == outcomes
