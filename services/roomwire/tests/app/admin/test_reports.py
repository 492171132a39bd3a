"""What one gateway reports of its namespaces."""

import pytest

from roomwire import Gateway
from roomwire.app.admin import reports
from roomwire.app.admin.reports import Quota, Reporter


class Board(Gateway, namespace="/board"):
    """A gateway of one namespace."""


class Tenant(Gateway, namespace="/tenant-{tenant}"):
    """A gateway of many."""


async def test_the_largest_namespaces_of_patterns_are_listed_and_the_others_are_one_line(
    nodes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reports, "MAX_DYNAMIC", 2)
    async with nodes(Board, Tenant) as cluster:
        node = cluster.nodes[0]
        for number in (1, 2, 2, 3, 4, 4):
            await cluster.connect("ann", namespace=f"/tenant-{number}")
        report = await Reporter(node.server, node.metrics, clock=lambda: 0.0, wall_clock=lambda: 0.0).report(
            Quota(sockets=10, size_bytes=100_000)
        )

    sizes = {each.name: each.sockets_count for each in report.namespaces}
    assert {"/board": 0, "/tenant-2": 2, "/tenant-4": 2, "/tenant-{tenant}": 2} == sizes
    assert 6 == len(report.sockets)
