"""What the source of a class says of the events that it emits, and of a lifespan of the types that it provides."""

import contextlib
import functools

import contracted

from roomwire import Gateway, Reply, Socket, subscribe
from roomwire.app.contract import undeclared
from roomwire.app.contract.undeclared import emitted_by, provided_by


class Base(Gateway):
    async def begin(self) -> None:
        await self.emit("begun")


class Board(Base):
    async def on_connection(self, socket: Socket) -> None:
        await socket.emit("welcome", "you")
        await socket.broadcast("board", "joined", "you")
        await self.server.call("ready", to=socket.id)
        await self.server.emit(event="told")
        self.elsewhere.call("not of ours")

    @subscribe("look")
    async def look(self) -> Reply:
        return Reply("shown", 1)

    async def shout(self, event: str) -> None:
        await self.emit(event)


def test_the_names_that_stand_in_the_source_of_a_class_and_its_bases_are_found():
    found = emitted_by(Board)

    assert {"begun", "welcome", "joined", "ready", "told", "shown"} == found.events
    assert ({"Board.shout"}, set()) == (found.unnamed, found.unread)


def test_a_class_without_a_source_is_named():
    made = type("Made", (Gateway,), {})

    assert {"Made"} == emitted_by(made).unread


def test_the_types_that_a_lifespan_provides_by_name_are_found():
    class Local: ...

    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.provide(contracted.Database, 1)
        app.provide_per_call(Local, 2)
        app.provide(app.chosen, 3)
        yield

    assert {contracted.Database, Local} == provided_by(lifespan)


def test_a_lifespan_without_a_source_provides_nothing_that_is_known():
    assert set() == provided_by(functools.partial(print))
    assert set() == undeclared.provided_by(print)
