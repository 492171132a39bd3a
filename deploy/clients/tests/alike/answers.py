"""What a handler may answer; `answers.ts` is the same for NestJS."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fenced import Fenced

from roomwire import Ack, Key, Reply, subscribe
from roomwire.errors import Unavailable


class Answers(Fenced, namespace="/answers"):
    """What a handler may answer."""

    @subscribe("text")
    def text(self, text: str) -> str:
        return f"Heard {text}."

    @subscribe("later")
    async def later(self, text: str) -> str:
        return f"Heard {text}."

    @subscribe("echo")
    def echo(self, body: Any) -> Any:
        return body

    @subscribe("false")
    def is_false(self) -> bool:
        return False

    @subscribe("null")
    def is_null(self) -> None:
        return None

    @subscribe("nothing")
    def nothing(self) -> None: ...

    @subscribe("id")
    def id(self, id_: Annotated[int, Key("id")]) -> int:
        return id_

    @subscribe("pair")
    def pair(self, first: str, second: int) -> str:
        return f"{first} {second}"

    @subscribe("ack")
    def ack(self, text: str, ack: Ack) -> None:
        ack("received", {"text": text})

    @subscribe("ack first")
    def ack_first(self, ack: Ack) -> str:
        ack("first")
        return "second"

    @subscribe("ack never")
    def ack_never(self, ack: Ack) -> str:
        return "returned"

    @subscribe("reply")
    def reply(self, data: Any) -> Reply:
        return Reply("answer", data)

    @subscribe("parts")
    async def parts(self) -> AsyncIterator[Reply]:
        for number in (1, 2, 3):
            yield Reply("part", number)

    @subscribe("values")
    async def values(self) -> AsyncIterator[int]:
        for number in (1, 2):
            yield number

    @subscribe("torn")
    async def torn(self) -> AsyncIterator[Reply]:
        yield Reply("part", 1)
        raise Unavailable("Torn.")

    @subscribe("bytes")
    def bytes(self, content: bytes) -> bytes:
        return content + b"\xff"

    @subscribe("file")
    def file(self) -> dict[str, Any]:
        return {"name": "a", "content": b"\0\1"}
