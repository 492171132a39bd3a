"""What bypasses the log follows what its node has published before: acks, callbacks, DISCONNECTs.

The log of these tests answers a publish before it delivers the entry, as Redis may: it delivers when the test says so, or when the
log promises that everything before was delivered.
"""

import asyncio
import contextlib
from collections import deque

import pytest
import socketio
from live import Client, Polling, served
from recovering import nodes_of
from waiting import until

from roomwire import Gateway, Server, Socket, subscribe
from roomwire.errors import Forbidden
from roomwire.limits.client import Limits
from roomwire.log.config import LogConfig
from roomwire.log.memory.hub import MemoryHub
from roomwire.log.memory.log import MemoryLog
from roomwire.log.sessions import new_node_id
from roomwire.metrics.gateway import Metrics

QUIET = Limits(ping_interval_s=300.0, ping_timeout_s=60.0)


class LateLog(MemoryLog):
    """A log whose entries come late.

    Attributes:
        is_late: Whether entries wait until something asks for the log's order.
        marks: Marks wait for it.

    """

    def __init__(self, **options):
        super().__init__(**options)
        self.is_late = False
        self.marks = asyncio.Event()
        self.marks.set()
        self.asked_marks = 0
        self._late = deque()

    def deliver(self, entry):
        if self.is_late:
            self._late.append(entry)
        else:
            super().deliver(entry)

    def catch_up(self):
        while self._late:
            super().deliver(self._late.popleft())

    async def mark(self, then=None):
        self.asked_marks += 1
        await self.marks.wait()
        return await super().mark(then)

    async def _change(self, change, then):
        def in_order():
            self.catch_up()
            return change()

        return await super()._change(in_order, then)


class Late:
    """A server on a late log."""

    def __init__(self, config=None, limits=QUIET):
        self.log = LateLog(node=new_node_id("n1"), hub=MemoryHub(config or LogConfig()), metrics=Metrics())
        self.server = Server(log=self.log, limits=limits)
        self.server.on("connect", lambda *_: None)
        self.address = ""

    @property
    def order(self):
        return self.server._parts.order

    @contextlib.asynccontextmanager
    async def serving(self):
        await self.server.start()
        async with served(socketio.ASGIApp(self.server)) as address:
            self.address = address
            yield self
            self.log.marks.set()
        await self.server.close()


@pytest.fixture
async def late():
    async with Late().serving() as late:
        yield late


@contextlib.asynccontextmanager
async def client_of(late, *rooms):
    """Connect a client and put it into rooms; from then on entries are late."""
    async with Client.connected(late.address) as client:
        for room in rooms:
            await late.server.enter_room(client.sid, room)
        late.log.is_late = True
        client.frames.clear()
        yield client


def is_disconnect(frame):
    return frame == "41"


TARGETS = {
    "its id": lambda sid: {"to": sid},
    "a room": lambda _: {"to": "den"},
    "several rooms": lambda _: {"to": ["den", "attic"]},
    "all": lambda _: {},
    "all but another": lambda _: {"skip_sid": "another"},
}


@pytest.mark.parametrize("is_awaited", [True, False])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_a_client_gets_what_was_emitted_to_it_before_it_is_disconnected(late, target, is_awaited):
    async with client_of(late, "den") as client:
        emitting = asyncio.create_task(late.server.emit("kicked", 1, **target(client.sid)))
        await (emitting if is_awaited else asyncio.sleep(0))
        await late.server.disconnect(client.sid)
        await client.frame(is_disconnect)
        await emitting

        assert ['42["kicked",1]', "41"] == client.frames
        assert not late.server.manager.rooms


@pytest.mark.parametrize("options", [{}, {"ignore_queue": True}])
async def test_the_disconnect_handler_runs_and_the_call_returns_when_the_client_was_told(late, options):
    order = []
    late.server.on("disconnect", lambda _, reason: order.append(reason))
    async with client_of(late) as client:
        late.log.marks.clear()
        await late.server.emit("kicked", to=client.sid)
        disconnecting = asyncio.create_task(late.server.disconnect(client.sid, **options))
        await until(lambda: late.log.asked_marks)
        assert [] == order
        assert not late.server.manager.is_connected(client.sid, "/")

        late.log.marks.set()
        await disconnecting

        assert [late.server.reason.SERVER_DISCONNECT] == order


async def test_over_polling_the_order_is_the_same(late):
    async with Polling.open(late.address) as client:
        await client.post("40")
        await client.poll()
        late.log.is_late = True
        await late.server.emit("kicked")
        (member,) = late.server.manager.members("/", None)
        await late.server.disconnect(member.sid)

        assert '42["kicked"]\x1e41' == await client.poll()


async def test_an_event_with_a_callback_keeps_its_place_between_two_emits(late):
    async with client_of(late, "den") as client:
        answers = []
        await late.server.emit("a", b"1", to=client.sid)
        await late.server.emit("b", b"2", to=client.sid, callback=answers.append)
        await late.server.emit("c", b"3", to="den")
        await until(lambda: len(client.frames) == 6)
        await client.send_frame('431["got"]')
        await until(lambda: answers)

        heads = ['451-["a",', b"1", '451-1["b",', b"2", '451-["c",', b"3"]
        assert heads == [
            one if isinstance(one, bytes) else one[: one.index(",") + 1] for one in client.frames
        ]
        assert ["got"] == answers


async def test_a_call_and_what_stays_on_this_node_follow_as_well(late):
    async with client_of(late) as client:
        await late.server.emit("a", to=client.sid)
        await late.server.emit("b", to=client.sid, ignore_queue=True)
        calling = asyncio.create_task(late.server.call("c", to=client.sid))
        await client.frame(lambda frame: frame == '421["c"]')
        await client.send_frame('431["got"]')

        assert "got" == await calling
        assert ['42["a"]', '42["b"]', '421["c"]'] == client.frames


async def test_a_packet_that_a_program_sends_itself_follows_with_its_attachments(late):
    async with client_of(late) as client:
        await late.server.emit("a", to=client.sid)
        packet = late.server.packet_class(socketio.packet.EVENT, data=["b", b"2"], namespace="/")
        await late.server._send_packet(late.server.manager.eio_sid_from_sid(client.sid, "/"), packet)
        await until(lambda: len(client.frames) == 3)

        assert ['42["a"]', '451-["b",{"_placeholder":true,"num":0}]', b"2"] == client.frames


class Teller(Gateway):
    @subscribe("tell")
    async def tell(self, socket: Socket) -> str:
        await self.server.emit("told", to=socket.id, namespace="/gateway")
        return "done"


@pytest.mark.parametrize("namespace", ["/function", "/gateway"])
async def test_the_ack_of_an_event_follows_what_its_handler_emitted(late, namespace):
    @late.server.on("tell", namespace="/function")
    async def tell(sid):
        await late.server.emit("told", to=sid, namespace="/function")
        return "done"

    late.server.register_namespace(Teller("/gateway"))
    async with Client.connected(late.address, namespace=namespace) as client:
        late.log.is_late = True
        client.frames.clear()
        await client.send_frame(f'42{namespace},1["tell"]')
        await client.frame(lambda frame: frame.startswith("43"))

        assert [f'42{namespace},["told"]', f'43{namespace},1["done"]'] == client.frames


async def test_a_room_that_the_client_leaves_after_an_emit_counts(late):
    async with client_of(late, "den") as client:
        emitting = asyncio.create_task(late.server.emit("a", to="den"))
        await asyncio.sleep(0)
        await late.server.leave_room(client.sid, "den")
        await late.server.emit("b", to=client.sid, ignore_queue=True)
        await client.frame(lambda frame: frame == '42["b"]')
        await emitting

        assert ['42["a"]', '42["b"]'] == client.frames


async def test_what_is_emitted_between_enter_room_and_close_room_arrives(late):
    async with client_of(late) as client:
        await late.server.enter_room(client.sid, "den")
        await late.server.emit("a", to="den")
        await late.server.close_room("den")
        await late.server.emit("b", to="den")
        await late.server.emit("c", to=client.sid, ignore_queue=True)
        await client.frame(lambda frame: frame == '42["c"]')

        assert ['42["a"]', '42["c"]'] == client.frames


async def test_the_caller_of_emit_does_not_wait_and_one_mark_serves_all(late):
    async with client_of(late) as client:
        late.log.marks.clear()
        await late.server.emit("a", to=client.sid)
        for _ in range(5):
            await late.server.emit("b", to=client.sid, callback=lambda: None)
        assert [] == client.frames
        assert late.order.has_waiting

        late.log.marks.set()
        await until(lambda: len(client.frames) == 6)

        assert 1 == late.log.asked_marks
        assert not late.order.has_waiting


async def test_a_message_to_others_is_not_waited_for(late):
    async with client_of(late) as client, Client.connected(late.address) as other:
        late.log.marks.clear()
        await late.server.emit("a", to=other.sid)
        await late.server.emit("b", to=client.sid, ignore_queue=True)

        await client.frame(lambda frame: frame == '42["b"]')


async def test_who_is_sent_away_is_told_at_once_whatever_was_published(late):
    async with client_of(late) as client:
        late.log.marks.clear()
        await late.server.emit("a", to=client.sid)
        await late.server.emit("b", to=client.sid, ignore_queue=True)
        await late.server.send_away(late.server.member(client.sid), Forbidden("go"))
        await client.frame(is_disconnect)

        assert ['42["b"]', "exception", "41"] == [
            "exception" if "exception" in frame else frame for frame in client.frames
        ]


async def test_who_loses_the_connection_meanwhile_leaves_nothing_behind(late):
    async with client_of(late) as client:
        late.log.marks.clear()
        await late.server.emit("a", to=client.sid)
        await late.server.emit("b", to=client.sid, ignore_queue=True)
        account = late.server.member(client.sid).connection.account
        assert account.held_bytes > 0
    await until(lambda: not late.server.manager.rooms)

    assert not late.order.has_waiting


async def test_after_the_time_of_a_call_a_message_follows_all_the_same():
    config = LogConfig(call_timeout_s=0.05)
    async with Late(config).serving() as late, client_of(late) as client:
        late.log.marks.clear()
        await late.server.emit("a", to=client.sid)
        await late.server.emit("b", to=client.sid, ignore_queue=True)
        await client.frame(lambda frame: frame == '42["b"]')

        assert late.order.is_clear


async def test_a_client_for_which_too_much_waits_is_disconnected():
    limits = Limits(ping_interval_s=300.0, ping_timeout_s=60.0, max_held_frames=2)
    async with Late(limits=limits).serving() as late, client_of(late) as client:
        late.log.marks.clear()
        await late.server.emit("a", to=client.sid)
        for _ in range(3):
            await late.server.emit("b", to=client.sid, ignore_queue=True)
        await client.ended()

        assert [] == client.frames


async def test_with_a_log_in_memory_nothing_waits():
    async with nodes_of("memory://") as start:
        node = await start()
        async with Client.connected(node.address) as client:
            await node.server.emit("a", to=client.sid)

            assert node.server._parts.order.is_clear


async def test_a_publish_without_receivers_on_this_node_is_not_noted(late):
    async with client_of(late) as client:
        await late.server.emit("a", to="nobody is here")

        assert late.order.is_clear
        assert client.frames == []
