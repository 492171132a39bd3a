"""What is meant to differ from python-socketio: each entry of `DIFFERENCES`, on both servers.

Every test says what stock does and what ours does, on the fast path and on plain ASGI. When stock changes
its mind, the test fails and the entry can go.
"""

import asyncio
import copy
import dataclasses
import datetime as dt
import decimal
import enum
import gzip
import json

import engineio
import numpy as np
import pytest
import socketio
from differential.acts import differs, got, says
from differential.differences import DIFFERENCES
from differential.harness import SERVERS, idle, make, peer_of
from peers import peer_by, take
from websockets.exceptions import InvalidStatus
from wire.cases import Cases

from roomwire import Server
from roomwire.errors import Forbidden, Internal
from roomwire.limits.client import Limits

pytestmark = pytest.mark.usefixtures("log_lines")

shows = Cases(list(DIFFERENCES))


class TestConnecting:
    @staticmethod
    def emitting(outcome):
        def write(server):
            @server.event
            async def connect(sid, environ, auth):
                await server.emit("hello", to=sid)
                return outcome

        return write

    @shows("the reply to CONNECT comes first")
    async def test_the_reply_comes_before_what_the_handler_emits(self):
        stock, ours = await differs(says("40"), self.emitting(None))
        assert ['42["hello"]', "40"] == stock
        assert ["40", '42["hello"]'] == ours

    @shows("a refused client gets none of what its connect handler emitted")
    async def test_a_refused_client_gets_the_refusal_alone(self):
        stock, ours = await differs(says("40"), self.emitting(False))
        refusal = '44{"message":"Connection rejected by server"}'
        assert ['42["hello"]', refusal] == stock
        assert [refusal] == ours

    @shows("always_connect has no effect")
    async def test_with_always_connect_a_refusal_is_a_refusal(self):
        stock, ours = await differs(says("40"), self.emitting(False), always_connect=True)
        message = '{"message":"Connection rejected by server"}'
        assert ["40", '42["hello"]', f"41{message}"] == stock
        assert [f"44{message}"] == ours

    @shows("a connect handler that fails refuses")
    async def test_a_handler_that_fails_refuses(self):
        def write(server):
            @server.event
            async def connect(sid, environ, auth):
                raise ValueError("not for clients")

        stock, ours = await differs(says("40"), write)
        assert [] == stock
        error = Internal()
        assert [{"message": error.message, "data": dict(error.details())}] == [
            json.loads(packet.removeprefix("44")) for packet in ours
        ]

    @shows("an unknown namespace is refused in the protocol's words")
    async def test_an_unknown_namespace(self):
        stock, ours = await differs(says("40/random,"))
        assert ['44/random,"Unable to connect"'] == stock
        assert ['44/random,{"message":"Invalid namespace"}'] == ours

    @shows("a second CONNECT to a namespace takes the place of the first")
    async def test_a_second_connect(self):
        stock, ours = await differs(says("40", "40"))
        assert ["40", '44"Unable to connect"'] == stock
        assert ["40", "40"] == ours

    @shows("a client that is refused again and again waits longer and longer")
    async def test_refused_again_and_again(self):
        def write(server):
            server.on("connect", lambda *_: False)

        stock, ours = await differs(says(*["40"] * 5), write)
        refusal = '44{"message":"Connection rejected by server"}'
        assert [refusal] * 5 == stock
        assert [refusal] * 3 == ours

    @shows("auth that is no object is refused")
    @pytest.mark.parametrize("auth", ["[1]", '"x"', "true"])
    async def test_auth_that_is_no_object(self, auth):
        def write(server):
            server.on("connect", lambda *_: None)
            server.on("connect", lambda *_: None, namespace="/other")

        stock, ours = await differs(says("40/other,", f"40{auth}", '42/other,1["x"]'), write)
        assert ["40/other,", "40"] == stock
        connected, refused = ours
        assert ("40/other,", "invalid_body") == (connected, json.loads(refused[2:])["data"]["code"])

    @shows("a client that never connects is closed")
    async def test_never_connecting(self):
        async with peer_of("fast", server := Server(limits=Limits(connect_timeout_s=0.05))) as peer:
            async with peer.websocket() as socket:
                await socket.recv()
                await socket.wait_closed()
            assert {} == server.eio.sockets

    @shows("whoever knows recovery gets a pid and offsets")
    async def test_pids_and_offsets(self):
        async def act(peer):
            async with peer.websocket(user_agent_header="Mozilla/5.0") as socket:
                await socket.recv()
                await socket.send("40")
                reply = await take(socket)
                await peer.server.emit("hello")
                return sorted(json.loads(reply[2:])), len(json.loads((await take(socket))[2:]))

        def write(server):
            server.on("connect", lambda *_: None)

        assert ((["sid"], 1), (["sid"], 1)) == await differs(act, write)
        for way in ("fast", "asgi"):
            write(server := Server(recovery=True))
            async with peer_of(way, server) as peer:
                peer.server = server
                assert (["pid", "sid"], 2) == await act(peer)

    @shows("nobody leaves the room of its own id")
    async def test_own_room(self):
        for server, expected in ((socketio.AsyncServer(async_mode="asgi"), []), (Server(), ["own"])):
            server.on("connect", lambda *_: None)
            async with peer_of("asgi", server) as peer, peer.websocket() as socket:
                await socket.recv()
                await socket.send("40")
                sid = json.loads((await take(socket))[2:])["sid"]
                await server.leave_room(sid, sid)
                assert expected == ["own" for room in server.rooms(sid) if room == sid]

    @shows("more namespaces than allowed are refused")
    async def test_namespaces(self):
        server = Server(namespaces="*", limits=Limits(max_namespaces=1))
        async with peer_of("fast", server) as peer, peer.websocket() as socket:
            await socket.recv()
            await socket.send("40")
            await take(socket)
            await socket.send("40/b,")
            assert '44/b,{"message":"Too many namespaces"}' == await take(socket)

    @shows("ids of connections name their node")
    async def test_ids(self):
        async def act(peer):
            async with peer.websocket() as socket:
                handshake = json.loads((await socket.recv())[1:])
                await socket.send("40")
                reply = json.loads((await take(socket))[2:])
                # A client's own id is that of its session, which any node may continue.
                return [each["sid"].startswith("node.") for each in (handshake, reply)]

        assert ([False, False], [True, False]) == await differs(act)


class TestPackets:
    @shows("a malformed packet closes at once")
    @pytest.mark.parametrize("packet", ['42{"a":1}', "42[]", "42", "4x", '42abc["x"]'])
    async def test_a_malformed_packet(self, packet):
        stock, ours = await differs(says("40", packet))
        assert ["40"] == stock
        assert ["40", "closed"] == ours

    @shows("the events connect and disconnect cannot be sent")
    @pytest.mark.parametrize("event", ["connect", "disconnect"])
    async def test_reserved_events(self, event):
        def write(server):
            server.on("connect", lambda sid, environ, auth=None: environ == "forged" or None)
            server.on("disconnect", lambda sid, reason: reason == "forged")

        stock, ours = await differs(says("40", f'421["{event}","forged"]'), write)
        assert ["40", "431[true]"] == stock
        assert ["40", '431[{"error":{"code":"invalid_body"'] == [
            packet.partition(',"message"')[0] for packet in ours
        ]

    @shows("an error that is meant for the client reaches it")
    async def test_errors_of_handlers(self):
        def write(server):
            @server.event
            async def fails(sid):
                raise Forbidden("Not you.")

        stock, ours = await differs(says("40", '421["fails"]', '42["fails"]'), write)
        details = '{"code":"forbidden","message":"Not you.","retryable":false}'
        assert ["40"] == stock
        assert ["40", f'431[{{"error":{details}}}]', f'42["exception",{details}]'] == ours

    @staticmethod
    def giving(value):
        def write(server):
            server.on("give", lambda sid: value)

        return write

    @shows("characters beyond ASCII are not escaped")
    async def test_escapes(self):
        stock, ours = await differs(says("40", '421["give"]'), self.giving("ä\U0001f600"))
        assert ["40", r'431["\u00e4\ud83d\ude00"]'] == stock
        assert ["40", '431["ä\U0001f600"]'] == ours

    @shows("values that json refuses are encoded")
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (dt.date(2024, 2, 29), '"2024-02-29"'),
            ({1}, "[1]"),
            (dataclasses.make_dataclass("Point", ["x"])(1), '{"x":1}'),
            (decimal.Decimal("1.5"), '"1.5"'),
            (enum.Enum("Colour", {"RED": "red"})("red"), '"red"'),
        ],
        ids=str,
    )
    async def test_values_of_python(self, value, text):
        stock, ours = await differs(says("40", '421["give"]'), self.giving(value))
        assert ["40"] == stock
        assert ["40", f"431[{text}]"] == ours

    @pytest.mark.parametrize(
        "value",
        [object(), Forbidden("no text"), np.int64(1), np.arange(2)],
        ids=lambda value: type(value).__name__,
    )
    async def test_what_neither_json_nor_msgspec_knows_is_sent_on_neither(self, value):
        stock, ours = await differs(says("40", '421["give"]'), self.giving(value))
        assert ["40"] == stock == ours

    @shows("NaN and infinities are null")
    async def test_not_a_number(self):
        stock, ours = await differs(says("40", '421["give"]'), self.giving([float("nan"), float("inf")]))
        assert ["40", "431[[NaN,Infinity]]"] == stock
        assert ["40", "431[[null,null]]"] == ours

    @shows("a bytearray is an attachment")
    async def test_bytearrays(self):
        def write(server):
            @server.event
            async def give(sid):
                await server.emit("gift", bytearray(b"x"), to=sid)

        stock, ours = await differs(says("40", '42["give"]'), write)
        assert ["40", '451-["gift",{"_placeholder":true,"num":0}]'] == stock[:2]
        assert b"x" not in stock
        assert ["40", '451-["gift",{"_placeholder":true,"num":0}]', b"x"] == ours

    @shows("binary is an attachment wherever it is")
    async def test_binary_in_a_tuple(self):
        stock, ours = await differs(says("40", '421["give"]'), self.giving([(b"x",)]))
        assert ["40"] == stock
        assert ["40", '461-1[[[{"_placeholder":true,"num":0}]]]', b"x"] == ours

    @shows("an event named by a number goes by its text as well")
    async def test_events_named_by_numbers(self):
        class Numbers(socketio.AsyncNamespace):
            async def on_1(self, sid, text):
                return ["of a class", text]

        def write(server):
            server.on(2, lambda sid, text: ["a number", text])
            server.on("3", lambda sid, text: ["a text", text])
            server.register_namespace(Numbers("/numbers"))

        says_numbers = says("40", '422[2,"x"]', '423[3,"x"]', "40/numbers,", '42/numbers,1[1,"x"]')
        stock, ours = await differs(says_numbers, write)
        assert ["40", '432[["a number","x"]]', "40/numbers,"] == stock
        assert [
            "40",
            '432[["a number","x"]]',
            '433[["a text","x"]]',
            "40/numbers,",
            '43/numbers,1[["of a class","x"]]',
        ] == ours

    @shows("rooms come in the order of joining")
    async def test_the_order_of_rooms(self):
        def write(server):
            @server.event
            async def join(sid, *rooms):
                for room in rooms:
                    await server.enter_room(sid, room)
                return [room for room in server.rooms(sid) if room != sid]

        async def act(peer):
            async with peer.websocket() as first, peer.websocket() as second:
                for socket, rooms in ((first, '"a"'), (second, '"b","a"')):
                    await socket.recv()
                    await socket.send("40")
                    await socket.send(f'421["join",{rooms}]')
                    answers = await got(socket)
                return answers[1]

        assert ('431[["a","b"]]', '431[["b","a"]]') == await differs(act, write)


class TestTheEngine:
    @shows("a CLOSE packet closes the WebSocket at once")
    async def test_a_close_packet(self):
        stock, ours = await differs(says("1"))
        assert [] == stock
        assert ["closed"] == ours

    @shows(
        "refused requests are answered as by the reference server", "a request without a transport is refused"
    )
    @pytest.mark.parametrize(
        ("method", "query", "stock", "ours"),
        [
            ("GET", "EIO=3&transport=polling", (400, "text/plain"), (400, 5)),
            ("GET", "EIO=4&transport=pigeon", (400, "text/plain"), (400, 0)),
            ("GET", "EIO=4&transport=polling&sid=unknown", (400, "text/plain"), (400, 1)),
            ("GET", "EIO=4", (200, "text/plain; charset=UTF-8"), (400, 0)),
            ("POST", "EIO=4&transport=polling", (400, "text/plain"), (400, 2)),
            ("PUT", "EIO=4&transport=polling", (405, "text/plain"), (400, 2)),
        ],
    )
    async def test_refused_requests(self, method, query, stock, ours):
        async def act(peer):
            answer = await peer.http.request(method, f"/socket.io/?{query}")
            kind = answer.headers["content-type"]
            return answer.status_code, answer.json()["code"] if kind == "application/json" else kind

        assert (stock, ours) == await differs(act)

    @shows("a POST is answered by ok")
    async def test_the_answer_to_a_post(self):
        async def act(peer):
            posted = await peer.post((await peer.open())["sid"], "40")
            return posted.status_code, posted.text, posted.headers["content-type"]

        stock, ours = await differs(act)
        assert (200, "OK", "text/plain") == stock
        assert (200, "ok", "text/plain; charset=UTF-8") == ours

    @shows("a POST that is too large is answered at once and the session goes on")
    async def test_a_post_that_is_too_large(self):
        async def act(peer):
            sid = (await peer.open())["sid"]
            posting = asyncio.create_task(peer.post(sid, "4" + "x" * 100))
            if isinstance(peer.server, Server):
                return (await posting).status_code
            await ended.wait()
            await idle()
            # Its answer would have come before this one.
            assert 400 == (await peer.poll("another")).status_code
            return posting.cancel() and "nothing"

        ended = asyncio.Event()

        def write(server):
            server.eio.on("disconnect", lambda *_: ended.set())

        assert ("nothing", 413) == await differs(act, write, max_http_buffer_size=100)

    @shows("sub-second intervals are announced")
    async def test_sub_second_intervals(self):
        async def act(peer):
            return (await peer.open())["pingInterval"]

        assert (0, 300) == await differs(act, ping_interval=0.3)

    @shows("answers are not compressed")
    async def test_compression(self):
        async def act(peer):
            sid = (await peer.open())["sid"]
            await peer.post(sid, "40")
            await peer.poll(sid)
            await peer.server.emit("long", "x" * 5_000)
            request = peer.http.build_request("GET", peer.polling(sid), headers={"Accept-Encoding": "gzip"})
            answer = await peer.http.send(request, stream=True)
            raw = b"".join([part async for part in answer.aiter_raw()])
            encoding = answer.headers.get("content-encoding")
            return encoding, (gzip.decompress(raw) if encoding else raw).decode()

        body = f'42["long","{"x" * 5_000}"]'
        assert (("gzip", body), (None, body)) == await differs(act)

    @shows("JSONP is not offered")
    async def test_jsonp(self):
        async def act(peer):
            return (await peer.http.get(f"{peer.polling()}&j=0")).text[:6]

        assert ("___eio", '0{"sid') == await differs(act)

    @shows("an upgrade that is switched off is refused")
    async def test_an_upgrade_that_is_switched_off(self):
        async def act(peer):
            handshake = await peer.open()
            assert [] == handshake["upgrades"]
            try:
                async with peer.websocket(sid=handshake["sid"]) as socket:
                    await socket.send("2probe")
                    return await socket.recv()
            except InvalidStatus:
                return "refused"

        assert ("3probe", "refused") == await differs(act, allow_upgrades=False)

    @shows("clients are always monitored")
    async def test_clients_are_monitored(self):
        server = Server(monitor_clients=False, ping_interval=0.05, ping_timeout=0.05)
        async with peer_of("fast", server) as peer, peer.websocket() as socket:
            await socket.recv()
            await socket.wait_closed()
            assert {} == server.eio.sockets

    @shows("a client that reads nothing is evicted")
    async def test_a_client_that_reads_nothing(self):
        def write(server):
            server.on("connect", lambda *_: None)

        async def act(peer):
            sid = (await peer.open())["sid"]
            await peer.post(sid, "40")
            for _ in range(3):
                await peer.server.emit("much", "x" * 33_000_000)
                await asyncio.sleep(0)
            return (await peer.poll(sid)).status_code

        assert (200, 400) == await differs(act, write)

    @shows("REMOTE_ADDR is the peer's address", "what a stranger says of proxies is not believed")
    async def test_who_the_client_is(self):
        def write(server):
            @server.event
            async def connect(sid, environ, auth):
                await server.save_session(sid, [environ["REMOTE_ADDR"], "HTTP_X_FORWARDED_FOR" in environ])

            server.on("who", server.get_session)

        async def act(peer):
            told = {"X-Forwarded-For": "6.6.6.6"}
            async with peer.websocket(local_addr=("127.0.0.2", 0), additional_headers=told) as socket:
                await socket.recv()
                await socket.send("40")
                await socket.send('421["who"]')
                return (await got(socket))[1]

        assert ('431[["127.0.0.1",true]]', '431[["127.0.0.2",false]]') == await differs(act, write)

    @shows("a page of the server's own host and port is its own", "an empty origin is refused")
    async def test_whose_page_it_is(self):
        async def act(peer):
            pages = [f"https://{peer.place.address}", f"wss://{peer.place.address}", ""]
            answers = [await peer.http.get(peer.polling(), headers={"Origin": page}) for page in pages]
            return [answer.status_code for answer in answers]

        assert ([400, 400, 200], [200, 200, 400]) == await differs(act, cors_allowed_origins=None)

    @shows("listed origins are compared as origins", "answers say that they depend on the page")
    async def test_listed_pages(self):
        async def act(peer):
            headers = {"Origin": "https://CHAT.example:443"}
            answer = await peer.http.get(peer.polling(), headers=headers)
            return answer.status_code, answer.headers.get("vary")

        assert ((400, None), (200, "Origin")) == await differs(
            act, cors_allowed_origins=["https://chat.example"]
        )

    @shows("shutdown ends the connections")
    async def test_shutdown(self):
        async def act(peer):
            async with peer.websocket() as socket:
                await socket.recv()
                await peer.server.shutdown()
                return await got(socket)

        assert ([], ["closed"]) == await differs(act)


class TestRequests:
    """What a connect handler learns of the request."""

    @shows("the fast path passes by middleware")
    async def test_what_middleware_leaves_in_the_scope(self):
        async def is_found(kind):
            server, seen = make(kind), []
            mounted = socketio.ASGIApp(server)

            async def middleware(scope, receive, send):
                await mounted(scope | {"session": "of the middleware"}, receive, send)

            @server.event
            async def connect(sid, environ, auth):
                seen.append("session" in environ["asgi.scope"])

            way = "fast" if kind == "fast" else "asgi"
            async with (
                peer_by(way, middleware, "/socket.io/", engine=server.eio) as peer,
                peer.websocket() as socket,
            ):
                await socket.recv()
                await socket.send("40")
                await take(socket)
            await server.shutdown()
            return seen

        assert {"stock": [True], "asgi": [True], "fast": [False]} == {
            kind: await is_found(kind) for kind in SERVERS
        }

    @pytest.mark.parametrize("kind", ["asgi", "fast"])
    async def test_the_request_has_what_it_has_on_stock(self, kind):
        async def names(kind):
            server = make(kind)
            seen = {}

            @server.event
            async def connect(sid, environ, auth):
                seen.update(
                    environ | {f"scope: {name}": value for name, value in environ["asgi.scope"].items()}
                )

            async with peer_of(kind, server) as peer, peer.websocket() as socket:
                await socket.recv()
                await socket.send("40")
                await take(socket)
            return set(seen)

        # What uvicorn tells applications of itself, and streams that are over, are nobody's to rely on.
        left_out = {"asgi.receive", "asgi.send", "wsgi.input"}
        assert set() == await names("stock") - await names(kind) - left_out

    @pytest.mark.parametrize(
        "read",
        [
            dict,
            lambda scope: {**scope},
            lambda scope: scope | {},
            lambda scope: scope.copy(),
            lambda scope: {name: scope[name] for name in scope},
            lambda scope: {name: scope.get(name) for name in sorted(scope.keys())},
            lambda scope: dict(scope.items()),
            lambda scope: {"headers": scope["headers"]},
            lambda scope: {"server": scope.get("server"), "x": scope.get("x", "nothing")},
            lambda scope: {"state": "state" in scope, "x": "x" in scope},
            copy.copy,
        ],
        ids=range(11),
    )
    async def test_the_scope_says_what_it_says_on_stock_however_it_is_read(self, read):
        def write(server):
            @server.event
            async def connect(sid, environ, auth):
                found = dict(read(environ["asgi.scope"]))
                # What servers say of themselves, and what is another one's with each connection.
                found.pop("asgi", None)
                found.pop("client", None)
                found["server"] = len(found["server"]) if "server" in found else None
                secret = {b"sec-websocket-key", b"sec-websocket-extensions", b"host"}
                found["headers"] = sorted(each for each in found.get("headers", ()) if each[0] not in secret)
                seen.append(found)

        async def act(peer):
            async with peer.websocket(
                additional_headers={"X-Name": "\u00e4", "Cookie": "a=b"}, subprotocols=["x", "y"]
            ) as socket:
                await socket.recv()
                await socket.send("40")
                await take(socket)

        seen = []
        await differs(act, write)
        stock, *ours = seen
        assert [stock] * len(ours) == ours

    @pytest.mark.parametrize("kind", SERVERS)
    @pytest.mark.parametrize("skipped", [("nobody",), {"nobody"}, frozenset(), 7], ids=str)
    async def test_whom_to_skip_may_be_anything(self, kind, skipped):
        server = make(kind)
        async with peer_of(kind, server) as peer, peer.websocket() as socket:
            await socket.recv()
            await socket.send("40")
            await take(socket)
            await server.emit("said", skip_sid=skipped)
            assert '42["said"]' == await take(socket)


class TestWhatIsRefused:
    @shows("a JSON module is the server's own")
    def test_json(self):
        before = socketio.packet.Packet.json
        assert json is Server(json=json).packet_class.json
        assert before is socketio.packet.Packet.json
        try:
            assert json is socketio.AsyncServer(async_mode="asgi", json=json).packet_class.json
            assert json is socketio.packet.Packet.json
        finally:
            socketio.packet.Packet.json = engineio.packet.Packet.json = before

    @shows("the manager's rooms are read-only")
    async def test_the_managers_rooms(self):
        def write(server):
            server.on("connect", lambda *_: None)

        async def act(peer):
            async with peer.websocket() as socket:
                await socket.recv()
                await socket.send("40")
                await take(socket)
                try:
                    peer.server.manager.rooms["/"]["den"] = {}
                except TypeError:
                    return "refused"
                return "done"

        assert ("done", "refused") == await differs(act, write)

    @shows("no other manager than Redis'")
    @pytest.mark.parametrize(
        "manager",
        [socketio.AsyncAioPikaManager, socketio.RedisManager, socketio.Manager],
        ids=lambda one: one.__name__,
    )
    def test_managers(self, manager):
        with pytest.raises(ValueError, match=f"client_manager: {manager.__name__} keeps no ordered log"):
            Server(manager.__new__(manager))

    @shows("no other async mode")
    @pytest.mark.parametrize("mode", ["aiohttp", "sanic", "tornado", "threading"])
    def test_async_modes(self, mode):
        with pytest.raises(ValueError, match="async_mode: Roomwire is an ASGI application"):
            Server(async_mode=mode)

    @shows("nothing to attach to")
    @pytest.mark.parametrize("kind", SERVERS)
    def test_attaching(self, kind):
        with pytest.raises(KeyError, match="create_route"):
            make(kind).attach(object(), socketio_path="socket.io")


def test_every_difference_is_shown():
    # They need an admin, and msgpack: test_differential_admin, test_serializers.
    elsewhere = {"the admin UI is not told of bytes and packets", "undefined is None in msgpack"}
    assert elsewhere == shows.missing
