"""Official clients through HAProxy and nginx, set to do what the annotations in docs/kubernetes.md make them do.

The gateways relay nothing here: a request that reaches another one is refused, so it is the affinity that holds.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import httpx
import pytest
from clients import Client, Clients
from processes import program, service
from tls_proxies import binary
from waiting import until

from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST

pytestmark = pytest.mark.proxies
GATEWAYS = 3
CROWD = 9
WAYS = [
    pytest.param({}, "websocket", id="polling, then upgrade"),
    pytest.param({"transports": ["polling"]}, "polling", id="polling only"),
]


def haproxy(folder: Path, port: int, gateways: Sequence[int]) -> list[str]:
    """`haproxy.org/cookie-persistence: roomwire`, `haproxy.org/timeout-tunnel: 1h`."""
    servers = "\n".join(
        f"  server gateway-{number} {HOST}:{gateway} check" for number, gateway in enumerate(gateways)
    )
    config = folder / "haproxy.cfg"
    config.write_text(
        f"""
defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 50s
  timeout server 50s
  timeout tunnel 1h
frontend public
  bind {HOST}:{port}
  default_backend gateways
backend gateways
  balance roundrobin
  dynamic-cookie-key roomwire
  cookie roomwire dynamic insert indirect nocache
{servers}
"""
    )
    return ["-db", "-f", str(config)]


def nginx(folder: Path, port: int, gateways: Sequence[int]) -> list[str]:
    """`affinity: cookie`, `session-cookie-name: roomwire`, `proxy-read-timeout`, `proxy-send-timeout`, `proxy-body-size`.

    ingress-nginx picks by a cookie in Lua; here a map does it.
    """
    places = [f"{HOST}:{gateway}" for gateway in gateways]
    config = folder / "nginx.conf"
    config.write_text(
        f"""
pid {folder}/nginx.pid;
daemon off;
error_log stderr warn;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream gateways {{ {" ".join(f"server {place};" for place in places)} }}
  map $cookie_roomwire $gateway {{
    default gateways;
    {" ".join(f"{place} {place};" for place in places)}
  }}
  map $cookie_roomwire $told {{ default ""; "" "roomwire=$upstream_addr; Path=/; HttpOnly"; }}
  map $http_upgrade $connection_header {{ default upgrade; "" ""; }}
  server {{
    listen {HOST}:{port};
    location / {{
      proxy_pass http://$gateway;
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_read_timeout 3600s;
      proxy_send_timeout 3600s;
      client_max_body_size 2m;
      add_header Set-Cookie $told;
    }}
  }}
}}
"""
    )
    return ["-p", str(folder), "-e", "stderr", "-c", str(config)]


Config = Callable[[Path, int, Sequence[int]], list[str]]


@pytest.fixture(params=[haproxy, nginx], ids=lambda config: str(config.__name__))
async def proxy(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> AsyncIterator[str]:
    """A proxy before three gateways that relay nothing."""
    config: Config = request.param
    command, port = binary(config.__name__), free_port()
    gateways = [free_port() for _ in range(GATEWAYS)]
    async with contextlib.AsyncExitStack() as stack:
        for number, gateway in enumerate(gateways):
            running = service(
                "gateway",
                free_port(),
                PORT=gateway,
                NODE_NAME=f"gateway-{number}",
                REDIS_URL=redis_url,
                AUTH_MODE="off",
            )
            await stack.enter_async_context(running)
        url = f"http://{HOST}:{port}"
        await stack.enter_async_context(program(command, *config(tmp_path, port, gateways), url=url))
        yield url


async def talk(crowd: Sequence[Client]) -> None:
    """Have each say something to all, with an ack, and all hear it."""
    for number, client in enumerate(crowd):
        assert "Message received!" == await client.emit("message", f"word {number}")
    for client in crowd:
        async with asyncio.timeout(10):
            await until(lambda client=client: [e[0] for e in client.events].count("message") >= len(crowd))


@pytest.mark.parametrize(("options", "transport"), WAYS)
async def test_clients_that_keep_cookies_stay_on_their_gateway(
    clients: Clients, proxy: str, options: dict[str, object], transport: str
):
    crowd = [await clients.connect(proxy, withCredentials=True, **options) for _ in range(CROWD)]
    before = [await client.gateway() for client in crowd]
    if transport == "websocket":
        await asyncio.gather(*(client.wait_for("upgrade", "websocket") for client in crowd))

    await talk(crowd)

    assert {transport} == {(await client.state())["transport"] for client in crowd}
    assert before == [await client.gateway() for client in crowd]
    trouble = {"disconnect", "connect_error"}
    assert [] == [happening for client in crowd for happening in client.happenings if happening[0] in trouble]
    # The proxy deals new clients out: it is not that there is one gateway for all.
    assert {f"gateway-{number}" for number in range(GATEWAYS)} == {*Counter(before)}
    for client in crowd:
        await client.close()


async def test_without_the_cookie_they_do_not_stay(proxy: str):
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{proxy}/socket.io/?EIO=4&transport=polling")
        sid = answer.text.partition('"sid":"')[2].partition('"')[0]
        cookies, found = dict(http.cookies), []
        for with_cookie in (True, False):
            http.cookies.clear()
            if with_cookie:
                http.cookies.update(cookies)
            # Requests in turn, each of which another gateway may get: without the cookie some are refused.
            posts = [
                await http.post(f"{proxy}/socket.io/?EIO=4&transport=polling&sid={sid}", content="40")
                for _ in range(1 if with_cookie else GATEWAYS)
            ]
            found.append({post.status_code for post in posts})

    assert ["roomwire"] == [*cookies]
    assert {200} == found[0]
    assert 400 in found[1]
