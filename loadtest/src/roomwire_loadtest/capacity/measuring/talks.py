"""Messages to rooms, at offered rates that do not depend on the answers."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from roomwire_loadtest.capacity.measuring.clients import Clients
from roomwire_loadtest.capacity.measuring.dialect import Chat
from roomwire_loadtest.capacity.measuring.house import House
from roomwire_loadtest.capacity.measuring.observing import Disturbed, Observer, Work
from roomwire_loadtest.capacity.measuring.pollers import Pollers
from roomwire_loadtest.capacity.measuring.runs import Talk
from roomwire_loadtest.capacity.planning.flows import COPIES
from roomwire_loadtest.generator.crowd import Burst, Crowd, Speaker

_STRIDE: Final = 7
_TALK_S: Final = 3.0
_REST_S: Final = 1.5
_WARM_UP_S: Final = 0.7
_GRACE_S: Final = 10.0
_LEAST_SHARE: Final = 0.98
_LATEST: Final = 1.15
_CALM_MS: Final = 25.0
"""Maximum of the 90th percentile: above it, other work kept the generator or the system from running, and messages piled up."""
_OTHERS: Final = 40
_KIB: Final = 1024


class Talks:
    """Conversations in rooms.

    Args:
        house: The system.
        clients: Connects the clients.
        observer: Observes the system.

    """

    def __init__(self, house: House, clients: Clients, observer: Observer) -> None:
        self._house = house
        self._clients = clients
        self._observer = observer

    def talk(self, talk: Talk) -> None:
        """Send messages to rooms, from their members or from other clients."""
        ports = list(self._house.gateways.values())[: talk.gateways + talk.apart]
        dialect = Chat(talk.text_bytes)
        rooms = [f"talk-{id(talk):x}-{number}" for number in range(talk.rooms)]
        homes = ports[1:] if talk.apart else ports
        places = [
            (homes[number % len(homes)], rooms[number // talk.size])
            for number in range(talk.rooms * talk.size)
        ]
        links = self._clients.come([self._clients.opening(port, room) for port, room in places])
        if talk.apart:
            others = self._clients.come([self._clients.opening(ports[0]) for _ in range(_OTHERS)])
            turns = [
                (others[number % _OTHERS], ports[0], rooms[number % len(rooms)])
                for number in range(_OTHERS * len(rooms))
            ]
        else:
            others = []
            order = [number * _STRIDE % len(links) for number in range(len(links))]
            turns = [(links[number], *places[number]) for number in order]
        speakers: list[Speaker] = [(link, dialect.chat(room)) for link, _, room in turns]
        crowd = Crowd([*links, *others], dialect, sampled=max(1, len(links) // 50))
        try:
            for rate in talk.rates:

                def offer(seconds: float, rate: float = rate) -> Burst:
                    crowd.outstanding = crowd.arrived
                    return crowd.offer(
                        speakers, talk.size, rate, seconds, grace_s=_GRACE_S, patience_s=_GRACE_S
                    )

                def speak(offer: Callable[[float], Burst] = offer) -> Work:
                    began = time.monotonic()
                    burst = offer(_TALK_S)
                    took_s, late_ms = time.monotonic() - began, burst.latency_ms(0.9)
                    if late_ms is None or took_s > _LATEST * _TALK_S:
                        raise Disturbed(f"{burst.share:.1%} of the messages arrived, after {took_s:.1f} s")
                    if late_ms > _CALM_MS:
                        raise Disturbed(f"one message in ten arrived later than {late_ms:.0f} ms")
                    said = [turns[number % len(turns)][1:] for number in range(burst.sent)]
                    return self._talked(said, places, talk)

                # Streams and caches that a first message would create are created before the measurement.
                offer(_WARM_UP_S)
                crowd.idle(_REST_S)
                self._observer.observe_calmly(f"{talk}, {rate:g} messages/s", speak, is_check=talk.is_check)
        finally:
            crowd.close()

    def polled(self, talk: Talk) -> None:
        """Send messages to rooms whose members poll; the senders are not members."""
        name, port = next(iter(self._house.gateways.items()))
        dialect = Chat(talk.text_bytes)
        rooms = [f"polled-{talk.rooms}-{talk.size}-{number}" for number in range(talk.rooms)]
        places = [(port, room) for room in rooms for _ in range(talk.size)]
        pollers = Pollers(places, self._clients.auth)
        crowd = Crowd(self._clients.come([self._clients.opening(port) for _ in rooms]), dialect, sampled=0)
        speakers = [(link, dialect.chat(room)) for link, room in zip(crowd.links, rooms, strict=True)]
        try:
            for rate in talk.rates:

                def speak(rate: float = rate) -> Work:
                    pollers.requests = pollers.arrived = 0
                    burst = crowd.offer(speakers, 0, rate, _TALK_S, grace_s=0)
                    crowd.idle(_REST_S)
                    expected = burst.sent * talk.size
                    if pollers.arrived < _LEAST_SHARE * expected:
                        raise Disturbed(f"{pollers.arrived} of {expected} messages were polled")
                    said = [places[number % talk.rooms * talk.size] for number in range(burst.sent)]
                    work = self._talked(said, places, talk)
                    return {**work, name: {**work[name], "requests": pollers.requests}}

                crowd.offer(speakers, 0, rate, _WARM_UP_S, grace_s=0)
                crowd.idle(_REST_S)
                self._observer.observe_calmly(f"{talk}, {rate:g} messages/s", speak, is_check=talk.is_check)
        finally:
            pollers.close()
            crowd.close()

    def _talked(self, said: Sequence[tuple[int, str]], places: Sequence[tuple[int, str]], talk: Talk) -> Work:
        """Return the work of each process in a conversation: messages accepted, received from gateways, and delivered."""
        names = {port: name for name, port in self._house.gateways.items()}
        members = Counter(places)
        taken = Counter(port for port, _ in said)
        spoken = Counter(room for _, room in said)
        work: dict[str, dict[str, float]] = {}
        for port, name in names.items():
            heard = sum(count for room, count in spoken.items() if members[port, room])
            deliveries = sum(count * members[port, room] for room, count in spoken.items())
            work[name] = {
                "messages": taken[port],
                "heard": heard,
                "deliveries": deliveries,
                "taken_kib": (taken[port] + heard) * talk.text_bytes / _KIB,
                "delivered_kib": deliveries * talk.text_bytes / _KIB,
            }
        work["redis"] = {
            # One for the members that want texts, and one for those that want the structured form.
            "publishes": 2 * len(said),
            "keeps": len(said),
            "pushes": sum(done["heard"] for done in work.values()),
            "taken_kib": COPIES * len(said) * talk.text_bytes / _KIB,
            "pushed_kib": sum(done["heard"] for done in work.values()) * talk.text_bytes / _KIB,
        }
        return work
