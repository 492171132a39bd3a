"""Rooms: the same as python-socketio's own manager, at a cost that does not grow with the server."""

import asyncio
import gc
import itertools
import sys
from collections.abc import Callable

import pytest
import socketio
from hypothesis import given
from hypothesis import strategies as st

from roomwire.engine.connection import Connection
from roomwire.engine.session import WEBSOCKET, Session
from roomwire.engine.turn import Turn
from roomwire.limits.client import Limits
from roomwire.protocol.codec import Packet
from roomwire.protocol.frames import message_of, text_frame
from roomwire.rooms.delivery import Delivery
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member
from roomwire.rooms.order import Order
from roomwire.rooms.registry import Registry


class Sockets(dict):
    """Connections that are there as soon as somebody asks for them."""

    def __init__(self, turn: Turn) -> None:
        super().__init__()
        self._turn = turn

    def get(self, eio_sid):
        if eio_sid not in self:
            state = Session(eio_sid, transport=WEBSOCKET, limits=Limits(), now=0.0)
            self[eio_sid] = Connection(state, {}, self._turn, lambda *_: None)
        return self[eio_sid]


class Recording(Turn):
    """Notes what is put where."""

    __slots__ = ("put_here",)

    def __init__(self) -> None:
        super().__init__()
        self.put_here: list[tuple[str, bytes]] = []

    def put_all(self, outlets, frames) -> None:
        self.put_here += [(outlet.sid, frame) for outlet in outlets for frame in frames]


class Engine:
    """Gives out session ids in an order that repeats itself."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.turn = Recording()
        self.sockets = Sockets(self.turn)
        self.limits = Limits()

    def generate_id(self) -> str:
        return f"sid{next(self._numbers)}"


class Recorder:
    """A server that notes what is sent to whom, by the ways of python-socketio's manager and of ours."""

    packet_class = Packet

    def __init__(self) -> None:
        self.eio = Engine()
        self._sent_by_stock: list[tuple[str, str | bytes]] = []

    @property
    def sent(self) -> list[tuple[str, str | bytes]]:
        put = self.eio.turn.put_here
        return self._sent_by_stock + [(eio_sid, message_of(frame)) for eio_sid, frame in put]

    async def _send_eio_packet(self, eio_sid, pkt):
        self._sent_by_stock.append((eio_sid, pkt.data if pkt.binary else pkt.encode()))

    def expect_connect(self, eio_sid):
        pass

    async def _send_packet(self, eio_sid, pkt):
        self._sent_by_stock.append((eio_sid, f"4{pkt.encode()}"))


class NoLog:
    """Stands for the log of a node that is alone."""

    def subscribe(self, stream):
        pass

    def unsubscribe(self, stream):
        pass

    def offset(self):
        return ""


class Decided(Rooms):
    """Rooms of a node that is alone, past the log, whose members have had their verdict: nothing is held back."""

    def __init__(self) -> None:
        recorder, registry, log = Recorder(), Registry(), NoLog()
        turn = recorder.eio.turn
        order = Order(log, registry, turn, begin=None)
        delivery = Delivery(
            log,
            registry,
            turn,
            order=order,
            begin_now=None,
            answer=None,
            count_dropped=None,
            wall_clock=None,
        )
        super().__init__(log, registry, delivery, elsewhere=None, order=order, finish=self.finished)
        self.set_server(recorder)

    async def finished(self, member):
        """Nothing is left of a session where there is none."""

    async def pre_connect(self, eio_sid, namespace):
        """Admit a client, as the server does beforehand."""
        sid = self.server.eio.generate_id()
        if self.sid_from_eio_sid(eio_sid, namespace) is not None:
            return None
        member = Member(sid, namespace, self.server.eio.sockets.get(eio_sid))
        member.release()
        self.admit(member)
        return await super().pre_connect(eio_sid, namespace)

    async def enter_room(self, sid, namespace, room):
        self.basic_enter_room(sid, namespace, room)

    async def leave_room(self, sid, namespace, room):
        self.basic_leave_room(sid, namespace, room)

    async def close_room(self, room, namespace):
        self.basic_close_room(room, namespace)

    async def emit(self, *arguments, **options):
        await super().emit(*arguments, **options, ignore_queue=True)


def stock_manager() -> socketio.AsyncManager:
    manager = socketio.AsyncManager()
    manager.set_server(Recorder())
    return manager


NAMESPACES = ["/", "/chat"]
CLIENTS = ["eio0", "eio1", "eio2"]
SIDS = [f"sid{number}" for number in range(5)]
ROOMS = ["red", "blue", "green"]

clients, namespaces = st.sampled_from(CLIENTS), st.sampled_from(NAMESPACES)
sids, rooms = st.sampled_from(SIDS), st.sampled_from([*ROOMS, *SIDS])
targets = st.none() | rooms | st.lists(rooms, min_size=1, max_size=3)
data = st.none() | st.just("hi") | st.just(("a", 1)) | st.just(b"bytes") | st.just(["list"]) | st.just(())
operations = st.one_of(
    *[st.tuples(st.just("pre_connect"), clients, namespaces)] * 2,
    *[st.tuples(st.just("connect"), sids, namespaces)] * 2,
    st.tuples(st.just("enter_room"), sids, namespaces, rooms),
    # Not the room of its own id: see differential.differences.
    st.tuples(st.just("leave_room"), sids, namespaces, rooms).filter(lambda it: it[1] != it[3]),
    st.tuples(st.just("close_room"), rooms, namespaces),
    st.tuples(st.just("pre_disconnect"), sids, namespaces),
    st.tuples(st.just("disconnect"), sids, namespaces),
    st.tuples(
        st.just("emit"), st.just("event"), data, namespaces, targets, st.none() | sids | st.lists(sids)
    ),
)


async def done(manager: socketio.AsyncManager, operation) -> object:  # noqa: PLR0911 - a case each
    """Do it if the server would; returns what came of it, an exception too."""
    name, *values = operation
    if name == "connect" and not manager.is_pre_connected(*values):
        return None
    if name == "leave_room" and values[0] == values[2]:
        # On stock a client can leave the room of its own id, and nobody reaches it any more.
        return None
    if name == "enter_room" and values[0] not in dict(manager.get_participants(values[1], None)):
        # Both raise, and stock has an empty room for ever.
        return None
    if (
        name == "enter_room"
        and values[2] in SIDS
        and values[2] not in dict(manager.get_participants(values[1], None))
    ):
        # A room of a client that is still to come. Ids of ours are told by their form, and no such room can be entered.
        return None
    if name == "pre_disconnect" and not manager.is_connected(*values):
        return None
    if name == "enter_room" and manager.eio_sid_from_sid(*values[:2]) is None:
        # Both raise; stock keeps a room without members after that, and with it the namespace.
        return None
    try:
        result = getattr(manager, name)(*values)
        return await result if asyncio.iscoroutine(result) else result
    except Exception as error:
        return type(error)


def facts(manager: socketio.AsyncManager) -> dict[str, object]:
    """Return all that can be asked of a manager."""
    pairs = list(itertools.product(SIDS, NAMESPACES))
    targets = [None, *ROOMS, *SIDS, ROOMS[:2]]
    return {
        "rooms": {pair: sorted(manager.get_rooms(*pair)) for pair in pairs},
        "connected": [pair for pair in pairs if manager.is_connected(*pair)],
        "members": {
            (namespace, str(room)): list(manager.get_participants(namespace, room))
            for namespace in NAMESPACES
            for room in targets
        },
        "namespaces": sorted(manager.get_namespaces()),
        "callbacks": sorted(manager.callbacks),
        "connecting": [pair for pair in pairs if manager.is_pre_connected(*pair)],
        "sent": sorted(manager.server.sent, key=repr),
    }


@pytest.mark.skipif(
    not hasattr(socketio.AsyncManager, "pre_connect"),
    reason="before 5.18, python-socketio's manager has no clients that are about to connect: there is nothing to compare with",
)
@given(st.lists(operations, max_size=40))
def test_whatever_happens_it_is_what_python_socketios_manager_says(operations):
    async def compare() -> None:
        ours, stock = Decided(), stock_manager()
        for operation in operations:
            assert await done(stock, operation) == await done(ours, operation)
            assert facts(stock) == facts(ours)

    asyncio.run(compare())


@given(st.lists(operations, max_size=40))
def test_when_all_have_left_nothing_is_remembered(operations):
    async def leave() -> None:
        ours = Decided()
        for operation in operations:
            await done(ours, operation)
        for namespace in NAMESPACES:
            for sid, _ in list(ours.get_participants(namespace, None)):
                await ours.disconnect(sid, namespace)
        assert ({}, {}) == (ours.rooms, ours.callbacks)
        assert {()} >= {connection.members for connection in ours.server.eio.sockets.values()}

    asyncio.run(leave())


async def test_an_emit_with_a_callback_goes_the_way_of_python_socketio():
    ours, stock = Decided(), stock_manager()
    for manager in (ours, stock):
        await manager.connect("eio0", "/")
        await manager.emit("event", ("a", 1), "/", "sid0", callback=print)
    assert [("eio0", '421["event","a",1]')] == ours.server.sent == stock.server.sent
    assert ["sid0"] == list(ours.callbacks)


async def test_an_event_is_encoded_once_however_many_receive_it():
    ours = Decided()
    for number in range(1_000):
        sid = await ours.connect(f"eio{number}", "/chat")
        ours.basic_enter_room(sid, "/chat", "red")
    await ours.emit("event", {"text": "hi"}, "/chat", "red")
    put = ours.server.eio.turn.put_here
    assert 1_000 == len({eio_sid for eio_sid, _ in put})
    assert 1 == len({id(frame) for _, frame in put})
    assert text_frame(b'42/chat,["event",{"text":"hi"}]') == put[0][1]


async def test_attachments_follow_their_event_at_every_receiver():
    ours = Decided()
    for client in CLIENTS:
        await ours.connect(client, "/")
    await ours.emit("event", b"bytes", "/")
    text = '451-["event",{"_placeholder":true,"num":0}]'
    assert [(client, packet) for client in CLIENTS for packet in (text, b"bytes")] == ours.server.sent


def calls(act: Callable[[], object]) -> int:
    """Return how many functions an action calls, Python's own included."""
    count = 0

    def note(_frame, event, _argument) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    # What the garbage collector finalizes in between is nothing that the action calls.
    gc.disable()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


async def crowded(other_rooms: int) -> tuple[Rooms, str]:
    """Return rooms that others fill, and a client that is in three of its own."""
    ours = Decided()
    for number in range(other_rooms):
        sid = await ours.connect(f"other{number}", "/")
        ours.basic_enter_room(sid, "/", f"room{number}")
        ours.basic_enter_room(sid, "/", "everyone")
    sid = await ours.connect("eio", "/")
    for room in ["everyone", *ROOMS[:2]]:
        ours.basic_enter_room(sid, "/", room)
    return ours, sid


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda ours, sid: ours.basic_enter_room(sid, "/", "green"), id="entering"),
        pytest.param(lambda ours, sid: ours.basic_leave_room(sid, "/", "red"), id="leaving"),
        pytest.param(lambda ours, sid: ours.get_rooms(sid, "/"), id="listing"),
        pytest.param(lambda ours, sid: ours.basic_disconnect(sid, "/"), id="disconnecting"),
    ],
)
async def test_what_one_client_does_costs_the_same_among_10_and_10_000_others(act):
    costs = []
    for other_rooms in (10, 10_000):
        ours, sid = await crowded(other_rooms)
        costs.append(calls(lambda ours=ours, sid=sid: act(ours, sid)))
    assert costs[0] == costs[1]
    assert costs[0] > 0
