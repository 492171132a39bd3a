"""A game: players of all gateways walk in an arena and collect its stars. Positions are volatile, joins, leaves and scores are not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import msgspec
from arena import TICKS_PER_S, Arena, Coordinate, Name, Player, Point, Round
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from roomwire import App, Gateway, Keep, Socket, emits, subscribe
from roomwire.errors import Forbidden

HERE = Path(__file__).parent
MOST_PLAYERS = 50


class Position(msgspec.Struct):
    """Where a player is."""

    id: str
    name: str
    at: Point


class Game(Gateway):
    """Moves the players that are connected to this gateway. The rounds are in the history of the arena's room, for all gateways."""

    named = emits("gateway", str)
    joined = emits("joined", str)
    left = emits("left", str)
    won = emits("round", Round)
    moved = emits("positions", list[Position])

    def __init__(self) -> None:
        super().__init__()
        self.players: dict[Socket, Player] = {}

    async def on_connection(self, socket: Socket) -> None:
        """Name the gateway, and take over the player of a session that is recovered."""
        await socket.emit("gateway", self.server.node_name)
        if socket.recovered and (saved := await self.server.get_session(socket.id)):
            await self._enter(socket, msgspec.convert(saved, Player))

    async def on_disconnection(self, socket: Socket, reason: str) -> None:
        """Tell that a player has left."""
        player = self.players.pop(socket, None)
        # A session that goes on at another gateway ends here as `server disconnect`: its player has not left.
        if player is not None and reason != "server disconnect":
            await self.left(player.name, to=player.arena)

    @subscribe("join")
    async def join(self, socket: Socket, arena: Arena, name: Name) -> Round:
        """Enter an arena, and return its round; a client that gets no ack may ask again."""
        if socket not in self.players:
            if sum(player.arena == arena for player in self.players.values()) >= MOST_PLAYERS:
                raise Forbidden("The arena is full.")
            player = Player(socket.id, name, arena)
            await self._save(socket, player)
            await socket.join(arena)
            await self._enter(socket, player)
        return await self._round(self._player(socket).arena)

    @subscribe("go")
    async def go(self, socket: Socket, x: Coordinate, y: Coordinate) -> None:
        """Walk to a point."""
        player = self._player(socket)
        player.to = (x, y)
        await self._save(socket, player)

    @subscribe("collect")
    async def collect(self, socket: Socket, number: int) -> None:
        """Collect the star of a round; the event `round` tells which player did."""
        player = self._player(socket)
        current = await self._round(player.arena)
        if current.number == number and current.is_won_by(player):
            following = current.after(player)
            # Two gateways may both come to this line. Their ids are the same, so the log takes the first and drops the second.
            await self.won(
                following,
                to=player.arena,
                message_id=f"{player.arena}:{following.number}",
                keeps_history=Keep(entry=following, entries=1),
            )

    async def run(self, arena: Arena) -> None:
        """Move the players in an arena at a fixed rate, and show them to the members of its room on all gateways."""
        time = asyncio.get_running_loop().time
        due_s = time()
        while True:
            # After a delay the next tick is due at once, and the ticks that were missed are left out.
            due_s = max(due_s + 1 / TICKS_PER_S, time())
            await asyncio.sleep(due_s - time())
            players = [player for player in self.players.values() if player.arena == arena]
            for player in players:
                player.walk()
            if players:
                positions = [Position(player.id, player.name, player.at) for player in players]
                await self.moved(positions, to=arena, volatile=True)

    async def _enter(self, socket: Socket, player: Player) -> None:
        await self.joined(player.name, to=player.arena)
        self.players[socket] = player

    async def _save(self, socket: Socket, player: Player) -> None:
        # Recovery restores it at any gateway.
        await self.server.save_session(socket.id, msgspec.to_builtins(player))

    async def _round(self, arena: Arena) -> Round:
        kept = (await self.history(arena, limit=1)).values(Round)
        return kept[0] if kept else Round()

    def _player(self, socket: Socket) -> Player:
        player = self.players.get(socket)
        if player is None:
            raise Forbidden("Join an arena first.")
        return player


@contextlib.asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Run a loop for each arena."""
    game = Game()
    app.add(game)
    async with asyncio.TaskGroup() as group:
        loops = [group.create_task(game.run(arena)) for arena in get_args(Arena)]
        yield
        for loop in loops:
            loop.cancel()


# The tests need no page, and so no `npm install` either.
client = StaticFiles(directory=HERE / "node_modules" / "socket.io-client" / "dist", check_dir=False)
page = StaticFiles(directory=HERE / "page", html=True)
app = App(Game, lifespan=lifespan, http=Starlette(routes=[Mount("/client", client), Mount("/", page)]))
