"""Which changes of an application break the clients of its earlier release: two applications each, written side by side."""

from typing import Annotated, Literal

import msgspec
import pytest

from roomwire import App, Gateway, Key, Server, emits, subscribe
from roomwire.app.contract.comparison import changes
from roomwire.app.contract.document import document_of
from roomwire.app.contract.reading import read
from roomwire.app.contract.surface import surface_of


class Card(msgspec.Struct):
    id: str
    column: Literal["to do", "done"]


class CardToday(msgspec.Struct, rename={"CardToday": "Card"}):
    id: str
    column: Literal["to do", "done", "late"]
    size: int = 1


class Options(msgspec.Struct):
    color: str = ""


class RequiredOptions(msgspec.Struct):
    color: str


def is_member(call) -> bool:
    return True


class Before(Gateway):
    moved = emits("moved", Card)
    counted = emits("counted", int)

    async def on_connection(self, options: Options) -> None: ...

    @subscribe("move")
    async def move(self, card: Card, times: int = 1) -> Card: ...

    @subscribe("rename")
    async def rename(self, title: Annotated[str, msgspec.Meta(max_length=100)]) -> None: ...

    @subscribe("find")
    async def find(self, card_id: Annotated[str, Key("cardId")]) -> Card | None: ...


def contract(*gateways, auth_mode="optional", **options):
    return read(document_of(surface_of(App(*gateways, **options)), auth_mode=auth_mode))


def found(after, before=Before, **options):
    return [
        ("breaks" if each.breaks else "adds", each.text)
        for each in changes(contract(before), contract(after, **options))
    ]


def test_nothing_has_changed_where_nothing_has_changed():
    assert [] == found(Before)


def test_an_event_that_is_gone_breaks_whichever_way_it_went():
    class After(Before):
        moved = None
        find = None

    assert [
        ("breaks", "/ find: clients can send it no more"),
        ("breaks", "/ moved: it is emitted no more"),
    ] == found(After)


def test_what_is_new_breaks_nothing():
    class After(Before):
        added = emits("added", Card)

        @subscribe("add")
        async def add(self, card: Card) -> None: ...

    assert [
        ("adds", "/ add: clients can send it now"),
        ("adds", "/ added: it is emitted now"),
    ] == found(After)


def test_a_namespace_that_is_gone_breaks_and_one_that_is_new_does_not():
    class Other(Gateway, namespace="/other"): ...

    assert [
        ("breaks", "/: the namespace is gone"),
        ("adds", "/other: the namespace is new"),
    ] == found(Other)


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("card: CardToday, times: int = 1", [("adds", "/ move: more is taken as argument")]),
        ("card: Card, times: float = 1", [("adds", "/ move: more is taken as argument")]),
        ("card: Card, times: int = 1, note: str = ''", [("adds", "/ move: more is taken as argument")]),
        (
            "card: Card, times: str = ''",
            [("breaks", "/ move: argument times was number, and has to be string now")],
        ),
        (
            "card: Card, times: int",
            [("breaks", "/ move: it needs at least 2 arguments now, and there were at least 1 argument")],
        ),
        (
            "card: Card",
            [("breaks", "/ move: it takes at most 1 argument now, and there were at most 2 arguments")],
        ),
        (
            "card: Annotated[Longer, 1], times: int = 1",
            [("breaks", "/ move: argument card.note is required now")],
        ),
        (
            "card: Annotated[Shorter, 1], times: int = 1",
            [("breaks", "/ move: argument card.column is taken no more")],
        ),
        (
            "card: Annotated[Narrower, 1], times: int = 1",
            [("breaks", '/ move: argument card.column cannot be "done" any more')],
        ),
    ],
)
def test_what_a_client_sends_has_to_be_taken_as_before(handler, expected):
    class Longer(Card):
        note: str

    class Shorter(msgspec.Struct):
        id: str

    class Narrower(msgspec.Struct):
        id: str
        column: Literal["to do"]

    names = {**globals(), "Longer": Longer, "Shorter": Shorter, "Narrower": Narrower}
    exec(f"async def move(self, {handler}) -> Card: ...", names)
    After = type("After", (Before,), {"move": subscribe("move")(names["move"])})  # noqa: N806 - a class

    assert expected == found(After)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            Card | None,
            [("breaks", "/ move: there may be at least 0 acks now, and there were at least 1 ack")],
        ),
        (
            CardToday,
            [("breaks", '/ move: ack.column may be "late" now')],
        ),
        (str, [("breaks", "/ move: ack was Card, and may be string now")]),
        (
            tuple[Card, int],
            [("breaks", "/ move: there may be at most 2 acks now, and there were at most 1 ack")],
        ),
        (object, [("breaks", "/ move: ack was Card, and may be unknown now")]),
    ],
)
def test_an_ack_is_of_the_types_that_clients_know(answer, expected):
    async def move(self, card: Card, times: int = 1): ...

    move.__annotations__["return"] = answer
    After = type("After", (Before,), {"move": subscribe("move")(move)})  # noqa: N806 - a class

    assert {*expected} <= {*found(After)}


def test_an_ack_that_answers_less_breaks_nothing():
    class After(Before):
        @subscribe("find")
        async def find(self, card_id: Annotated[str, Key("cardId")]) -> Card: ...

    assert [("adds", "/ find: the ack changed, and fits the earlier types")] == found(After)


def test_an_emitted_event_has_the_types_that_clients_know():
    class After(Before):
        moved = emits("moved", CardToday)
        counted = emits("counted", int, str)

    assert [
        (
            "breaks",
            "/ counted (emitted): there may be at most 2 arguments now, and there were at most 1 argument",
        ),
        ("breaks", '/ moved (emitted): argument cardToday.column may be "late" now'),
    ] == found(After)


def test_a_connection_that_asks_for_more_breaks():
    class After(Before):
        guards = (is_member,)

        async def on_connection(self, options: RequiredOptions) -> None: ...

    assert [
        ("breaks", "/ connect: auth.color is required now"),
        ("breaks", "/ connect: the guard is_member may refuse it now"),
        ("breaks", "/ find: the guard is_member may refuse it now"),
        ("breaks", "/ move: the guard is_member may refuse it now"),
        ("breaks", "/ rename: the guard is_member may refuse it now"),
    ] == found(After)


def test_a_token_that_is_required_breaks_and_one_that_is_not_any_more_does_not():
    assert [("breaks", "/ connect: the token was optional, and is required")] == found(
        Before, auth_mode="required"
    )
    assert [("adds", "/ connect: the token was optional, and is off")] == found(Before, auth_mode="off")


def test_what_else_decides_about_handshakes_may_refuse_them():
    async def known(handshake): ...

    (change,) = found(Before, authenticate=known)

    assert ("breaks", True) == (change[0], change[1].endswith("known may refuse it now"))


def test_of_an_event_whose_types_nobody_declares_any_more_nothing_is_promised():
    class After(Before):
        counted = None

        async def count(self) -> None:
            await self.emit("counted", "many")

    assert [
        (
            "breaks",
            "/ counted (emitted): there may be any number of arguments now, and there were at least 1 argument",
        ),
        (
            "breaks",
            "/ counted (emitted): there may be any number of arguments now, and there were at most 1 argument",
        ),
        ("breaks", "/ counted (emitted): argument argument1 was number, and may be unknown now"),
    ] == found(After)
    assert [("adds", "/ counted (emitted): the argument changed, and fits the earlier types")] == found(
        Before, before=After
    )


def test_the_events_of_functions_may_come_and_go_as_well():
    sio = Server()

    @sio.on("shout", namespace="/functions")
    async def shout(sid, text): ...

    assert ("adds", "/functions: the namespace is new") in found(Before, server=sio)


def named(plans, pattern="/{plan}-{tenant}"):
    class Tenant(Gateway, namespace=pattern):
        @subscribe("ask")
        async def ask(self, plan: plans, question: str) -> str: ...

    return Tenant


def test_a_pattern_that_allows_fewer_names_breaks_clients():
    two, three = Literal["free", "paid"], Literal["free", "paid", "old"]

    assert [] == found(named(two), named(two))
    assert [("breaks", "/{plan}-{tenant} connect: the parameter plan cannot be old any more")] == found(
        named(two), named(three)
    )
    assert [("adds", "/{plan}-{tenant} connect: the parameter plan may be more now")] == found(
        named(three), named(two)
    )
    assert [("adds", "/{plan}-{tenant} connect: the parameter plan may be more now")] == found(
        named(str), named(two)
    )
    assert [
        ("breaks", "/{plan}-{tenant} connect: the parameter plan has to be one of free, paid now")
    ] == found(named(two), named(str))
