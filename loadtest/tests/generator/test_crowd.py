"""The generator counts every event once, however the bytes are cut, and answers what must be answered."""

import random
import socket
import threading
import time

import pytest
from waiting import time_passes_blocking

from roomwire_loadtest.generator.crowd import Burst, Crowd
from roomwire_loadtest.generator.dialects import Centrifuge, SocketIO
from roomwire_loadtest.generator.links import Link
from roomwire_loadtest.generator.masking import PONG, masked

PING = b"\x81\x012"


def event(time_ns: int | None = None) -> bytes:
    stamp = time.monotonic_ns() if time_ns is None else time_ns
    payload = b'42["roomMessage","%016d"]' % stamp
    return bytes((0x81, len(payload))) + payload


def push(count: int) -> bytes:
    line = b'{"push":{"channel":"room","pub":{"data":"%016d"}}}' % time.monotonic_ns()
    payload = b"\n".join([line] * count)
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload


@pytest.fixture
def pair():
    here, there = socket.socketpair()
    there.settimeout(5)
    with here, there:
        yield Link(here), there


def counted(crowd: Crowd, server: socket.socket, chunks: list[bytes]) -> int:
    def serve() -> None:
        for chunk in chunks:
            server.sendall(chunk)
            time_passes_blocking(0.001)

    thread = threading.Thread(target=serve)
    thread.start()
    while thread.is_alive():
        crowd.idle(0.01)
    crowd.idle(0.02)
    thread.join()
    return crowd.arrived


@pytest.mark.parametrize("seed", range(5))
def test_events_are_counted_once_however_they_are_cut(pair, seed):
    link, server = pair
    dice = random.Random(seed)
    frames = [dice.choice([event(), event(), event(), PING, b"\x81\x0443[]"]) for _ in range(200)]
    data = b"".join(frames)
    cuts = sorted(dice.randrange(len(data)) for _ in range(40))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    crowd = Crowd([link], SocketIO())
    assert sum(frame[2:4] == b"42" for frame in frames) == counted(crowd, server, chunks)
    assert frames.count(PING) == crowd.pings
    assert SocketIO.pong * crowd.pings == server.recv(65_536)
    crowd.close()


def test_several_lines_of_a_frame_are_counted_each(pair):
    link, server = pair
    crowd = Crowd([link], Centrifuge())
    data = push(1) + push(16) + b"\x81\x02{}" + push(40)
    assert 57 == counted(crowd, server, [data[:30], data[30:500], data[500:]])
    assert 1 == crowd.pings
    crowd.close()


def test_what_arrived_while_connecting_is_counted_too(pair):
    link, server = pair
    whole = event()
    link.inbox += whole + whole[:10]
    crowd = Crowd([link], SocketIO())
    assert 2 == counted(crowd, server, [whole[10:]])
    crowd.close()


def test_a_ping_of_the_websocket_is_answered(pair):
    link, server = pair
    crowd = Crowd([link], SocketIO())
    counted(crowd, server, [b"\x89\x02hi"])
    assert masked(b"hi", PONG) == server.recv(100)
    crowd.close()


def test_a_connection_that_the_server_closes_is_lost_and_said_so(pair):
    link, server = pair
    crowd = Crowd([link], SocketIO())
    server.close()
    crowd.idle(0.02)
    assert 1 == crowd.lost
    crowd.close()


def test_a_rate_is_offered_on_schedule_to_a_server_that_does_not_answer(pair):
    link, _ = pair
    crowd = Crowd([link], SocketIO())
    burst = crowd.offer([(link, SocketIO().chat("room"))], 1, 100.0, 0.2, grace_s=0.05)
    assert (20, 20, 0) == (burst.sent, burst.expected, burst.arrived)
    assert burst.latency_ms(0.5) is None
    crowd.close()


def test_a_hopeless_attempt_is_given_up(pair):
    link, _ = pair
    crowd = Crowd([link], SocketIO())
    burst = crowd.offer([(link, SocketIO().chat("room"))], 1, 100.0, 5.0, grace_s=0.05)
    assert burst.given_up
    assert burst.sent < 200
    crowd.close()


def test_what_did_not_arrive_counts_as_late():
    burst = Burst(sent=100, expected=100, arrived=98, latencies_ns=[1_000_000] * 98, given_up=False)
    assert 1.0 == burst.latency_ms(0.5)
    assert burst.latency_ms(0.99) is None


def test_nothing_is_offered_before_all_has_arrived(pair):
    link, server = pair
    crowd = Crowd([link], SocketIO())
    speakers = [(link, SocketIO().chat("room"))]
    crowd.offer(speakers, 1, 100.0, 0.05, grace_s=0.01)
    with pytest.raises(RuntimeError, match="counted twice"):
        crowd.offer(speakers, 1, 100.0, 0.05, grace_s=0.01)
    server.sendall(event() * 5)
    assert crowd.settle(1.0)
    assert 5 == crowd.offer(speakers, 1, 100.0, 0.05, grace_s=0.01).sent
    crowd.close()
