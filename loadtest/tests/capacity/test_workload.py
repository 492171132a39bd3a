"""A workload is read whole or refused with the name of what is wrong."""

import pytest

from roomwire_loadtest.capacity.planning.sizes import Fixed
from roomwire_loadtest.capacity.planning.workload import WrongWorkload, read
from roomwire_loadtest.capacity.report.document import SHIPPED
from roomwire_loadtest.checkout import WORKLOADS

LEAST = 'title = "t"\nconnections = 10\n[rooms]\nsizes = {kind = "fixed", size = 2}\n'


def test_what_is_not_said_has_its_default(tmp_path):
    (tmp_path / "w.toml").write_text(LEAST)
    workload = read(tmp_path / "w.toml")
    assert Fixed(2) == workload.rooms.sizes
    assert 1 == workload.deployment.spare_gateways


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (LEAST.replace("10", "-1"), "connections"),
        ("polling = 1\n" + LEAST, "polling"),
        ("polling_share = 2\n" + LEAST, "polling_share"),
        ("title = 1", "title"),
        (LEAST + "[deployment]\ngateway_busy = 1.5\n", "gateway_busy"),
        ("title", "w.toml"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, named):
    (tmp_path / "w.toml").write_text(text)
    with pytest.raises(WrongWorkload, match=named):
        read(tmp_path / "w.toml")


@pytest.mark.parametrize(
    ("name", "connections"), list(zip(SHIPPED, (10_000, 1_000_000, 100_000_000), strict=True))
)
def test_the_shipped_ones_are_of_the_sizes_that_they_say(name, connections):
    assert connections == read(WORKLOADS / f"{name}.toml").connections
