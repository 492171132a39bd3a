"""Events that a gateway declares: how they are emitted, and what a declaration refuses."""

import msgspec
import pytest

from roomwire import App, Gateway, emits, subscribe
from roomwire.errors import ApplicationError


class Card(msgspec.Struct):
    id: str


class Board(Gateway):
    moved = emits("moved", Card)
    counted = emits("counted", int, str, required=1)
    reset = emits("reset")

    @subscribe("move")
    async def move(self, card: Card) -> None:
        await self.moved(card)
        await self.counted(1)
        await self.counted(2, "two", volatile=True)
        await self.reset(to="nobody")
        await self.reset()


async def test_a_declared_event_is_emitted_with_its_arguments_and_options(nodes):
    async with nodes(App(Board)) as cluster:
        ann = await cluster.connect("ann")
        await ann.call("move", {"id": "1"})

        assert {"id": "1"} == await ann.next("moved")
        assert 1 == await ann.next("counted")
        assert [2, "two"] == [*await ann.next("counted")]
        await ann.next("reset")
        assert ["moved", "counted", "counted", "reset"] == [event.name for event in ann.events]


@pytest.mark.parametrize("args", [(), (1, "one", 2)])
def test_another_number_of_arguments_is_a_mistake_of_the_program(args):
    with pytest.raises(TypeError, match=r"'counted' is declared with 1 to 2 arguments, and was given \d"):
        Board().counted(*args)


@pytest.mark.parametrize(("types", "required"), [((), 1), ((int,), -1), ((int,), 2)])
def test_only_arguments_that_an_event_has_can_be_required(types, required):
    with pytest.raises(ValueError, match="cannot be required"):
        emits("moved", *types, required=required)


def test_socket_ios_own_events_cannot_be_declared():
    with pytest.raises(ValueError, match=r"one of Socket.IO's own"):
        emits("connect")


def test_an_event_is_declared_once():
    class Twice(Board):
        again = emits("moved", str)

    with pytest.raises(ApplicationError, match=r"Twice: the event 'moved' is declared twice"):
        App(Twice)


def test_a_subclass_may_declare_it_anew():
    class Child(Board):
        moved = emits("moved", Card, str)

    App(Child)
    assert (Card, str) == Child.moved.types
