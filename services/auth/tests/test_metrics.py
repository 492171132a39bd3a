"""The names that dashboards read."""

from roomwire_auth.metrics import Metrics


def test_the_names_are_these():
    expected = {
        "roomwire_auth_requests",
        "roomwire_auth_password_seconds",
        "roomwire_auth_password_queue",
        "roomwire_auth_refresh_reuses",
        "roomwire_auth_refresh_repeats",
        "roomwire_auth_throttled",
        "roomwire_dependency_down",
    }

    assert expected == {metric.name for metric in Metrics().registry.collect()}


def test_the_password_queue_is_read_when_it_is_scraped(metrics):
    waiting = [3, 5]
    metrics.watch_password_queue(waiting.pop)

    assert metrics.registry.get_sample_value("roomwire_auth_password_queue") == 5
    assert metrics.registry.get_sample_value("roomwire_auth_password_queue") == 3
