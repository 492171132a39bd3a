"""What runs around a call: in which order, for whom, and what each part may do."""

import asyncio
import contextlib
import dataclasses
from typing import Annotated

import msgspec
import pytest

from roomwire import (
    Ack,
    App,
    Call,
    Filter,
    Gateway,
    Key,
    Pipe,
    Proceed,
    Reply,
    Server,
    Socket,
    mark,
    subscribe,
)
from roomwire.app.running import Running
from roomwire.errors import (
    ApplicationError,
    ClientError,
    ConfigurationError,
    Forbidden,
    NotFound,
    TooLarge,
    Unavailable,
)
from roomwire.testing import Refused

STEPS: list[object] = []
"""What has run, in order."""


@pytest.fixture(autouse=True)
def no_steps():
    STEPS.clear()


@dataclasses.dataclass(frozen=True)
class Needs:
    """A mark."""

    role: str


class Card(msgspec.Struct):
    id: str


class Cards(dict[str, Card]):
    """A database."""


class Session:
    """What lives as long as a call."""


class Broken(Exception):
    """An error of the application's own."""


def guard(name):
    def asked(call: Call) -> bool:
        STEPS.append(f"{name} guard of {call.event}")
        assert {} == call.arguments
        return True

    return asked


def interceptor(name):
    async def around(call: Call, proceed: Proceed) -> object:
        STEPS.append(f"{name} before {sorted(call.arguments)}")
        result = await proceed()
        STEPS.append(f"{name} after {result}")
        return result

    return around


async def refusing(call: Call) -> bool:
    return False


def forgetful(call: Call) -> bool:
    """Forget to answer."""


def explaining(call: Call) -> bool:
    raise TooLarge("The board is full.")


def broken(call: Call) -> bool:
    raise Broken


async def load(card_id: str, cards: Cards) -> Card:
    STEPS.append(f"load {card_id}")
    if card_id not in cards:
        raise NotFound(f"There is no card {card_id}.")
    return cards[card_id]


def shout(card: Card, call: Call) -> Card:
    return Card(f"{card.id}!{call.event}")


class Board(Gateway):
    guards = (guard("gateway"),)
    interceptors = (interceptor("gateway"),)

    async def on_connection(self, socket: Socket) -> None:
        STEPS.append(f"connected, recovered: {socket.recovered}")

    @subscribe("move", guards=[guard("handler")], interceptors=[interceptor("handler")])
    async def move(self, card: Annotated[str, msgspec.Meta(max_length=4)]) -> str:
        STEPS.append(f"move {card}")
        return card


async def test_the_order_is_the_application_the_gateway_the_handler_and_guards_come_before_the_body(nodes):
    app = App(Board, guards=[guard("app")], interceptors=[interceptor("app")])
    async with nodes(app) as cluster:
        client = await cluster.connect()
        STEPS.clear()

        assert "a" == await client.call("move", "a")
        assert STEPS == [
            "app guard of move",
            "gateway guard of move",
            "handler guard of move",
            "app before ['card']",
            "gateway before ['card']",
            "handler before ['card']",
            "move a",
            "handler after a",
            "gateway after a",
            "app after a",
        ]
        STEPS.clear()
        with pytest.raises(Refused, match="invalid_body"):
            await client.call("move", "too long")
        assert STEPS == ["app guard of move", "gateway guard of move", "handler guard of move"]


async def test_a_connection_and_a_recovered_one_pass_the_guards_and_interceptors_too(nodes):
    async with nodes(App(Board, guards=[guard("app")])) as cluster:
        client = await cluster.connect()
        first = [*STEPS]
        STEPS.clear()
        client.cut()
        await client.back()

        assert client.recovered
        connected = ["app guard of connect", "gateway guard of connect", "gateway before ['socket']"]
        assert first == [*connected, "connected, recovered: False", "gateway after None"]
        assert STEPS == [*connected, "connected, recovered: True", "gateway after None"]


async def test_a_gateway_without_a_connection_hook_is_guarded_all_the_same(nodes):
    class Closed(Gateway):
        guards = (refusing,)

    async with nodes(Closed) as cluster:
        with pytest.raises(Refused, match="forbidden"):
            await cluster.connect()
        assert {} == cluster.nodes[0].server.manager.rooms


async def test_a_session_is_not_recovered_for_a_user_whom_a_guard_now_refuses(nodes):
    banned = set()

    def is_welcome(call: Call) -> bool:
        return call.user.id not in banned

    class Bare(Gateway):
        guards = (is_welcome,)

    async with nodes(Bare) as cluster:
        client = await cluster.connect(user="ann")
        client.cut()
        banned.add("ann")
        with pytest.raises(Refused, match="forbidden"):
            await client.back()


@pytest.mark.parametrize(
    ("asked", "code"),
    [(refusing, "forbidden"), (forgetful, "forbidden"), (explaining, "too_large")],
    ids=["False", "None", "an error"],
)
async def test_a_guard_refuses_an_event_and_nothing_after_it_runs(nodes, asked, code):
    class Guarded(Gateway):
        interceptors = (interceptor("gateway"),)

        @subscribe("go", guards=[asked])
        def go(self) -> None:
            STEPS.append("gone")

        @subscribe("other")
        def other(self) -> str:
            return "fine"

    async with nodes(Guarded) as cluster:
        client = await cluster.connect()
        STEPS.clear()
        with pytest.raises(Refused, match=code):
            await client.call("go")
        assert [] == STEPS
        assert "fine" == await client.call("other")


async def test_an_interceptor_answers_instead_of_the_handler(nodes):
    async def cached(call: Call, proceed: Proceed) -> object:
        return f"kept {call.arguments['name']}"

    class Slow(Gateway):
        @subscribe("report", interceptors=[cached])
        async def report(self, name: str) -> str:
            raise AssertionError("it is not reached")

    async with nodes(Slow) as cluster:
        client = await cluster.connect()
        assert "kept march" == await client.call("report", "march")


async def test_an_interceptor_ends_a_handler_that_takes_too_long(nodes):
    async def limited(call: Call, proceed: Proceed) -> object:
        try:
            async with asyncio.timeout(5):
                return await proceed()
        except TimeoutError:
            raise Unavailable("It takes too long.") from None

    class Slow(Gateway):
        @subscribe("report", interceptors=[limited])
        async def report(self, takes_s: float) -> str:
            await self.server.sleep(takes_s)
            return "done"

    async with nodes(Slow) as cluster:
        client = await cluster.connect()
        client.emit("report", 60)
        await cluster.advance(5)
        assert "It takes too long." == (await client.next("exception"))["message"]
        assert "done" == await client.call("report", 0)


async def test_the_nearest_filter_answers_and_an_exception_without_one_stays_internal(nodes):
    def conflict(error: Broken, call: Call) -> ClientError | None:
        return TooLarge(f"{call.event} is broken.")

    class Fragile(Gateway):
        filters = (Filter(Broken, conflict),)

        def fail(self) -> None:
            raise Broken

        @subscribe("near", filters=[Filter(Exception, lambda error, call: NotFound("Nearer."))])
        def near(self) -> None:
            self.fail()

        @subscribe("far")
        async def far(self) -> None:
            self.fail()

        @subscribe("guarded", guards=[broken])
        async def guarded(self) -> None: ...

        @subscribe("silent", filters=[Filter(Broken, lambda error, call: None)])
        async def silent(self) -> str:
            self.fail()
            return "never"

        @subscribe("unknown")
        async def unknown(self) -> None:
            raise KeyError("the secret inside")

        @subscribe("body", filters=[Filter(ClientError, lambda error, call: TooLarge(f"Not {error.code}."))])
        async def body(self, number: int) -> None: ...

    async with nodes(Fragile) as cluster:
        client = await cluster.connect()
        for event, said in [
            ("near", "Nearer."),
            ("far", "far is broken."),
            ("guarded", "guarded is broken."),
        ]:
            with pytest.raises(Refused) as refused:
                await client.call(event)
            assert said == refused.value.message
        assert None is await client.call("silent")
        with pytest.raises(Refused, match="invalid_body"):
            await client.call("body", "one")
        async with cluster.expects(KeyError):
            with pytest.raises(Refused, match="internal") as refused:
                await client.call("unknown")
        assert "secret" not in str(refused.value)


async def test_a_silent_filter_lets_nobody_in_whom_a_guard_refuses(nodes):
    class Quiet(Gateway):
        guards = (refusing,)
        filters = (Filter(Exception, lambda error, call: None),)

    class Greeting(Gateway):
        filters = (Filter(Broken, lambda error, call: None),)

        async def on_connection(self) -> None:
            raise Broken

    async with nodes(Quiet) as cluster:
        with pytest.raises(Refused, match="forbidden"):
            await cluster.connect()
    async with nodes(Greeting) as cluster:
        assert (await cluster.connect()).sid


async def test_marks_of_a_handler_are_nearer_than_those_of_its_class_and_of_the_class_above(nodes):
    seen = []

    def reads(call: Call) -> bool:
        seen.append((call.event, call.mark(Needs), call.mark(str), call.mark(int)))
        return True

    @mark("base", 1)
    class Base(Gateway):
        guards = (reads,)

        @subscribe("plain")
        def plain(self) -> None: ...

    @mark("derived")
    class Derived(Base):
        @subscribe("special")
        @mark(Needs("editor"))
        def special(self) -> None: ...

    async with nodes(Derived) as cluster:
        client = await cluster.connect()
        await client.call("plain")
        await client.call("special")
    assert seen == [
        ("connect", None, "derived", 1),
        ("plain", None, "derived", 1),
        ("special", Needs("editor"), "derived", 1),
    ]
    assert "base" == Base.__roomwire_marks__[0]


async def test_a_decorator_of_the_applications_own_is_several_together(nodes):
    def has_role(call: Call) -> bool:
        STEPS.append(call.marks)
        return call.mark(Needs) == Needs("admin")

    def only_for(role, event):
        def put(handler):
            return subscribe(event, guards=[has_role])(mark(Needs(role))(handler))

        return put

    @mark("of the class")
    class Doors(Gateway):
        @only_for("admin", "enter")
        @mark("nearer")
        def enter(self) -> str:
            return "open"

        @only_for("owner", "sell")
        def sell(self) -> None: ...

    async with nodes(Doors) as cluster:
        client = await cluster.connect()
        assert "open" == await client.call("enter")
        with pytest.raises(Refused, match="forbidden"):
            await client.call("sell")
    assert [(Needs("admin"), "nearer", "of the class"), (Needs("owner"), "of the class")] == STEPS


async def test_a_pipe_is_made_with_data(nodes):
    def at_most(length):
        def cut(text: str) -> str:
            return text[:length]

        return Pipe(cut)

    class Notes(Gateway):
        @subscribe("note")
        def note(
            self,
            title: Annotated[str, Key("title"), at_most(3)],
            text: Annotated[str, Key("text"), at_most(5)],
        ) -> str:
            return f"{title}: {text}"

    async with nodes(Notes) as cluster:
        client = await cluster.connect()
        assert "abc: defgh" == await client.call("note", {"title": "abcdef", "text": "defghi"})


class Shelf(Gateway):
    @subscribe("open")
    async def open(self, card: Annotated[Card, Pipe(load), Pipe(shout)], cards: Cards) -> str:
        return f"{card.id} of {len(cards)}"

    @subscribe("maybe")
    async def maybe(self, card: Annotated[Card | None, Pipe(load)] = None) -> str:
        return "none" if card is None else card.id


@contextlib.asynccontextmanager
async def shelf(app):
    app.provide(Cards, Cards(a=Card("a")))
    yield


async def test_pipes_make_of_the_value_what_the_handler_gets(nodes):
    async with nodes(App(Shelf, lifespan=shelf)) as cluster:
        client = await cluster.connect()
        assert "a!open of 1" == await client.call("open", "a")
        with pytest.raises(Refused, match="There is no card b"):
            await client.call("open", "b")
        STEPS.clear()
        with pytest.raises(Refused, match="invalid_body"):
            await client.call("open", 7)
        assert "none" == await client.call("maybe")
        assert [] == STEPS


async def test_what_lives_as_long_as_a_call_is_closed_with_the_error_of_the_handler(nodes):
    @contextlib.asynccontextmanager
    async def session(call):
        STEPS.append(f"open for {call.event}")
        try:
            yield Session()
        except ClientError as error:
            STEPS.append(f"roll back: {error.code}")
            raise
        STEPS.append("commit")

    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.provide_per_call(Session, session)
        yield

    sessions = []

    class Ledger(Gateway):
        @subscribe("pay")
        async def pay(self, amount: int, session: Session) -> int:
            sessions.append(session)
            STEPS.append("pay")
            if amount < 0:
                raise Forbidden
            return amount

        @subscribe("look")
        def look(self) -> str:
            return "nothing is opened"

    async with nodes(App(Ledger, lifespan=lifespan)) as cluster:
        client = await cluster.connect()
        assert 3 == await client.call("pay", 3)
        with pytest.raises(Refused, match="forbidden"):
            await client.call("pay", -1)
        await client.call("look")
        with pytest.raises(Refused, match="invalid_body"):
            await client.call("pay", "much")
    assert STEPS == ["open for pay", "pay", "commit", "open for pay", "pay", "roll back: forbidden"]
    assert 2 == len({id(each) for each in sessions})


class Answers(Gateway):
    @subscribe("early")
    async def early(self, number: int, ack: Ack) -> str:
        STEPS.append(ack.is_wanted)
        ack("got", number)
        if number < 0:
            raise Forbidden("Too late.")
        return "ignored"

    @subscribe("usual")
    def usual(self, ack: Ack) -> str:
        return "usual"

    @subscribe("twice")
    async def twice(self, ack: Ack) -> None:
        ack()
        ack()

    @subscribe("reply")
    async def reply(self, is_by_event: bool) -> Reply | str:
        return Reply("answer", 1, {"a": 2}) if is_by_event else "ack"


async def test_a_handler_may_send_the_ack_itself_before_it_has_ended(nodes):
    async with nodes(Answers) as cluster:
        client = await cluster.connect()
        assert ("got", 1) == await client.call("early", 1)
        assert "usual" == await client.call("usual")
        client.emit("early", 2)
        await cluster.settle()
        assert [True, False] == STEPS

        assert ("got", -1) == await client.call("early", -1)
        assert "forbidden" == (await client.next("exception"))["code"]
        async with cluster.expects(RuntimeError):
            assert None is await client.call("twice")
            assert "internal" == (await client.next("exception"))["code"]


async def test_a_reply_is_an_event_for_the_caller_alone_and_then_an_empty_ack(nodes):
    async with nodes(Answers, count=2) as cluster:
        client, other = await cluster.connect(), await cluster.connect()
        assert None is await client.call("reply", True)
        assert (1, {"a": 2}) == await client.next("answer")
        assert "ack" == await client.call("reply", False)
        client.emit("reply", True)
        assert (1, {"a": 2}) == await client.next("answer")
        await cluster.settle()
        assert [] == [event for event in other.untaken if event.name == "answer"]


@pytest.mark.parametrize("hook", ["on_connection", "on_disconnection", "on_join", "on_leave"])
def test_a_hook_has_no_ack(hook):
    async def wants_an_ack(self, ack: Ack) -> None: ...

    wrong = type("Wrong", (Gateway,), {hook: wants_an_ack})
    with pytest.raises(ConfigurationError, match="has no ack to send"):
        wrong.subscriptions()


async def test_hooks_get_what_lives_as_long_as_a_call_and_go_through_pipes_as_well(nodes):
    @contextlib.asynccontextmanager
    async def session(call):
        STEPS.append(f"open for {call.event}")
        yield Session()
        STEPS.append("commit")

    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.provide_per_call(Session, session)
        yield

    def shouted(text: str) -> str:
        return text.upper()

    class Hooked(Gateway):
        async def on_connection(self, socket: Socket, session: Session) -> None:
            await socket.join("den")

        async def on_join(self, room: Annotated[str, Pipe(shouted)], session: Session) -> None:
            STEPS.append(f"in {room}")

    async with nodes(App(Hooked, lifespan=lifespan)) as cluster:
        await cluster.connect()
    assert STEPS == ["open for connect", "open for join", "in DEN", "commit", "commit"]


async def test_events_that_guards_hold_up_stay_in_order(nodes):
    handled = []

    async def is_slow(call: Call) -> bool:
        await call.socket.server.sleep(1 if call.body == [0] else 0)
        return True

    class Ordered(Gateway):
        @subscribe("say", guards=[is_slow])
        async def say(self, number: int) -> None:
            handled.append(number)

        @subscribe("plain")
        def plain(self, number: int) -> None:
            handled.append(number)

    async with nodes(Ordered) as cluster:
        client = await cluster.connect()
        client.emit("say", 0)
        client.emit("plain", 1)
        client.emit("say", 2)
        client.emit("plain", 3)
        await cluster.settle()
        assert [] == handled
        await cluster.advance(1)
    assert [0, 1, 2, 3] == handled


async def started(app):
    server = Server()
    await Running(app, server, {}).start()
    return server


async def test_a_handler_or_pipe_that_needs_what_nothing_provides_stops_the_start():
    with pytest.raises(ApplicationError, match=r"call app\.provide\(Cards, \.\.\.\) in the lifespan"):
        await started(App(Shelf))


async def test_a_guard_of_the_app_is_refused_where_functions_would_run_without_it():
    server = Server()
    server.on("move", lambda sid, data: data)
    with pytest.raises(ApplicationError, match="make a Gateway of them"):
        App(server=server, guards=[refusing])

    @contextlib.asynccontextmanager
    async def late(app):
        app.get(Server).on("move", lambda sid, data: data)
        yield

    with pytest.raises(ApplicationError, match="make a Gateway of them"):
        await started(App(Board, guards=[refusing], lifespan=late))


def test_a_pipe_that_does_not_fit_is_found_when_the_class_is_bound():
    def to_number(text: str) -> int:
        return int(text)

    class Wrong(Gateway):
        @subscribe("open")
        def open(self, card: Annotated[Card, Pipe(to_number)]) -> None: ...

    with pytest.raises(ConfigurationError, match="a pipe returns int, but Card is expected"):
        Wrong.subscriptions()


@pytest.mark.parametrize(
    ("function", "problem"),
    [(lambda value: value, "must annotate its parameters"), ("load", "is not a function")],
    ids=["a lambda", "a text"],
)
def test_a_pipe_that_cannot_be_worked_out_is_found_when_the_class_is_bound(function, problem):
    class Wrong(Gateway):
        @subscribe("open")
        def open(self, card: Annotated[Card, Pipe(function)]) -> None: ...

    with pytest.raises(ConfigurationError, match=problem):
        Wrong.subscriptions()


class Allows:
    """A guard as an object, and a mistake as a class."""

    def __init__(self, call=None): ...

    def __call__(self, call: Call) -> bool:
        return True


@pytest.mark.parametrize(
    ("around", "sentence"),
    [
        (
            {"guards": [Allows]},
            "guards must be a list of functions, or instances that can be called, not Allows",
        ),
        ({"guards": [True]}, "not True"),
        (
            {"interceptors": ["logged"]},
            "interceptors must be a list of functions, or instances that can be called, not logged",
        ),
        ({"filters": [KeyError]}, r"filters must be a list of `Filter\(class, function\)`, not KeyError"),
    ],
    ids=["a class", "a value", "a name", "an exception"],
)
def test_what_cannot_stand_around_a_call_is_found_when_the_class_is_bound(around, sentence):
    class OfTheHandler(Gateway):
        @subscribe("open", **around)
        def open(self) -> None: ...

    for wrong, where in [
        (OfTheHandler, r"\S+\.open"),
        (type("OfTheClass", (Gateway,), around), "OfTheClass"),
    ]:
        with pytest.raises(
            ConfigurationError, match=f"{where}: {sentence}" if "must" in sentence else sentence
        ):
            wrong.subscriptions()
    with pytest.raises(ApplicationError, match=f"App: {sentence}" if "must" in sentence else sentence):
        App(Board, **around)


def test_one_guard_is_no_list_of_guards():
    with pytest.raises(ConfigurationError, match="guards must be a list of functions"):
        type("Single", (Gateway,), {"guards": staticmethod(refusing)}).subscriptions()
    assert [] == type("Fine", (Gateway,), {"guards": [Allows()]}).subscriptions()


def test_a_call_gets_what_outlives_it():
    cards = Cards()
    call = Call(None, "move", [], provided={Cards: cards})
    assert cards is call.get(Cards)
    with pytest.raises(LookupError, match="no Session is provided"):
        call.get(Session)
