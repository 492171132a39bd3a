"""Measures memory: a gateway's for connections and their rooms, and Redis' for sessions, rooms and messages."""

import itertools
from collections.abc import Callable, Mapping
from typing import Final

from roomwire_loadtest.capacity.costs.observed import Weight
from roomwire_loadtest.capacity.measuring.dialect import Chat
from roomwire_loadtest.capacity.measuring.house import House
from roomwire_loadtest.capacity.measuring.memory import grown, weigh
from roomwire_loadtest.capacity.measuring.runs import KEPT, MEMBERS
from roomwire_loadtest.generator.crowd import Crowd
from roomwire_loadtest.generator.links import Flow, Opening, open_links

_UNDER_WAY: Final = 20
_SPEAKERS: Final = 20
_ROOMS: Final = 5
_RATE: Final = 400.0
_REST_S: Final = 1.0
_KIB: Final = 1024


class Weighing:
    """Measurements in progress; each weight is the memory that was added during the measurement.

    Args:
        house: The system.
        gateway: A gateway that has had no clients yet: a process keeps the memory that it frees, which would hide later
            growth.
        auth: The JSON that authenticates clients.
        tell: Reports progress to the console.

    """

    def __init__(self, house: House, gateway: str, auth: bytes, tell: Callable[[str], None]) -> None:
        self._house = house
        self._gateway = gateway
        self._port = house.gateways[gateway]
        self._auth = auth
        self._tell = tell
        self.weights: list[Weight] = []

    def members(self) -> None:
        """Measure clients that are in several rooms each, more and more of them on one gateway."""
        crowd = Crowd(
            open_links(self._openings(_SPEAKERS), Opening.websocket, under_way=_UNDER_WAY), Chat(), sampled=0
        )
        resident, empty = self._house.resident_bytes(self._gateway), weigh(self._house.redis)
        held = {"connections": 0.0, "sessions": 0.0, "memberships": 0.0, "rooms": 0.0}
        try:
            for clients, rooms, size in MEMBERS:
                is_check = (clients, rooms, size) == MEMBERS[-1]
                run = f"{clients} more clients in {rooms} rooms of {size} each"
                crowd.add(
                    open_links(self._openings(clients), self._entering(rooms, size), under_way=_UNDER_WAY)
                )
                crowd.idle(_REST_S)
                came = (clients, clients, clients * rooms, clients * rooms / size)
                held = {name: count + more for (name, count), more in zip(held.items(), came, strict=True)}
                grew = float(self._house.resident_bytes(self._gateway) - resident)
                self._weigh(run, "gateway", grew, held, is_check=is_check)
                more = grown(empty, weigh(self._house.redis))
                self._weigh(run, "session", more["session"], held, is_check=is_check)
                self._weigh(run, "direct", more["direct"], held, is_check=is_check)
                self._weigh(run, "presence", more["presence"] + more["due"], held, is_check=is_check)
                self._tell(run)
        finally:
            crowd.close()

    @staticmethod
    def _entering(rooms: int, size: int) -> Callable[[Opening], Flow]:
        """Return a function by which a client joins this many rooms, in groups that share them."""
        numbers, chat = itertools.count(), Chat()

        def enter(opening: Opening) -> Flow:
            group = next(numbers) // size
            link = yield from opening.websocket()
            for room in range(rooms):
                link.send(chat.join(f"members-{rooms}-{size}-{group}-{room}"))
                while not chat.is_joined((yield from link.text())):
                    pass
            return link

        return enter

    def kept(self) -> None:
        """Measure messages that are kept, in rooms without members."""
        for count, text_bytes in KEPT:
            is_check = (count, text_bytes) == KEPT[-1]
            run = f"{count} messages of {text_bytes} bytes in each of {_ROOMS} rooms"
            dialect, rooms = (
                Chat(text_bytes),
                [f"kept-{count}-{text_bytes}-{number}" for number in range(_ROOMS)],
            )
            links = open_links(self._openings(_SPEAKERS), Opening.websocket, under_way=_UNDER_WAY)
            crowd = Crowd(links, dialect, sampled=0)
            try:
                speakers = [
                    (links[number], dialect.chat(rooms[number % _ROOMS])) for number in range(_SPEAKERS)
                ]
                crowd.offer(speakers, 0, _RATE, count * _ROOMS / _RATE, grace_s=0)
                crowd.idle(_REST_S)
                # Clients of the previous measurement may still be leaving other rooms.
                more = weigh(self._house.redis, only=f"kept-{count}-{text_bytes}-")
            finally:
                crowd.close()
            messages = count * _ROOMS
            held = {
                "streams": 2.0 * _ROOMS,
                "messages": float(messages),
                "text_kib": messages * text_bytes / _KIB,
            }
            self._weigh(run, "log", more["log"], held, is_check=is_check)
            self._weigh(run, "history", more["history"], held | {"streams": float(_ROOMS)}, is_check=is_check)
            self._tell(run)

    def _openings(self, count: int) -> list[Opening]:
        return [Opening(self._port, Chat(), None, auth=self._auth) for _ in range(count)]

    def _weigh(self, run: str, what: str, total: float, held: Mapping[str, float], *, is_check: bool) -> None:
        self.weights.append(
            Weight(run=run, what=what, total_bytes=float(total), held=dict(held), is_check=is_check)
        )
