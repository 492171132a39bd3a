"""The sampler sees what a real system holds."""

import contextlib
import socket

from roomwire_loadtest.soak.samples import ALLOWED, Sampler
from roomwire_local.free_ports import free_port
from roomwire_local.system import HOST, local_system


def test_each_process_is_seen_and_what_is_opened_at_one_shows_there_alone(tmp_path):
    with local_system(tmp_path, free_port()) as system, contextlib.closing(Sampler(system)) as sampler:
        sampler.look()
        with contextlib.ExitStack() as stack:
            for _ in range(30):
                link = stack.enter_context(socket.create_connection((HOST, system.ports["gateway-1"])))
                link.sendall(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
                assert link.recv(1)  # it has been accepted
            sampler.look()
        held = {name: [value for _, value in series] for name, series in sampler.series.items()}
    expected = {f"{name}.{what}" for name in ("gateway-1", "gateway-2") for what in ("tasks", "rooms")}
    expected |= {f"{name}.{what}" for name in system.ports for what in ("memory_bytes", "descriptors")}
    expected |= {"redis.keys", "redis.used_bytes"}
    assert expected == set(held)
    assert {name.partition(".")[2] for name in held} == set(ALLOWED)
    before, after = held["gateway-1.descriptors"]
    assert after - before >= 30
    before, after = held["gateway-2.descriptors"]
    assert after - before < 30
