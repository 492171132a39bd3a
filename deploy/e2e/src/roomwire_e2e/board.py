"""An application that is not the chat, in one file. The phases `…-app` install it with the chart, and their clients send its events."""

from typing import Annotated

from msgspec import Meta, Struct

from roomwire import App, Gateway, Socket, subscribe

Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Watch(Struct, frozen=True, forbid_unknown_fields=True):
    """`watch`: the board that a client wants to see."""

    board: Name


class Move(Struct, frozen=True, forbid_unknown_fields=True):
    """`move` and `moved`: a card of a board, and its new place. A client repeats a move under the same card."""

    board: Name
    card: Name
    place: int


class Boards(Gateway):
    """Boards, whose watchers see each move of a card."""

    @subscribe("watch")
    async def watch(self, socket: Socket, body: Watch) -> str:
        """Show a board to a client from now on."""
        socket.user.capabilities.require("join", body.board)
        await socket.join(body.board)
        return body.board

    @subscribe("move")
    async def move(self, socket: Socket, body: Move) -> int:
        """Move a card. Clients that watch the board receive a repeated move once."""
        socket.user.capabilities.require("publish", body.board)
        own_id = socket.own_id(f"{len(body.board)} {body.board} {body.card}")
        await self.emit("moved", body, to=body.board, message_id=own_id)
        return body.place


app = App(Boards, name="board")
