"""What a gateway sends the primary from time to time: receipts of its clients, and that it lives itself."""

import asyncio
from collections.abc import Sequence
from typing import Final, cast

from roomwire.errors import NodeNameTaken, Unavailable
from roomwire.health.dependencies import REFUSES_WRITES, Cause, Dependency, cause_of
from roomwire.log.config import LogConfig
from roomwire.log.positions import Offset
from roomwire.log.redis.chunks import chunks
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

# The fence of a session that does not exist: who listens takes no notice, and Redis says whether anybody does.
_NOTHING: Final = b"f- 0"
# Together longer than a link that is being restored takes: one that lives is not taken for dead.
_SILENT_TRIES: Final = 4
_SILENT_S: Final = 0.25

_LIVES: Final = 1
_CONFIRMS: Final = 2


class _NameHeld(Unavailable):
    """Another process's entry has this node's name, and may lapse."""

    cause = Cause.NAME_TAKEN

    def __init__(self, name: str, holder: NodeId) -> None:
        super().__init__(f"The node name {name} is held by {holder} until its entry lapses.")
        self.name = name
        self.holder = holder


class Heartbeat:
    """Sends receipts soon after they came, many together, and a beat of the node's own.

    Args:
        node: This gateway.
        predecessor: The one whose entry this one takes over: it was the same process. Empty: there is none.
        address: Where other gateways reach it. Empty: they cannot.
        keys: Names of keys.
        scripts: What runs on the primary.
        config: Times.
        subscriber: Learns places and fences.
        supervisor: Has the links.
        watch: Asks the primary how it is, with each beat.
        name_is_ours: Where it is noted whether another process has this node's name.
        writes: Where it is noted whether the primary takes writes: nobody else may write for a night.

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
        watch: Watch,
        name_is_ours: Dependency,
        writes: Dependency,
    ) -> None:
        self._node = node
        self._predecessor = predecessor
        self._address = address
        self._keys = keys
        self._scripts = scripts
        self._config = config
        self._subscriber = subscriber
        self._supervisor = supervisor
        self._watch = watch
        self._name = node.rpartition(".")[0]
        self._name_is_ours = name_is_ours
        self._writes = writes
        # The entry of another process, as it was when this one first wanted to enter.
        self._seen: bytes | None = None
        self._receipts: dict[Tenure, Offset] = {}
        self._gathering: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Enter the node in the registry, and beat from now on.

        Raises:
            Unavailable: Another process's entry has its name, as that of the one that was killed under it just now does: it
                lapses unless it is renewed, sooner if that process does not listen for a second. Starting again later is
                right.
            NodeNameTaken: It was renewed.

        """
        if self._task is None:
            await self._enter()
            if self._supervisor.pair is not None:
                self._watch.ask(self._supervisor.pair)
            self._task = asyncio.create_task(self._beat())

    async def close(self) -> None:
        """Stop, and take the node out of the registry if that is possible; idempotent."""
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
                await pair.bulk.ask_script(self._scripts.nodes, [self._keys.registry], self._entry(0))
            except (LinkLost, ReplyError) as error:
                _log.info("node not taken out of the registry", error=str(error))

    def receipt(self, tenure: Tenure, received: Offset) -> None:
        """See `Log.receipt`."""
        self._receipts[tenure] = received
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(_GATHER_S, self._send_receipts)

    def forget(self, tenure: Tenure) -> None:
        """Drop what was not sent yet of a socket that is gone: its last pong still counts, so send it now."""
        if tenure in self._receipts:
            self._send_receipts()

    def _send_receipts(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        pair = self._supervisor.pair
        receipts, self._receipts = self._receipts, {}
        # While the log is held they are of no use: all clients are pinged again once it goes on.
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
                # Even without receipts: it would tell that another epoch has begun.
                self._call(pair, ())
                self._register()
                self._sweep(pair)
                self._watch.ask(pair)

    async def _enter(self) -> None:
        """Enter the registry, unless another process that may live is there under the same name."""
        pair = self._supervisor.live_pair()
        try:
            async with asyncio.timeout(self._config.call_timeout_s):
                if self._predecessor:
                    gone = (self._name, self._predecessor, "", 0)
                    await pair.bulk.ask_script(self._scripts.nodes, [self._keys.registry], gone)
                flat = await pair.bulk.ask_script(
                    self._scripts.nodes, [self._keys.registry], self._entry(self._ttl_ms)
                )
                holder = self._taken(flat)
                if holder is None:
                    return
                entry = cast("bytes | None", await pair.bulk.ask(b"HGET", self._keys.registry, self._name))
            if await self._is_gone(pair, holder):
                await pair.bulk.ask_script(
                    self._scripts.nodes, [self._keys.registry], (self._name, holder, "", 0)
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
        """Tell whether a process does not listen for a while: it was killed, and its entry will not be renewed."""
        for _ in range(_SILENT_TRIES):
            if await pair.bulk.ask(b"SPUBLISH", self._keys.node(holder), _NOTHING):
                return False
            await asyncio.sleep(_SILENT_S)
        return True

    @property
    def _ttl_ms(self) -> int:
        return int(self._config.heartbeat_s * _NODE_BEATS * 1000)

    def _taken(self, reply: object) -> NodeId | None:
        """Return which other process is in the registry under this node's name, and note it."""
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
                # A full Redis takes this write all the same: whether it has room is the watch's to say.
                if self._writes.cause is not Cause.FULL:
                    self._writes.works()
                self._taken(value)

        pair.bulk.call(self._scripts.nodes, [self._keys.registry], self._entry(self._ttl_ms), answered)

    def _sweep(self, pair: Pair) -> None:
        """Take sessions that have expired out of the index of members."""

        def answered(value: object) -> None:
            if isinstance(value, ReplyError):
                _log.warning("members not looked at", error=str(value))
            elif value == 1 and self._task is not None:
                self._sweep(pair)

        keys = [self._keys.log, self._keys.due]
        arguments = (self._keys.prefix, _SWEPT, int(self._config.session_ttl_s * 1000))
        pair.bulk.call(self._scripts.sweep, keys, arguments, answered)

    def _entry(self, ttl_ms: int) -> Sequence[Argument]:
        return self._name, self._node, self._address, ttl_ms
