"""What is read of an application, and what is said not to be known of it."""

import contextlib
import enum
import re
from collections.abc import AsyncIterator
from typing import Literal

import contracted
import msgspec
import pytest

from roomwire import App, Gateway, Server, Socket, emits, subscribe
from roomwire.app.contract.surface import NOTHING, Answer, answers_of, surface_of
from roomwire.errors import ClientError, RateLimited
from roomwire.gateways.chain import Filter, Reply

FUNCTIONS = (
    "/functions: its events are handled by functions of the server, or by a class that is no Gateway: the types of those "
    "that are listed, and whichever others it has, are not known."
)


class Card(msgspec.Struct):
    id: str


class Settings(msgspec.Struct):
    debug: bool


def only(app):
    (namespace,) = surface_of(app).namespaces
    return namespace


def test_what_cannot_be_known_is_said():
    assert [
        "/ save: what the interceptor timed may answer in place of the handler is not known.",
        "/ save: the handler sends its ack itself: what is in it is not known.",
        "/ shown: it is emitted, and not declared by `emits`.",
        "/ welcome: it is emitted, and not declared by `emits`.",
        "/: Board.shout emits an event whose name is worked out as it runs.",
        FUNCTIONS,
    ] == surface_of(contracted.app).not_known


def test_namespaces_and_events_have_the_order_of_their_names():
    surface = surface_of(contracted.app)

    assert ["/", "/functions", "/plain"] == [each.name for each in surface.namespaces]
    board = surface.namespaces[0]
    assert sorted(each.event for each in board.incoming) == [each.event for each in board.incoming]
    assert sorted(each.event for each in board.outgoing) == [each.event for each in board.outgoing]


def test_what_only_the_application_can_provide_is_no_argument():
    board = surface_of(contracted.app).namespaces[0]
    (move,) = [each for each in board.incoming if each.event == "move"]

    assert ["card", "times"] == [each.name for each in move.arguments]
    assert ["is_member"] == [*move.guards]


def test_a_type_that_the_lifespan_provides_is_no_argument_though_a_client_could_send_it():
    class Shop(Gateway):
        @subscribe("buy")
        async def buy(self, item: str, settings: Settings) -> None: ...

    @contextlib.asynccontextmanager
    async def lifespan(app):
        raise AssertionError("the lifespan ran")
        app.provide(Settings, Settings(debug=True))
        yield

    taken = [
        [each.name for each in only(App(Shop, lifespan=one)).incoming[0].arguments]
        for one in (lifespan, None)
    ]

    assert [["item"], ["item", "settings"]] == taken
    (sentence,) = surface_of(App(Shop, lifespan=lifespan)).not_known
    assert sentence.startswith("The lifespan was not run")


@pytest.mark.parametrize(
    ("hint", "answers"),
    [
        (None.__class__, [NOTHING]),
        (Card, [Answer((Card,))]),
        (Card | None, [Answer((Card,)), NOTHING]),
        (int | str, [Answer((int | str,))]),
        (tuple[int, str], [Answer((int, str))]),
        (tuple[int, ...], [Answer((int,), is_repeated=True)]),
        (tuple[int, str] | Card, [Answer((Card,)), Answer((int, str))]),
        (Reply, [NOTHING]),
        (Card | Reply, [Answer((Card,)), NOTHING]),
    ],
    ids=str,
)
def test_a_return_type_says_the_arguments_of_the_ack(hint, answers):
    assert answers == answers_of(hint)


def test_types_that_are_not_known_are_said():
    class Odd(Gateway):
        strange = emits("strange", type)

        @subscribe("say")
        async def say(self, text: str): ...

        @subscribe("give")
        async def give(self, one: type | None) -> type: ...

    assert [
        "/ give: the type of its ack is not known.",
        "/ give: the values of 'one' are not known.",
        "/ say: the type of its ack is not known.",
        "/ strange: the values of 'argument1', which is emitted, are not known.",
    ] == sorted(surface_of(App(Odd)).not_known)


def test_a_filter_may_answer_instead_of_the_handler():
    def forgive(error: Exception, call) -> ClientError | None:
        return None

    class Mild(Gateway):
        filters = (Filter(Exception, forgive),)

        @subscribe("say")
        async def say(self, text: str) -> None: ...

    (sentence,) = surface_of(App(Mild)).not_known

    assert sentence.startswith("/ say: what the filter ")


def test_the_parts_that_a_class_switches_on_emit_their_events():
    class Rooms(Gateway, presence_event="presence", typing_event="typing"): ...

    class Own(Rooms):
        @subscribe("typing")
        async def typing(self, socket: Socket, room: str) -> None:
            await self.tell_typing(socket, room, {"mine": room})

    class Declared(Own):
        told = emits("typing", Card)

    assert ["presence", "typing"] == [each.event for each in only(App(Rooms)).outgoing]
    assert [None] == [each.arguments for each in only(App(Own)).outgoing if each.event == "typing"]
    assert ["/ typing: what it tells of typing is not declared."] == surface_of(App(Own)).not_known
    assert [] == surface_of(App(Declared)).not_known


def test_a_gateway_that_is_an_instance_is_read_in_its_own_namespace():
    class Chat(Gateway):
        @subscribe("say")
        async def say(self, text: str) -> None: ...

    assert "/chat" == only(App(Chat("/chat"))).name


def test_the_codes_are_those_that_the_program_has():
    class Sold(RateLimited):
        code = "sold_out"

    assert {"sold_out", "forbidden", "internal"} < {*surface_of(contracted.app).codes}


def test_a_stream_of_replies_emits_its_event_and_ends_with_its_ack():
    class Stream(Gateway):
        @subscribe("cards")
        async def cards(self) -> AsyncIterator[Card]:
            yield Card("1")

        @subscribe("named")
        async def named(self) -> AsyncIterator[Reply]:
            yield Reply("shown", 1)

        @subscribe("several")
        async def several(self) -> AsyncIterator[tuple[int, str]]:
            yield 1, "one"

    surface = surface_of(App(Stream))
    (namespace,) = surface.namespaces

    assert [[Answer((Literal["done"],))]] * 3 == [each.answers for each in namespace.incoming]
    assert {"cards": Card, "several": None, "shown": None} == {
        each.event: each.arguments[0].type if each.arguments else None for each in namespace.outgoing
    }
    assert [
        "/ several: the types of its replies are not known.",
        "/ shown: it is emitted, and not declared by `emits`.",
    ] == surface.not_known


class Plan(enum.Enum):
    FREE = "free"
    PAID = "paid"


class Tenant(Gateway, namespace="/{plan}-{tenant}"):
    async def on_connection(self, plan: Plan) -> None: ...

    @subscribe("ask")
    async def ask(self, plan: Literal["paid", "old"], question: str, tenant: int) -> str: ...


def test_a_pattern_is_a_namespace_whose_parameters_are_no_arguments():
    namespace = only(App(Tenant))

    assert "/{plan}-{tenant}" == namespace.name
    assert {"plan": ["paid"], "tenant": ()} == namespace.parameters
    assert ["question"] == [each.name for each in namespace.incoming[0].arguments]
    assert [] == namespace.connection.arguments


def test_an_instance_and_functions_of_a_pattern_are_known_as_well():
    class Named(Gateway):
        @subscribe("ask")
        async def ask(self, board: str, question: str) -> str: ...

    server = Server()
    server.of("/tenant-{tenant}").on("ask", lambda _sid: None)
    server.of(re.compile(r"^/[0-9]{2}$")).on("ask", lambda _sid: None)
    by_name = {each.name: each for each in surface_of(App(Named("/board-{board}"), server=server)).namespaces}

    assert {"board": ()} == by_name["/board-{board}"].parameters
    assert ["question"] == [each.name for each in by_name["/board-{board}"].incoming[0].arguments]
    assert {"tenant": ()} == by_name["/tenant-{tenant}"].parameters
    assert ["ask"] == [each.event for each in by_name["/tenant-{tenant}"].incoming]
    assert {} == by_name["^/[0-9]{2}$"].parameters
