"""What the log of one process stores of all streams together; what it promises for each is tested by `log/test_contract.py`."""

from roomwire.log.config import LogConfig
from roomwire.log.entries import Message
from roomwire.log.guard import MAX_STREAM_BYTES
from roomwire.log.memory.primary import MemoryPrimary
from roomwire.log.positions import Epoch
from roomwire.log.streams import room_stream

ROOMS = [room_stream("/", str(number)) for number in range(10)]
SIZE = 10_000


def primary(**options) -> MemoryPrimary:
    return MemoryPrimary(LogConfig(), lambda: 0.0, epoch=Epoch("1"), **options)


def stored(found: MemoryPrimary) -> list[int]:
    return [len(found.newest(stream, 1_000)) for stream in ROOMS]


def test_of_all_streams_those_that_were_written_longest_ago_keep_nothing_once_there_is_too_much():
    found = primary(max_bytes=10 * 5 * SIZE)
    for stream in ROOMS:
        for _ in range(5):
            found.publish(stream, Message(b"x" * SIZE), "")
    assert [5] * 10 == stored(found)

    published = found.publish(ROOMS[0], Message(b"x" * SIZE), "")

    assert [6, 0, 0, 0] == stored(found)[:4]
    assert [5] * 6 == stored(found)[4:]
    assert found.page(ROOMS[0], 0, published.position).is_whole
    # A client that was away is told; one that had everything has missed nothing.
    assert not found.page(ROOMS[1], 0, published.position).is_whole
    assert found.page(ROOMS[1], 10, published.position).is_whole


def test_one_message_that_is_larger_than_all_may_be_is_stored_alone():
    found = primary(max_bytes=SIZE)
    for stream in ROOMS:
        found.publish(stream, Message(b"x" * 2 * SIZE), "")

    assert [0] * 9 + [1] == stored(found)


def test_a_large_message_costs_a_stream_no_more_than_its_size():
    found = primary()
    for _ in range(100):
        found.publish(ROOMS[0], Message(b"x" * 1_000), "")
    found.publish(ROOMS[0], Message(b"x" * (MAX_STREAM_BYTES - 50 * 1_000)), "")

    assert 51 == stored(found)[0]


def test_what_expires_is_given_back():
    now = 0.0
    found = MemoryPrimary(LogConfig(), lambda: now, epoch=Epoch("1"), max_bytes=3 * SIZE)
    for stream in ROOMS[:3]:
        found.publish(stream, Message(b"x" * SIZE), "")
    now = 1_000_000.0
    for stream in ROOMS[3:6]:
        found.publish(stream, Message(b"x" * SIZE), "")

    assert [0] * 3 + [1] * 3 + [0] * 4 == stored(found)
