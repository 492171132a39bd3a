"""What an admin page is shown of all gateways, and what has changed since. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from roomwire.app.admin.reports import Report, ShownSocket

MAX_CHANGES: Final = 500
"""Beyond these, the page gets all sockets again."""

Told = tuple[object, ...]
"""An event for the page: its name and its arguments."""
Shown = Mapping[tuple[str, str], ShownSocket]
"""Sockets by namespace and id."""


def shown_of(reports: Sequence[Report]) -> Shown:
    """Return the sockets of several gateways. A client that moves is in two reports for a moment; the later report counts."""
    return {(one.nsp, one.id): one for report in reports for one in report.sockets}


def changes(before: Shown, after: Shown, *, time: str) -> Sequence[Told]:
    """Return the events by which a page that shows the first sockets shows the second ones.

    Args:
        before: The sockets that it shows.
        after: The sockets that it will show.
        time: When they were seen, in ISO 8601.

    """
    told: list[Told] = []
    for key, old in before.items():
        new = after.get(key)
        if new is None or new.client_id != old.client_id:
            told += _gone(old, time)
    for key, new in after.items():
        known = before.get(key)
        if known is None or known.client_id != new.client_id:
            told.append(("socket_connected", new, time))
        else:
            told += _changed(known, new, time)
    return told if len(told) <= MAX_CHANGES else [everything(after)]


def everything(shown: Shown) -> Told:
    """Return the event that replaces all sockets of a page."""
    return ("all_sockets", [*shown.values()])


def _gone(old: ShownSocket, time: str) -> Iterator[Told]:
    # A page keeps the members of rooms until it is told of each.
    for room in old.rooms:
        yield ("room_left", old.nsp, room, old.id, time)
    yield ("socket_disconnected", old.nsp, old.id, "unknown", time)


def _changed(old: ShownSocket, new: ShownSocket, time: str) -> Iterator[Told]:
    if new.transport != old.transport:
        yield ("socket_updated", {"id": new.id, "nsp": new.nsp, "transport": new.transport})
    for room in new.rooms:
        if room not in old.rooms:
            yield ("room_joined", new.nsp, room, new.id, time)
    for room in old.rooms:
        if room not in new.rooms:
            yield ("room_left", new.nsp, room, new.id, time)


class Totals:
    """Turns the totals of reports into events of a moment, which a page adds up to its diagram."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], tuple[int, int]] = {}

    def stats(self, reports: Sequence[Report], *, now: float) -> Sequence[Told]:
        """Return the event `server_stats` of each report.

        Args:
            reports: The newest report of each gateway.
            now: Seconds since 1970.

        """
        last, self._last = self._last, {}
        told: list[Told] = []
        for one in reports:
            process = (one.server_id, one.pid)
            totals = self._last[process] = (one.connects, one.disconnects)
            # Of a gateway that is seen for the first time, it is not known when its sockets came.
            grown = [new - old for new, old in zip(totals, last.get(process, totals), strict=True)]
            counted = {
                "serverId": one.server_id,
                "hostname": one.hostname,
                "pid": one.pid,
                "uptime": one.uptime,
                "clientsCount": one.clients_count,
                "pollingClientsCount": one.polling_clients_count,
                "aggregatedEvents": [
                    {"timestamp": int(now) * 1_000, "type": kind, "count": count}
                    for kind, count in zip(("rawConnection", "rawDisconnection"), grown, strict=True)
                    if count > 0
                ],
                "namespaces": one.namespaces,
            }
            told.append(("server_stats", counted))
        return told
