"""The bytes of a stranger's connections are counted, whatever reads them."""

import socket

from roomwire_loadtest.economics.wires import Meter, MeteredSocket


def test_what_a_socket_sends_and_receives_is_counted_also_through_a_file():
    plain, other = socket.socketpair()
    plain.settimeout(3.0)
    meter = Meter()
    with other, MeteredSocket(plain, meter) as metered:
        metered.sendall(b"abc")
        other.sendall(b"12345")

        assert (b"12", b"345", 3.0) == (
            metered.recv(2),
            metered.makefile("rb").read(3),
            metered.gettimeout(),
        )
        assert (3, 5) == (meter.up, meter.down)
