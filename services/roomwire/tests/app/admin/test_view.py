"""What a page is told when sockets come, change and go: it is played by the UI's own rules, and shows the same as one that begins anew."""

from typing import Any

import pytest

from roomwire.app.admin.reports import Initial, NamespaceSize, Report, ShownSocket
from roomwire.app.admin.view import MAX_CHANGES, Totals, changes, everything, shown_of

TIME = "2026-01-01T00:00:00.000+00:00"
INITIAL = Initial("192.0.2.1", {}, {}, 0, secure=False, time=TIME, url="/socket.io/", xdomain=False)


def socket(id_: str, *rooms: str, client: str = "c", transport: str = "websocket") -> ShownSocket:
    return ShownSocket(id_, client + id_, transport, "/", {}, INITIAL, (id_, *rooms))


def shown(*sockets: ShownSocket) -> dict[tuple[str, str], ShownSocket]:
    return {(one.nsp, one.id): one for one in sockets}


class Page:
    """The state that the UI keeps of one namespace: rooms have members of their own."""

    def __init__(self) -> None:
        self.sockets: dict[str, tuple[str, str, set[str]]] = {}
        self.rooms: dict[str, set[str]] = {}

    def told(self, name: str, *arguments: Any) -> None:
        getattr(self, name)(*arguments)

    def all_sockets(self, sockets):
        self.sockets, self.rooms = {}, {}
        for one in sockets:
            self.socket_connected(one, TIME)

    def socket_connected(self, one, _):
        self.sockets[one.id] = (one.client_id, one.transport, {*one.rooms})
        for room in one.rooms:
            self.rooms.setdefault(room, set()).add(one.id)

    def socket_updated(self, changed):
        client, _, rooms = self.sockets[changed["id"]]
        self.sockets[changed["id"]] = (client, changed["transport"], rooms)

    def socket_disconnected(self, _nsp, id_, _reason, _time):
        del self.sockets[id_]

    def room_joined(self, _nsp, room, id_, _time):
        self.sockets[id_][2].add(room)
        self.rooms.setdefault(room, set()).add(id_)

    def room_left(self, _nsp, room, id_, _time):
        self.sockets[id_][2].discard(room)
        self.rooms[room].discard(id_)
        if not self.rooms[room]:
            del self.rooms[room]


ANN, BEN = socket("ann", "den"), socket("ben")


@pytest.mark.parametrize(
    ("after", "names"),
    [
        ([ANN, BEN], []),
        ([ANN, BEN, socket("cid", "den")], ["socket_connected"]),
        ([BEN], ["room_left", "room_left", "socket_disconnected"]),
        ([ANN, socket("ben", "den")], ["room_joined"]),
        ([socket("ann"), BEN], ["room_left"]),
        ([socket("ann", "den", transport="polling"), BEN], ["socket_updated"]),
        (
            [socket("ann", "den", client="d"), BEN],
            ["room_left", "room_left", "socket_disconnected", "socket_connected"],
        ),
        ([socket(str(number)) for number in range(MAX_CHANGES)], ["all_sockets"]),
    ],
    ids=["nothing", "comes", "goes", "joins", "leaves", "upgrades", "another connection", "too much"],
)
def test_a_page_that_is_told_of_changes_shows_what_a_new_page_shows(after, names):
    told = changes(shown(ANN, BEN), shown(*after), time=TIME)
    page, new = Page(), Page()
    page.told(*everything(shown(ANN, BEN)))
    for one in told:
        page.told(*one)
    new.told(*everything(shown(*after)))

    assert names == [one[0] for one in told]
    assert vars(new) == vars(page)


def report(name: str = "one", pid: int = 1, connects: int = 0, disconnects: int = 0, sockets=()) -> Report:
    return Report(name, "host", pid, 1.0, 2, 1, [NamespaceSize("/", 2)], connects, disconnects, sockets)


def test_a_client_that_two_gateways_report_is_shown_once():
    ours, theirs = report(sockets=[ANN, BEN]), report("two", sockets=[socket("ann", client="d")])

    assert shown(socket("ann", client="d"), BEN) == shown_of([ours, theirs])


def test_totals_become_events_of_the_moment_except_for_a_process_that_is_new():
    totals = Totals()
    counts = [
        [one[1]["aggregatedEvents"] for one in totals.stats(reports, now=7.9)]
        for reports in (
            [report(connects=5)],
            [report(connects=7, disconnects=1), report("two", connects=9)],
            [report(pid=2, connects=1), report("two", connects=9)],
        )
    ]

    grown = [
        {"timestamp": 7_000, "type": "rawConnection", "count": 2},
        {"timestamp": 7_000, "type": "rawDisconnection", "count": 1},
    ]
    assert [[[]], [grown, []], [[], []]] == counts
