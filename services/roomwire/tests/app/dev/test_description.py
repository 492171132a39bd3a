"""What the console lists of an application: events with their types, and what to begin with."""

import json
from typing import Annotated, Literal

import msgspec
import pytest

from roomwire import App, Gateway, Key, Server, Socket, subscribe
from roomwire.app.dev.description import describe
from roomwire.gateways.chain import Ack, Around, Reply
from roomwire.identity.tokens import User


class Tag(msgspec.Struct):
    text: str
    inner: "list[Tag]" = []


class Card(msgspec.Struct):
    id: str
    column: Literal["todo", "done"]
    size: int = 3
    owner: str | None = None


class Board(Gateway, namespace="/board"):
    @subscribe("move")
    async def move(self, socket: Socket, card: Card, user: User, times: int = 1) -> Card: ...

    @subscribe("join")
    async def join(
        self, room: Annotated[str, Key("roomId")], note: Annotated[str, Key("note")] = ""
    ) -> None: ...

    @subscribe("several")
    async def several(self, pair: tuple[int, str], counts: dict[str, float], anything: object): ...

    @subscribe("tagged")
    async def tagged(self, tag: Tag, kinds: list[int | str], strange: type | None = None) -> bool: ...

    @subscribe("ping")
    async def ping(self) -> str: ...


def events_of(app):
    server = app.server or Server()
    for gateway in app.gateways:
        server.register_namespace(gateway)
    (namespace,) = describe(app, server).namespaces
    return namespace.name, {event.name: event for event in namespace.events}


@pytest.mark.parametrize(
    ("name", "takes", "answer", "example"),
    [
        (
            "move",
            [
                'card: { id: string; column: "done" | "todo"; size?: number; owner?: string | null }',
                "times?: number",
            ],
            '{ id: string; column: "done" | "todo"; size?: number; owner?: string | null }',
            [{"id": "", "column": "done"}],
        ),
        ("join", ["body: { roomId: string; note?: string }"], "null", [{"roomId": ""}]),
        (
            "several",
            ["pair: [number, string]", "counts: { [key: string]: number }", "anything: unknown"],
            "unknown",
            [[0, ""], {}, None],
        ),
        ("ping", [], "string", []),
    ],
)
def test_an_event_has_the_types_of_its_handler_and_an_example_that_fits(name, takes, answer, example):
    namespace, events = events_of(App(Board()))
    event = events[name]

    assert "/board" == namespace
    assert takes == [f"{each.name}{'' if each.is_required else '?'}: {each.type}" for each in event.arguments]
    assert (answer, example) == (event.answer, json.loads(event.example))


def test_a_type_that_holds_itself_ends_and_one_that_no_schema_knows_is_unknown():
    _, events = events_of(App(Board()))
    tag, kinds, strange = events["tagged"].arguments

    assert tag.type.startswith("{ text: string; inner?: { text: string; inner?: ")
    assert "unknown" in tag.type
    assert ("(number | string)[]", "unknown") == (kinds.type, strange.type)
    assert [{"text": ""}, []] == json.loads(events["tagged"].example)


def test_of_functions_of_a_server_the_names_are_known_and_no_types():
    sio = Server()

    @sio.event
    async def connect(sid, environ): ...

    @sio.on("shout", namespace="/")
    async def shout(sid, text): ...

    _, events = events_of(App(server=sio, name="plain"))

    assert ["shout"] == [*events]
    assert (None, "[]") == (events["shout"].arguments, events["shout"].example)


def test_a_gateway_that_the_server_has_is_described_as_well():
    class Chat(Gateway):
        @subscribe("say")
        async def say(self, text: str) -> None: ...

    sio = Server()
    sio.register_namespace(Chat("/chat"))

    name, events = events_of(App(server=sio))

    assert ("/chat", "text") == (name, events["say"].arguments[0].name)


def test_what_the_application_provides_is_no_argument_of_an_event():
    class Database: ...

    class Shop(Gateway):
        @subscribe("buy")
        async def buy(self, item: str, database: Database) -> None: ...

    shop = Shop()
    shop.surround(Around(), {Database: Database()})

    _, events = events_of(App(shop))

    assert ["item"] == [each.name for each in events["buy"].arguments]


def test_of_an_ack_that_no_return_value_is_the_type_is_unknown():
    class Shop(Gateway):
        @subscribe("buy")
        async def buy(self, item: str, ack: Ack) -> int: ...

        @subscribe("look")
        async def look(self) -> Reply: ...

    _, events = events_of(App(Shop()))

    assert ["unknown", "unknown"] == [events[name].answer for name in ("buy", "look")]
    assert ["item"] == [each.name for each in events["buy"].arguments]
