"""Takes the measurements, on the system that `make up` runs."""

import time
from collections.abc import Callable
from typing import Final

from roomwire.log.redis.scripts import Scripts
from roomwire_loadtest.capacity.costs.observed import Observation, Weight
from roomwire_loadtest.capacity.measuring.busy_log import publish
from roomwire_loadtest.capacity.measuring.clients import Clients
from roomwire_loadtest.capacity.measuring.dialect import Chat
from roomwire_loadtest.capacity.measuring.house import House
from roomwire_loadtest.capacity.measuring.observing import Observer, Work
from roomwire_loadtest.capacity.measuring.runs import (
    BUSY,
    CHURNS,
    FRAMES,
    IDLE,
    IDLE_CHECK,
    LOGINS,
    LOGINS_CHECK,
    REGISTERED,
    TALKS,
    Busy,
    Churn,
)
from roomwire_loadtest.capacity.measuring.talks import Talks
from roomwire_loadtest.capacity.measuring.weighing import Weighing
from roomwire_loadtest.generator.crowd import Crowd
from roomwire_loadtest.generator.links import Flow, Link, Opening
from roomwire_loadtest.load.accounts import Accounts
from roomwire_loadtest.load.target import Target

_BUSY_S: Final = 3.0
_CHURN_S: Final = 4.0
_IDLE_S: Final = 10.0
_REST_S: Final = 1.5
_STAY_S: Final = 1.0
_KIB: Final = 1024
_TIMEOUT_S: Final = 10.0
_FEW: Final = 100
_REGISTRY: Final = "rw:{0}:registry"
_READS: Final = 100
_ABSENT_S: Final = 600.0
_LONG: Final = 126
_LONG_HEADER: Final = 4
_SHORT_HEADER: Final = 2


class Measuring:
    """A round of measurements in progress.

    Args:
        house: The system.
        tell: Reports progress to the console.

    """

    def __init__(self, house: House, tell: Callable[[str], None]) -> None:
        self._house = house
        self._tell = tell
        self._accounts = Accounts(Target.of(house.auth_url), timeout_s=_TIMEOUT_S)
        self._clients = Clients(self._accounts.guest().access)
        self._observer = Observer(house, tell)
        self._weights: list[Weight] = []
        gateways = [house.resident_bytes(name) for name in house.gateways]
        self.base_bytes = {
            "gateway": sum(gateways) / len(gateways),
            "auth": float(house.resident_bytes("auth")),
            "redis": float(house.redis.info("memory")["used_memory"]),
        }

    @property
    def observations(self) -> list[Observation]:
        """The observations so far."""
        return self._observer.observations

    @property
    def weights(self) -> list[Weight]:
        """The weights so far."""
        return [*self._weights, *self._observer.weights]

    def all(self) -> None:
        """Take every measurement."""
        *_, last = self._house.gateways
        weighing = Weighing(self._house, last, self._clients.auth, self._tell)
        weighing.members()
        weighing.kept()
        self._weights += weighing.weights
        self.frames()
        self.registry()
        self.idle()
        for what, count in (*LOGINS, *LOGINS_CHECK):
            self.logins(what, count, is_check=(what, count) in LOGINS_CHECK)
        for churn in CHURNS:
            self.churn(churn)
        for busy in BUSY:
            self.busy_log(busy)
        talks = Talks(self._house, self._clients, self._observer)
        for talk in TALKS:
            if talk.polling:
                talks.polled(talk)
            else:
                talks.talk(talk)

    def idle(self) -> None:
        """Measure idle connections: more and more of them, on one gateway."""
        name, port = next(iter(self._house.gateways.items()))
        crowd = Crowd(
            self._clients.come([self._clients.opening(port) for _ in range(_FEW)]), Chat(), sampled=0
        )
        try:
            crowd.idle(_REST_S)
            before, count = self._house.resident_bytes(name), 0
            for target in sorted((*IDLE, IDLE_CHECK)):
                crowd.add(self._clients.come([self._clients.opening(port) for _ in range(target - count)]))
                count, is_check = target, target == IDLE_CHECK
                crowd.idle(_REST_S)

                def watch() -> Work:
                    crowd.pings = 0
                    crowd.idle(_IDLE_S)
                    return {name: {"pings": crowd.pings}, "redis": {"pings": crowd.pings}}

                run = f"{count + _FEW} idle connections"
                self._observer.observe(run, watch, is_check=is_check)
                held = float(self._house.resident_bytes(name) - before)
                self._weights.append(
                    Weight(
                        run=run,
                        what="gateway",
                        total_bytes=held,
                        held={"connections": count},
                        is_check=is_check,
                    )
                )
        finally:
            crowd.close()

    def logins(self, what: str, count: int, *, is_check: bool) -> None:
        """Sign users in, one after another."""
        tokens = [self._accounts.guest() for _ in range(count)] if what == "refreshes" else []

        def let_in() -> Work:
            for number in range(count):
                if what == "guests":
                    self._accounts.guest()
                elif what == "passwords" and number % 2:
                    # A registration and a login compute one hash each.
                    self._accounts.account()
                elif what == "refreshes":
                    self._accounts.refresh(tokens[number])
            return {"auth": {what: count}, "redis": {"logins": count}}

        self._observer.observe(f"{count} {what}", let_in, is_check=is_check)

    def registry(self) -> None:
        """Read the list of gateways, with more and more entries."""
        script = Scripts().nodes
        for count in REGISTERED:
            names = [f"absent-{number}" for number in range(count)]
            expires = int(1000 * (time.time() + _ABSENT_S))
            for name in names:
                self._house.redis.hset(_REGISTRY, name, f"{expires} {name}.incarnation 10.0.0.1:7000")

            def read(count: int = count) -> Work:
                for _ in range(_READS):
                    self._house.redis.eval(script.text.decode(), 1, _REGISTRY, "", "", "", "0")
                return {"redis": {"registered": _READS * (count + len(self._house.gateways))}}

            try:
                self._observer.observe(
                    f"{count} gateways listed {_READS} times", read, is_check=count == REGISTERED[-1]
                )
            finally:
                self._house.redis.hdel(_REGISTRY, *names)

    def frames(self) -> None:
        """Measure the size of the frames that deliver a message to a client."""
        port = next(iter(self._house.gateways.values()))
        for text_bytes in FRAMES:
            chat = Chat(text_bytes)
            heard: list[bytes] = []

            def hear_oneself(opening: Opening, chat: Chat = chat, heard: list[bytes] = heard) -> Flow:
                link = yield from opening.websocket()
                link.send(chat.chat(f"frames-{chat.text_bytes}").at(0))
                while not (text := (yield from link.text())).startswith(chat.event):
                    pass
                heard.append(text)
                return link

            for link in self._clients.come(
                [self._clients.opening(port, f"frames-{text_bytes}")], hear_oneself
            ):
                link.close()
            size = len(heard[0]) + (_LONG_HEADER if len(heard[0]) >= _LONG else _SHORT_HEADER)
            self._weights.append(
                Weight(
                    run=f"a text of {text_bytes} bytes",
                    what="frame",
                    total_bytes=float(size),
                    held={"deliveries": 1.0, "text_kib": text_bytes / _KIB},
                    is_check=text_bytes == FRAMES[-1],
                )
            )

    def churn(self, churn: Churn) -> None:
        """Let clients connect and disconnect at a steady rate."""
        name, port = next(iter(self._house.gateways.items()))
        flow = Opening.polling_then_upgrade if churn.upgrades else Opening.websocket
        total = int(churn.rate * _CHURN_S)

        def come_and_go() -> Work:
            began, staying = time.monotonic(), list[tuple[float, Link]]()
            for number in range(total):
                time.sleep(max(0.0, began + number / churn.rate - time.monotonic()))
                room = f"churn-{id(churn)}-{number}" if churn.joins else None
                staying.append(
                    (time.monotonic(), self._clients.come([self._clients.opening(port, room)], flow)[0])
                )
                while staying and staying[0][0] < time.monotonic() - _STAY_S:
                    staying.pop(0)[1].close()
            for _, link in staying:
                link.close()
            time.sleep(_REST_S)
            joins = float(total if churn.joins else 0)
            kind = "upgrades" if churn.upgrades else "connects"
            return {
                name: {kind: float(total), "joins": joins},
                "redis": {"opens": float(total), "joins": joins},
            }

        self._observer.observe(str(churn), come_and_go, is_check=churn.is_check)

    def busy_log(self, busy: Busy) -> None:
        """Keep a log busier than the gateways of this machine could."""
        self._observer.observe(
            str(busy),
            lambda: {"redis": publish(self._house.redis_url, busy, _BUSY_S)},
            is_check=busy.is_check,
            is_weighed=False,
        )
