"""One connection to Redis, against servers that answer as tests want it."""

import asyncio
import contextlib
import ssl

import pytest
from flaky_proxy import Proxy
from gateways_of_a_log import DEN, world_of
from waiting import time_passes, until

from roomwire.errors import ConfigurationError, Unavailable
from roomwire.redis.address import RedisAddress
from roomwire.redis.link import LinkLost, ReplyError, open_link

HELLO = b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.1\r\n"


class Script:
    """A server that greets and then says what it is told to."""

    def __init__(self, hello=HELLO):
        self.heard = b""
        self._hello = hello
        self._writer = None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        if self._writer is not None:
            self._writer.transport.abort()
        await self._server.wait_closed()
        await until(lambda: self._writer is None or self._is_over)

    def say(self, data):
        self._writer.write(data)

    async def _serve(self, reader, writer):
        self._writer = writer
        self._is_over = False
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if b"HELLO" in data:
                    writer.write(self._hello)
                else:
                    self.heard += data
        self._is_over = True


class End:
    """The gateway's end: what came, in order."""

    def __init__(self):
        self.came = []
        self.lost = []

    async def open(self, port, timeout_s=5.0):
        self.link = await open_link(
            RedisAddress(host="127.0.0.1", port=port),
            name="test",
            timeout_s=timeout_s,
            on_push=lambda channel, data: self.came.append((channel, data)),
            on_lost=self.lost.append,
        )
        return self.link


@pytest.fixture
async def server():
    async with Script() as server:
        yield server


@pytest.fixture
async def end(server):
    end = End()
    await end.open(server.port)
    yield end
    end.link.close("over")
    await end.link.wait_closed()


async def test_replies_and_pushes_are_handed_on_in_the_order_in_which_they_came(server, end):
    for number in range(3):
        end.link.command((b"GET", number), lambda value, number=number: end.came.append((number, value)))
    await until(lambda: server.heard.count(b"GET") == 3)
    push = b">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$1\r\n%d\r\n"
    server.say(push % 1 + b":7\r\n" + push % 2 + push % 3 + b"-ERR no\r\n_\r\n" + push % 4)
    await until(lambda: len(end.came) == 7)

    assert [(b"c", b"1"), (0, 7), (b"c", b"2"), (b"c", b"3")] == end.came[:4]
    assert ReplyError is type(end.came[4][1])
    assert [(2, None), (b"c", b"4")] == end.came[5:]


@pytest.fixture
def written(end):
    """What the link writes; nothing of it is sent."""
    found = []
    end.link._transport = type("Transport", (), {
        "write": lambda _, data: found.append(data), "abort": lambda _: None, "get_write_buffer_size": lambda _: 0,
    })()  # fmt: skip
    yield found
    end.link._is_gone.set()


async def test_all_commands_of_a_tick_go_in_one_write(end, written):
    for _ in range(10):
        end.link.command((b"PING",), lambda _: None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert [b"*1\r\n$4\r\nPING\r\n" * 10] == written


async def test_what_is_flushed_goes_at_once_and_only_once(end, written):
    for _ in range(2):
        end.link.command((b"PING",), lambda _: None)
    end.link.flush()
    assert [b"*1\r\n$4\r\nPING\r\n" * 2] == written

    end.link.flush()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 1 == len(written)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b">3\r\n$12\r\nsunsubscribe\r\n$1\r\nc\r\n:0\r\n", "not requested"),
        (b"-NOPERM no\r\n", "not subscribed"),
        (b"?what\r\n", "protocol error"),
    ],
)
async def test_what_was_not_to_come_ends_the_link(server, end, said, reason):
    end.link.subscribe([b"c"])
    asking = asyncio.ensure_future(end.link.ask(b"PING"))
    await until(lambda: b"PING" in server.heard)
    server.say(said)
    with pytest.raises(LinkLost):
        await asking

    assert 1 == len(end.lost)
    assert reason in end.lost[0]
    with pytest.raises(LinkLost):
        await end.link.ask(b"PING")


async def test_subscriptions_are_confirmed_by_pushes_between_other_replies(server, end):
    end.link.subscribe([b"a", b"b"])
    first = asyncio.ensure_future(end.link.ask(b"GET", b"1"))
    await asyncio.sleep(0)
    end.link.unsubscribe([b"a"])
    second = asyncio.ensure_future(end.link.ask(b"GET", b"2"))
    await until(lambda: server.heard.count(b"GET") == 2)
    confirmed = b">3\r\n$10\r\nssubscribe\r\n$1\r\n%s\r\n:1\r\n"
    server.say(confirmed % b"a" + confirmed % b"b" + b":1\r\n")
    server.say(b">3\r\n$12\r\nsunsubscribe\r\n$1\r\na\r\n:1\r\n:2\r\n")

    assert [1, 2] == [await first, await second]


async def test_a_server_that_does_not_answer_is_given_up_in_time(server):
    end = End()
    link = await end.open(server.port, timeout_s=0.2)
    with pytest.raises(LinkLost, match="no answer in time"):
        await link.ask(b"PING")
    await link.wait_closed()


async def test_an_idle_link_is_asked_for_a_sign_of_life(server):
    end = End()
    link = await end.open(server.port, timeout_s=0.2)
    await until(lambda: end.lost)

    assert b"*1\r\n$4\r\nPING\r\n" == server.heard
    await link.wait_closed()


async def test_a_slow_but_steady_answer_is_waited_for(server):
    end = End()
    link = await end.open(server.port, timeout_s=0.5)
    asking = asyncio.ensure_future(link.ask(b"GET", b"1"))
    server.say(b"$10\r\n")
    for _ in range(10):
        await time_passes(0.06)
        server.say(b"x")
    server.say(b"\r\n")

    assert b"x" * 10 == await asking
    link.close("over")
    await link.wait_closed()


async def test_a_server_that_is_too_old_is_refused():
    async with Script(HELLO.replace(b"7.0.1", b"6.2.9")) as server:
        with pytest.raises(ConfigurationError, match=r"6\.2\.9"):
            await End().open(server.port)


async def test_the_log_speaks_tls_and_checks_whom_it_speaks_to(own_redis, certificate):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with Proxy(own_redis.port, tls) as proxy:
        url = proxy.url.replace("redis://", "rediss://")
        for query in (f"?ssl_ca_certs={certificate}", "?ssl_cert_reqs=none"):
            async with world_of(url + query) as world:
                gateway = await world.start()
                await gateway.hear(DEN)
                await gateway.say("hi")
                await gateway.hears("hi")
        async with world_of(url) as world:
            gateway = world.make()
            with pytest.raises(Unavailable, match="certificate"):
                await gateway.log.start(gateway)
