"""Watches all gateways for the admin pages that are connected to this one.

While a page is connected, each round asks every gateway for its report and tells the pages what has changed. No part of a gateway is
changed for that, so that nothing is measured, kept or sent where no page is connected.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from roomwire.app.admin.login import NAMESPACE
from roomwire.app.admin.reports import Quota, Report, Reporter
from roomwire.app.admin.view import Shown, Told, Totals, changes, everything, shown_of
from roomwire.errors import ClientError
from roomwire.gateways import Socket
from roomwire.logs import get_logger
from roomwire.server import Server

ROUND_S: Final = 2.0
ANSWER_S: Final = 1.0
REPORT: Final = "report"
MAX_SHOWN_BYTES: Final = 2_000_000
"""Maximum size of the sockets of all gateways. It is half of what may wait for a client that does not read."""

_log = get_logger(__name__)


class Watch:
    """Tells admin pages of all gateways.

    Args:
        server: The server.
        reporter: Reports on this gateway.
        max_sockets: Maximum number of sockets that pages are told of. 0: they are told of none.
        wall_clock: Seconds since 1970.

    """

    def __init__(
        self, server: Server, reporter: Reporter, *, max_sockets: int, wall_clock: Callable[[], float]
    ) -> None:
        self._server = server
        self._reporter = reporter
        self._max_sockets = max_sockets
        self._wall_clock = wall_clock
        self._pages: dict[Socket, bool] = {}
        """Whether each has been told of all sockets."""
        self._is_running = False
        self._known: Mapping[str, Report] = {}
        self._shown: Shown = {}
        self._totals = Totals()
        server.on_server_side(REPORT, self._answer, namespace=NAMESPACE)

    def add(self, page: Socket) -> None:
        """Tell a page of all gateways, from the next round on. Pages cannot make rounds more frequent."""
        self._pages[page] = False
        if not self._is_running:
            self._is_running = True
            self._server.begin(self._run())

    def remove(self, page: Socket) -> None:
        """Tell a page no more."""
        self._pages.pop(page, None)

    async def _answer(self, sockets: int, size_bytes: int) -> object:
        """Return the report of this gateway to another one."""
        quota = Quota(min(int(sockets), self._max_sockets), min(int(size_bytes), MAX_SHOWN_BYTES))
        return msgspec.to_builtins(await self._reporter.report(quota))

    async def _run(self) -> None:
        try:
            while self._pages:
                await self._round()
                await asyncio.sleep(ROUND_S)
        finally:
            self._is_running = False
            self._known, self._shown, self._totals = {}, {}, Totals()

    async def _round(self) -> None:
        if not self._known:
            # How many gateways there are decides how much each may report.
            await self._look(Quota())
        fresh = await self._look(self._quota())
        now = self._wall_clock()
        before, self._shown = self._shown, shown_of([*self._known.values()])
        time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        news = changes(before, self._shown, time=time)
        stats = self._totals.stats(fresh, now=now)
        for page, has_all in [*self._pages.items()]:
            if page in self._pages:
                self._pages[page] = True
                await self._tell(page, news if has_all else self._all_sockets(), stats)

    def _all_sockets(self) -> Sequence[Told]:
        return [everything(self._shown)] if self._max_sockets else []

    @staticmethod
    async def _tell(page: Socket, *told: Sequence[Told]) -> None:
        for events in told:
            for name, *arguments in events:
                await page.emit(str(name), *arguments)

    def _quota(self) -> Quota:
        gateways = max(len(self._known), 1)
        return Quota(-(-self._max_sockets // gateways), MAX_SHOWN_BYTES // gateways)

    async def _look(self, quota: Quota) -> Sequence[Report]:
        """Ask all gateways, and return the reports that came; keep the last one of a gateway that lives and did not answer."""
        fresh = {self._server.node_name: await self._reporter.report(quota)}
        missing = {*self._known}
        try:
            results = await self._server.server_side_emit_with_ack(
                REPORT, quota.sockets, quota.size_bytes, namespace=NAMESPACE, timeout_s=ANSWER_S
            )
        except ClientError as error:
            _log.warning("gateways not watched", code=error.code, error=error.message)
        else:
            # A node's name is followed by a dot and a random suffix.
            missing = {node.rpartition(".")[0] for node in results.missing}
            for answer in results.answers.values():
                with contextlib.suppress(msgspec.ValidationError):
                    report = msgspec.convert(answer, Report)
                    fresh[report.server_id] = report
        kept = {name: report for name, report in self._known.items() if name in missing}
        self._known = {**kept, **fresh}
        return [*fresh.values()]
