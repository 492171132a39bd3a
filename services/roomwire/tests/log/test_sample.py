"""Which streams are measured: often enough to know the large ones, and nothing of the rest."""

from itertools import repeat
from random import Random
from types import SimpleNamespace

from roomwire.log.sample import MEAN_BYTES, Sample


def publishes(*said):
    return [SimpleNamespace(stream=stream, blob=b"x" * size) for stream, size in said]


def test_a_stream_is_chosen_by_the_publish_that_reaches_the_distance():
    sample = Sample(repeat(1_000).__next__)

    assert [] == list(sample.take(publishes(("a", 400)), 400))
    assert ["c"] == sample.take(publishes(("b", 500), ("c", 100), ("a", 900)), 1_500)
    assert ["a"] == sample.take(publishes(("a", 100)), 100)


def test_a_stream_is_chosen_once_a_batch():
    sample = Sample(repeat(1_000).__next__)

    assert ["a", "b"] == sample.take(publishes(("a", 5_000), ("b", 5_000), ("a", 5_000)), 15_000)


def test_streams_are_measured_by_their_bytes_in_whatever_order_they_are_written():
    random = Random(1)
    sample = Sample(lambda: random.expovariate(1 / MEAN_BYTES))
    chosen = {"large": 0, "small": 0}
    for _ in range(40_000):
        for stream in sample.take(publishes(("large", 6_000), ("small", 600)), 6_600):
            chosen[stream] += 1

    expected = 40_000 * 6_000 / MEAN_BYTES
    assert 0.9 * expected < chosen["large"] < 1.1 * expected
    assert 0.07 < chosen["small"] / chosen["large"] < 0.13
