"""Sends heartbeats to the primary: the receipts of a gateway's clients, and that the gateway is alive."""

import asyncio
from collections.abc import Sequence
from typing import Final, cast

from roomwire.errors import NodeNameTaken, Unavailable
from roomwire.health.dependencies import REFUSES_WRITES, Cause, Dependency, cause_of
from roomwire.log.config import LogConfig
from roomwire.log.entries import NARROWED_FORMAT
from roomwire.log.positions import Offset
from roomwire.log.redis.chunks import chunks
from roomwire.log.redis.guard import Guard
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.pair import Pair
from roomwire.log.redis.replies import heartbeat_reply, nodes_reply
from roomwire.log.redis.resync import SESSIONS_PER_CALL, fence
from roomwire.log.redis.scripts import Scripts
from roomwire.log.redis.supervisor import Supervisor
from roomwire.log.redis.watch import Watch
from roomwire.log.sessions import NodeId, Tenure
from roomwire.log.subscriber import Subscriber
from roomwire.logs import get_logger
from roomwire.redis.link import Argument, LinkLost, ReplyError
from roomwire.redis.refusals import is_stale

_log = get_logger(__name__)

_GATHER_S: Final = 0.25
_NODE_BEATS: Final = 4
_SWEPT: Final = 1_000

# The fence of a session that does not exist. A listener ignores it, and Redis returns the number of listeners.
_NOTHING: Final = b"f- 0"
# Together this is longer than the restoration of a link, so that a live gateway does not count as dead.
_SILENT_TRIES: Final = 4
_SILENT_S: Final = 0.25

_LIVES: Final = 1
_CONFIRMS: Final = 2


class _NameHeld(Unavailable):
    """Another process's entry has this node's name, and may expire."""

    cause = Cause.NAME_TAKEN

    def __init__(self, name: str, holder: NodeId) -> None:
        super().__init__(f"The node name {name} is held by {holder} until its entry expires.")
        self.name = name
        self.holder = holder


class Heartbeat:
    """Sends receipts in groups soon after they arrive, and the node's own heartbeat.

    Args:
        node: This gateway.
        predecessor: The earlier incarnation of the same process, whose entry this one replaces. Empty if there is none.
        address: The address at which other gateways reach this one. Empty if they cannot.
        keys: Names of keys.
        scripts: The scripts that run on the primary.
        config: The times.
        subscriber: Receives positions and fences.
        supervisor: Has the links.
        guard: Counts what is held with each heartbeat.
        watch: Reads the primary's figures with each heartbeat.
        name_is_ours: Records whether another process has this node's name.
        writes: Records whether the primary accepts writes; at night there may be no other write.

    """

    def __init__(
        self,
        *,
        node: NodeId,
        predecessor: str = "",
        address: str,
        keys: Keys,
        scripts: Scripts,
        config: LogConfig,
        subscriber: Subscriber,
        supervisor: Supervisor,
        guard: Guard,
        watch: Watch,
        name_is_ours: Dependency,
        writes: Dependency,
    ) -> None:
        self._node = node
        self._predecessor = predecessor
        self._address = address
        self._keys = keys
        self._registry_keys = (keys.registry, keys.reads)
        self._scripts = scripts
        self._config = config
        self._subscriber = subscriber
        self._supervisor = supervisor
        self._guard = guard
        self._watch = watch
        self._name = node.rpartition(".")[0]
        self._name_is_ours = name_is_ours
        self._writes = writes
        # The entry of another process at this one's first attempt to register.
        self._seen: bytes | None = None
        self._receipts: dict[Tenure, Offset] = {}
        self._gathering: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Register the node, and send heartbeats from now on.

        Raises:
            Unavailable: Another process's entry has the node's name, for example one that was just killed. The entry expires
                unless it is renewed, and sooner if that process does not listen for a second; start again later.
            NodeNameTaken: The entry was renewed.

        """
        if self._task is None:
            await self._enter()
            if self._supervisor.pair is not None:
                self._watch.ask(self._supervisor.pair)
                self._guard.ask(self._supervisor.pair)
            self._task = asyncio.create_task(self._beat())

    async def close(self) -> None:
        """Stop, and remove the node from the registry if possible. Idempotent."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        pair = self._supervisor.pair
        if pair is not None and self._supervisor.is_live:
            try:
                await pair.bulk.ask_script(self._scripts.nodes, self._registry_keys, self._entry(0))
            except (LinkLost, ReplyError) as error:
                _log.info("node not taken out of the registry", error=str(error))

    def receipt(self, tenure: Tenure, received: Offset) -> None:
        """See `Log.receipt`."""
        self._receipts[tenure] = received
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(_GATHER_S, self._send_receipts)

    def forget(self, tenure: Tenure) -> None:
        """Send the last receipt of a socket that is gone now, because its last pong still counts."""
        if tenure in self._receipts:
            self._send_receipts()

    def _send_receipts(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        pair = self._supervisor.pair
        receipts, self._receipts = self._receipts, {}
        # While the log is held, receipts are useless: all clients are pinged again once it continues.
        if pair is None or not self._supervisor.is_live:
            return
        for some in chunks(list(receipts.items()), SESSIONS_PER_CALL):
            self._call(pair, some)

    def _call(self, pair: Pair, receipts: Sequence[tuple[Tenure, Offset]]) -> None:
        epoch = self._subscriber.epoch
        keys = [self._keys.log, *(self._keys.session(tenure.sid) for tenure, _ in receipts)]
        arguments: list[Argument] = [epoch, int(self._config.session_ttl_s * 1000)]
        for tenure, received in receipts:
            mode = _CONFIRMS if received.epoch == epoch else _LIVES
            arguments += (tenure.claim, received.position, mode)

        def answered(value: object) -> None:
            if isinstance(value, ReplyError):
                if is_stale(value):
                    pair.close(str(value))
                else:
                    _log.warning("heartbeat refused", error=str(value))
            elif not isinstance(value, LinkLost):
                last, fenced = heartbeat_reply(value)
                self._subscriber.advance(last)
                for number in fenced:
                    fence(self._subscriber, receipts[number - 1][0])

        pair.log.call(self._scripts.heartbeat, keys, arguments, answered)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._config.heartbeat_s)
            pair = self._supervisor.pair
            if pair is not None and self._supervisor.is_live:
                # The call is made even without receipts, because its reply shows whether another epoch has begun.
                self._call(pair, ())
                self._register()
                self._sweep(pair)
                self._watch.ask(pair)
                self._guard.ask(pair)

    async def _enter(self) -> None:
        """Register, unless another process that may be alive has the same name."""
        pair = self._supervisor.live_pair()
        try:
            async with asyncio.timeout(self._config.call_timeout_s):
                if self._predecessor:
                    gone = (self._name, self._predecessor, "", 0, NARROWED_FORMAT)
                    await pair.bulk.ask_script(self._scripts.nodes, self._registry_keys, gone)
                flat = await pair.bulk.ask_script(
                    self._scripts.nodes, self._registry_keys, self._entry(self._ttl_ms)
                )
                holder = self._taken(flat)
                if holder is None:
                    return
                entry = cast("bytes | None", await pair.bulk.ask(b"HGET", self._keys.registry, self._name))
            if await self._is_gone(pair, holder):
                await pair.bulk.ask_script(
                    self._scripts.nodes, self._registry_keys, (self._name, holder, "", 0, NARROWED_FORMAT)
                )
        except ReplyError as error:
            _log.warning("node not entered in the registry", error=str(error))
            return
        except (LinkLost, TimeoutError) as error:
            raise Unavailable("The registry of nodes does not answer.") from error
        if self._seen is not None and entry is not None and entry != self._seen:
            raise NodeNameTaken(self._name, holder)
        self._seen = entry
        raise _NameHeld(self._name, holder)

    async def _is_gone(self, pair: Pair, holder: NodeId) -> bool:
        """Return whether a process does not listen for a while, because it was killed and will not renew its entry."""
        for _ in range(_SILENT_TRIES):
            if await pair.bulk.ask(b"SPUBLISH", self._keys.node(holder), _NOTHING):
                return False
            await asyncio.sleep(_SILENT_S)
        return True

    @property
    def _ttl_ms(self) -> int:
        return int(self._config.heartbeat_s * _NODE_BEATS * 1000)

    def _taken(self, reply: object) -> NodeId | None:
        """Return the other process that is registered under this node's name, and record it."""
        holder, _ = nodes_reply(reply).get(self._name, (self._node, ""))
        if holder == self._node:
            self._name_is_ours.works()
            return None
        self._name_is_ours.is_down(Cause.NAME_TAKEN, f"{holder} has the node name {self._name}")
        return holder

    def _register(self) -> None:
        pair = self._supervisor.pair
        if pair is None:
            return

        def answered(value: object) -> None:
            if isinstance(value, ReplyError):
                if cause_of(value) in REFUSES_WRITES:
                    self._writes.failed(value)
                _log.warning("node not entered in the registry", error=str(value))
            elif not isinstance(value, LinkLost):
                # A full Redis accepts this write nevertheless; the watch reports whether it has memory left.
                if self._writes.cause is not Cause.FULL:
                    self._writes.works()
                self._taken(value)

        pair.bulk.call(self._scripts.nodes, self._registry_keys, self._entry(self._ttl_ms), answered)

    def _sweep(self, pair: Pair) -> None:
        """Remove expired sessions from the index of members."""

        def answered(value: object) -> None:
            if isinstance(value, ReplyError):
                _log.warning("members not looked at", error=str(value))
            elif value == 1 and self._task is not None:
                self._sweep(pair)

        keys = [self._keys.log, self._keys.due]
        arguments = (self._keys.prefix, _SWEPT, int(self._config.session_ttl_s * 1000))
        pair.bulk.call(self._scripts.sweep, keys, arguments, answered)

    def _entry(self, ttl_ms: int) -> Sequence[Argument]:
        return self._name, self._node, self._address, ttl_ms, NARROWED_FORMAT
