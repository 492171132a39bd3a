"""The names that dashboards, alerts and the autoscaler read."""

import re

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from roomwire.metrics.gateway import Metrics


def families(metrics):
    text = generate_latest(metrics.registry).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_names_are_roomwire_and_in_base_units():
    metrics = Metrics()
    metrics.watch_connections(dict)

    names = set(families(metrics))
    assert {
        "roomwire_bounds_exceeded",
        "roomwire_connects",
        "roomwire_disconnects",
        "roomwire_events",
        "roomwire_event_seconds",
        "roomwire_publishes",
        "roomwire_backplane_up",
        "roomwire_connections",
    } <= names
    assert all(re.fullmatch(r"roomwire_[a-z_]+", name) for name in names)


def test_connections_are_read_when_scraped():
    metrics = Metrics()
    counts = {"websocket": 1}
    metrics.watch_connections(lambda: counts)
    counts["websocket"] = 3

    samples = families(metrics)["roomwire_connections"].samples
    assert {"polling": 0, "websocket": 3} == {s.labels["transport"]: s.value for s in samples}


def test_the_transports_are_a_closed_set():
    metrics = Metrics()
    metrics.watch_connections(lambda: {"carrier pigeon": 1})

    samples = families(metrics)["roomwire_connections"].samples
    assert {"polling", "websocket"} == {s.labels["transport"] for s in samples}


def test_what_is_held_is_read_when_scraped():
    metrics = Metrics()
    held = {"rooms": 1, "tasks": 2}
    metrics.watch_load(rooms=lambda: held["rooms"], tasks=lambda: held["tasks"])
    held.update(rooms=3, tasks=4)

    found = families(metrics)
    values = [found[name].samples[0].value for name in ("roomwire_rooms", "roomwire_tasks")]
    assert [3, 4] == values


def test_namespaces_are_counted_by_their_pattern():
    metrics = Metrics()
    metrics.watch_namespaces(lambda: {"/tenant-{tenant}": 3})

    found = metrics.registry.get_sample_value("roomwire_dynamic_namespaces", {"pattern": "/tenant-{tenant}"})
    assert 3 == found


def test_times_are_exported_as_a_histogram():
    metrics = Metrics()
    for seconds in (0.0005, 0.003, 0.003, 9.0):
        metrics.publish_seconds.count(seconds)

    def value(name, **labels):
        return metrics.registry.get_sample_value(f"roomwire_publish_seconds_{name}", labels)

    assert (1, 3, 4) == tuple(value("bucket", le=bound) for bound in ("0.001", "0.005", "+Inf"))
    assert 4 == value("count")
    assert 9.0065 == pytest.approx(value("sum"))


def test_the_lag_of_the_log_is_read_when_scraped():
    metrics = Metrics()
    assert 0 == metrics.registry.get_sample_value("roomwire_log_lag_entries")
    metrics.log_lag.set_function(lambda: 7)
    assert 7 == metrics.registry.get_sample_value("roomwire_log_lag_entries")


def test_two_metrics_do_not_share_their_counts():
    first, second = Metrics(), Metrics()
    first.connects.labels("ok").inc()

    assert 1 == first.registry.get_sample_value("roomwire_connects_total", {"outcome": "ok"})
    assert 0 == second.registry.get_sample_value("roomwire_connects_total", {"outcome": "ok"})
