"""Binding a port: of IPv4 and IPv6, of the one that there is, or of neither."""

import errno
import socket

import pytest

from roomwire.serving.ports import bind

LOOPBACK = ["127.0.0.1", "::1"]
pytestmark = pytest.mark.usefixtures("starts_servers")


@pytest.mark.parametrize("host", ["localhost", "::", "LOCALHOST"])
@pytest.mark.parametrize("address", LOOPBACK)
def test_a_port_is_reached_by_either_family(host, address):
    with bind(host, 0) as sockets, socket.create_connection((address, sockets.port)) as client:
        listening = next(each for each in sockets if each.family == client.family)
        accepted, peer = listening.accept()
        accepted.close()

        assert address == peer[0]


@pytest.mark.parametrize("address", LOOPBACK)
def test_one_address_is_bound_alone(address):
    with bind(address, 0) as sockets:
        assert [address] == [each.getsockname()[0] for each in sockets]


def test_both_families_share_a_port():
    with bind("::", 0) as sockets:
        assert [sockets.port] * 2 == [each.getsockname()[1] for each in sockets]


@pytest.fixture
def without(monkeypatch):
    """Let the machine have one family less: its sockets cannot be made, or have no address."""
    create = socket.create_server

    def prepare(family, number):
        def create_others(address, **options):
            if options["family"] == family:
                raise OSError(number, "there is none")
            return create(address, **options)

        monkeypatch.setattr(socket, "create_server", create_others)

    return prepare


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
@pytest.mark.parametrize("host", ["localhost", "::"])
@pytest.mark.parametrize(
    ("absent", "left"), [(socket.AF_INET6, socket.AF_INET), (socket.AF_INET, socket.AF_INET6)]
)
def test_a_family_that_the_machine_does_not_have_is_left_out(without, host, absent, left, number):
    without(absent, number)
    with bind(host, 0) as sockets:
        assert [left] == [each.family for each in sockets]


def test_an_address_that_the_machine_does_not_have_cannot_be_bound(without):
    without(socket.AF_INET6, errno.EADDRNOTAVAIL)
    with pytest.raises(OSError, match="there is none"):
        bind("::1", 0)


def test_a_port_that_is_taken_in_one_family_is_taken():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            bind("localhost", port)
        # Nothing of the attempt is left.
        socket.create_server(("127.0.0.1", port)).close()


def test_a_free_port_is_free_in_both_families(monkeypatch):
    create, calls = socket.create_server, []

    def taken_at_first(address, **options):
        calls.append(address[0])
        if calls == LOOPBACK:
            raise OSError(errno.EADDRINUSE, "it is taken")
        return create(address, **options)

    monkeypatch.setattr(socket, "create_server", taken_at_first)
    with bind("localhost", 0) as sockets:
        assert LOOPBACK == [each.getsockname()[0] for each in sockets]
    assert LOOPBACK * 2 == calls
