"""How many connections are open: the counts themselves. What makes them change is in serving/test_http.py."""

from hypothesis import given
from hypothesis import strategies as st

from roomwire.limits.connections import Connections, Full

ADDRESSES = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", ""])


def test_one_connection_more_than_allowed_stays_out():
    connections = Connections(2, max_connections_per_address=0)
    assert [None, None, Full.CONNECTIONS] == [connections.admit(address) for address in ("a", "b", "c")]
    assert 2 == connections.open


def test_one_connection_more_of_an_address_stays_out_and_others_come_in():
    connections = Connections(0, max_connections_per_address=1)
    assert [None, Full.CONNECTIONS_PER_ADDRESS, None] == [connections.admit(a) for a in ("a", "a", "b")]


@given(
    wishes=st.lists(st.tuples(st.booleans(), ADDRESSES)),
    most=st.integers(0, 5),
    most_of_one=st.integers(0, 3),
)
def test_the_bounds_hold_whoever_comes_and_goes_and_nothing_is_left_behind(wishes, most, most_of_one):
    connections = Connections(most, max_connections_per_address=most_of_one)
    inside: list[str] = []
    for comes, address in wishes:
        if comes and connections.admit(address) is None:
            inside.append(address)
        elif not comes and address in inside:
            inside.remove(address)
            connections.release(address)
        assert len(inside) == connections.open
        assert not most or len(inside) <= most
        assert not most_of_one or inside.count(address) <= most_of_one
    for address in inside:
        connections.release(address)
    assert (0, {}) == (connections.open, connections._open_by_address)
