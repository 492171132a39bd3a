"""What an application declares, without a process: its gateways are bound, and nothing else happens."""

import contextlib
from collections.abc import AsyncIterator

import pytest
import socketio

from roomwire import App, Gateway, Server, Socket, subscribe
from roomwire.errors import ApplicationError


class Database:
    """Something that gateways need."""


class Board(Gateway):
    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database

    async def on_connection(self, socket: Socket) -> None: ...

    @subscribe("move")
    async def move(self, card: str) -> str:
        return card

    @subscribe("add")
    async def add(self, card: str) -> str:
        return card


class Chat(Gateway, namespace="/chat"):
    @subscribe("say")
    async def say(self, text: str) -> None: ...


class Den(Gateway):
    """Of the same namespace as `Board`."""


def test_classes_are_bound_without_being_made():
    assert {"/": ["add", "move"], "/chat": ["say"]} == App(Board, Chat).bind()


def test_an_instance_is_bound_as_its_class_is():
    assert {"/other": ["say"]} == App(Chat("/other")).bind()


def test_a_class_passes_its_namespace_on_and_an_instance_may_have_another():
    class Quiet(Chat): ...

    assert ("/chat", "/chat", "/x") == (Quiet.class_namespace, Quiet().namespace, Quiet("/x").namespace)


@pytest.mark.parametrize(
    ("gateways", "sentence"),
    [
        pytest.param((Board, Den), "bind: the namespace '/' is served by Board and by Den", id="classes"),
        pytest.param((Board, Board), "bind: the namespace '/' is served by Board and by Board", id="twice"),
        pytest.param(
            (Chat, Den("/chat")), "bind: the namespace '/chat' is served by Chat and by Den", id="instance"
        ),
        pytest.param(
            (dict,),
            "bind: an App takes gateways, as classes or instances: <class 'dict'> is neither",
            id="no gateway",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_when_the_app_is_made(gateways, sentence):
    with pytest.raises(ApplicationError) as refused:
        App(*gateways)

    assert sentence == str(refused.value)


def test_a_handler_that_cannot_be_bound_is_refused_when_the_app_is_made():
    class Loose(Gateway):
        @subscribe("move")
        async def move(self, card): ...

    with pytest.raises(ApplicationError) as refused:
        App(Loose)

    assert str(refused.value).endswith(
        "Loose.move: parameter 'card' has no annotation, so nothing can be bound to it"
    )
    assert str(refused.value).startswith("bind: ")


def test_a_hook_that_cannot_be_bound_is_refused_when_the_app_is_made():
    class Loose(Gateway):
        async def on_connection(self, socket): ...

    with pytest.raises(ApplicationError, match="parameter 'socket' has no annotation"):
        App(Loose)


def test_an_event_with_two_handlers_is_refused_when_the_app_is_made():
    class Two(Gateway):
        @subscribe("move")
        async def one(self) -> None: ...

        @subscribe("move")
        async def other(self) -> None: ...

    with pytest.raises(ApplicationError) as refused:
        App(Two)

    assert "bind: Two: the event 'move' has two handlers" == str(refused.value)


def test_a_lifespan_without_its_decorator_is_refused_when_the_app_is_made():
    async def lifespan(app: App) -> AsyncIterator[None]:
        yield

    with pytest.raises(ApplicationError) as refused:
        App(lifespan=lifespan)

    assert (
        "bind: the lifespan lifespan is not an async context manager: decorate it with @contextlib.asynccontextmanager"
        == str(refused.value)
    )


def test_binding_runs_no_property_and_no_constructor():
    class Careful(Gateway):
        def __init__(self, database: Database) -> None:
            raise AssertionError("a constructor ran")

        @property
        def ready(self) -> bool:
            raise AssertionError("a property ran")

        @subscribe("move")
        async def move(self) -> None: ...

    assert {"/": ["move"]} == App(Careful).bind()


def test_a_lifespan_is_not_run_when_the_app_is_made():
    @contextlib.asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        raise AssertionError("the lifespan ran")
        yield

    assert {"/": ["add", "move"]} == App(Board, lifespan=lifespan).bind()


def test_functions_of_a_server_are_what_is_subscribed_to():
    server = Server()
    server.on("connect", lambda sid, environ: None)
    server.on("move", lambda sid, card: None)

    class Stock(socketio.AsyncNamespace): ...

    server.register_namespace(Stock("/stock"))
    server.register_namespace(Chat())

    assert {"/": ["move"], "/stock": [], "/chat": ["say"]} == App(server=server).bind()


def test_a_namespace_of_a_gateway_and_of_functions_is_refused():
    server = Server()
    server.on("move", lambda sid, card: None)

    with pytest.raises(ApplicationError) as refused:
        App(Board, server=server)

    assert "bind: the namespace '/' is served by Board and by functions of the server" == str(refused.value)


def test_what_one_run_provides_is_not_the_declarations():
    app = App(Board)
    app.provide(Database, Database())
    one, other = app.running(), app.running()
    mine = Database()
    one.provide(Database, mine)

    assert mine is one.get(Database)
    assert other.get(Database) is app.get(Database)


def test_what_is_not_provided_is_a_lookup_error():
    with pytest.raises(LookupError, match="no Database is provided"):
        App(Board).get(Database)


def test_nothing_is_provided_by_a_type_that_says_nothing():
    with pytest.raises(ApplicationError, match="str is too general to identify what is provided"):
        App(Board).provide(str, "secret")


@pytest.mark.parametrize(
    ("add", "sentence"),
    [
        pytest.param(
            lambda app: app.running().add(Chat()),
            "lifespan: Chat is added, but App(...) does not list it",
            id="not named",
        ),
        pytest.param(
            lambda app: app.add(Board(Database())),
            "lifespan: Board is added outside of a lifespan: add it to the app that the lifespan gets",
            id="outside",
        ),
    ],
)
def test_a_gateway_is_added_in_the_lifespan_and_named_before(add, sentence):
    with pytest.raises(ApplicationError) as refused:
        add(App(Board))

    assert sentence == str(refused.value)
