"""A gateway with something around each call; `chain.ts` is the same for NestJS."""

from collections.abc import AsyncIterator
from enum import Enum
from typing import Annotated
from uuid import UUID

import around
import msgspec
from around import Broken, Lost, Missing, Role
from fenced import Fenced

from roomwire import Filter, Key, Pipe, Socket, mark, subscribe
from roomwire.errors import ClientError, Forbidden, NotFound, Unavailable


class Teapot(ClientError):
    """An error with a code of its own."""

    code = "teapot"
    message = "I am a teapot."


class Message(msgspec.Struct):
    """A validated body."""

    room: str
    text: str


class StrictMessage(Message, forbid_unknown_fields=True):
    """A body that has nothing else."""


class Color(Enum):
    """One of few values."""

    RED = "red"


class Chain(Fenced, namespace="/chain"):
    """What runs around a call."""

    guards = (around.is_welcome, around.noting("gateway"), around.has_role)
    interceptors = (around.surrounding("gateway"),)
    filters = (Filter(Lost, lambda error, call: NotFound(f"Lost {error}.")),)

    @subscribe("closed", guards=[around.closed])
    def closed(self) -> str:
        return "open"

    @subscribe("explained", guards=[around.explaining])
    def explained(self) -> str:
        return "open"

    @subscribe("later", guards=[around.later])
    def later(self) -> str:
        return "open"

    @subscribe("admin")
    @mark(Role("admin"))
    def admin(self) -> str:
        return "open"

    @subscribe("say", guards=[around.is_inside])
    def say(self, message: Message) -> str:
        return "said"

    @subscribe("message")
    def message(self, message: Message) -> Message:
        return message

    @subscribe("strict")
    def strict(self, message: StrictMessage) -> str:
        return "fits"

    @subscribe("messages")
    def messages(self, messages: list[Message]) -> int:
        return len(messages)

    @subscribe("uuid")
    def uuid(self, id_: UUID) -> UUID:
        return id_

    @subscribe("color")
    def color(self, color: Color) -> Color:
        return color

    @subscribe("number")
    def number(self, number: Annotated[int, Pipe(around.to_number)]) -> int:
        return number + 1

    @subscribe("limit")
    def limit(self, limit: int = 10) -> int:
        return limit

    @subscribe("shout")
    def shout(self, text: Annotated[str, Key("text"), Pipe(around.shout)]) -> str:
        return text

    @subscribe("card")
    def card(self, title: Annotated[str, Pipe(around.load)]) -> str:
        return title

    @subscribe("wrapped", interceptors=[around.wrapping])
    def wrapped(self) -> int:
        return 1

    @subscribe("cached", interceptors=[around.instead])
    def cached(self) -> str:
        return "never"

    @subscribe("healed", interceptors=[around.healing])
    def healed(self) -> str:
        raise ValueError("ill")

    @subscribe("translated", interceptors=[around.translating])
    def translated(self) -> str:
        raise ValueError("ill")

    @subscribe("parts", interceptors=[around.wrapping])
    async def parts(self) -> AsyncIterator[int]:
        for number in (1, 2):
            yield number

    @subscribe("order", guards=[around.noting("handler")], interceptors=[around.surrounding("handler")])
    def order(self, socket: Socket) -> list[str]:
        around.STEPS[socket.id].append("handler")
        return around.STEPS[socket.id]

    @subscribe("near", filters=[Filter(Lost, lambda error, call: NotFound(f"Nearer {error}."))])
    def near(self) -> None:
        raise Lost("key")

    @subscribe("far")
    def far(self) -> None:
        raise Missing("hat")

    @subscribe("app")
    def app(self) -> None:
        raise Broken

    @subscribe("silent", filters=[Filter(Exception, lambda error, call: None)])
    def silent(self) -> None:
        raise Lost("voice")

    @subscribe(
        "everything", filters=[Filter(Exception, lambda error, call: Unavailable("Something failed."))]
    )
    def everything(self) -> None:
        raise ValueError("the secret inside")

    @subscribe("unknown")
    def unknown(self) -> None:
        raise ValueError("the secret inside")

    @subscribe("refused")
    def refused(self) -> None:
        raise Forbidden("You may not.")

    @subscribe("coded")
    def coded(self) -> None:
        raise Teapot
