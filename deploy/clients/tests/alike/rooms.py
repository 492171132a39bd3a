"""Hooks, rooms and broadcasts; `rooms.ts` is the same for NestJS."""

from typing import Any

from fenced import Fenced, auth_of

from roomwire import Socket, subscribe
from roomwire.errors import Forbidden


class Rooms(Fenced, namespace="/rooms"):
    """Hooks, rooms and broadcasts."""

    def __init__(self) -> None:
        super().__init__()
        self._hooks: list[tuple[str, str]] = []

    async def after_init(self) -> None:
        self._hooks.append(("*", "init"))

    async def on_connection(self, socket: Socket) -> None:
        auth = auth_of(socket)
        if auth["name"] == "unwanted":
            raise Forbidden
        self._hooks.append((auth["group"], f"connection of {auth['name']}"))
        await socket.emit("welcome", auth["name"])

    async def on_disconnection(self, socket: Socket) -> None:
        auth = auth_of(socket)
        self._hooks.append((auth["group"], f"disconnection of {auth['name']}"))
        await self.emit("gone", auth["name"])

    @subscribe("hooks")
    def hooks(self, wanted: str) -> list[str]:
        return [hook for group, hook in self._hooks if group in {wanted, "*"}]

    @subscribe("join")
    async def join(self, socket: Socket, room: str) -> str:
        await socket.join(room)
        return f"Joined {room}."

    @subscribe("ask")
    async def ask(self, socket: Socket, question: str) -> Any:
        return await self.server.call("question", question, to=socket.id, namespace=self.namespace)

    @subscribe("leave")
    async def leave(self, socket: Socket, room: str) -> str:
        await socket.leave(room)
        return f"Left {room}."

    @subscribe("say")
    async def say(self, room: str, text: str) -> str:
        await self.emit("said", text, to=room)
        return "Delivered."

    @subscribe("tell")
    async def tell(self, socket: Socket, room: str, text: str) -> str:
        await socket.broadcast(room, "told", text)
        return "Delivered."

    @subscribe("everyone")
    async def everyone(self, text: str) -> str:
        await self.emit("heard", text)
        return "Delivered."

    @subscribe("others")
    async def others(self, socket: Socket, text: str) -> str:
        await self.emit("heard", text, skip_sid=socket.id)
        return "Delivered."

    @subscribe("except")
    async def but(self, room: str, other: str) -> str:
        await self.emit("said", "not to all", to=room, except_rooms=other)
        return "Delivered."

    @subscribe("both")
    async def both(self, rooms: list[str]) -> str:
        await self.emit("said", "once", to=rooms)
        return "Delivered."

    @subscribe("self")
    async def self_(self, socket: Socket) -> str:
        await self.emit("said", "to you", to=socket.id)
        await socket.emit("said", "at once", 2, {"three": [None, True, 4.5]})
        await socket.emit("bare")
        await socket.emit("bytes", b"\1\2", {"inner": b"\3"})
        return "Delivered."

    @subscribe("position")
    async def position(self, room: str) -> str:
        await self.emit("position", {"x": 1.5, "y": -2}, to=room, volatile=True)
        return "Delivered."

    @subscribe("kick")
    async def kick(self, socket: Socket) -> str:
        await socket.disconnect()
        return "Gone."
