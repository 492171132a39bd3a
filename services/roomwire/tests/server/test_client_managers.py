"""What python-socketio's managers mean: the URL and the prefix of the log that each stands for."""

import pytest
import socketio

from roomwire import Server
from roomwire.app.app import App
from roomwire.app.differences import differences
from roomwire.app.settings import GatewaySettings
from roomwire.redis.url import RedisUrl, parse_redis_url
from roomwire.server.client_managers import managed_log

URLS = [
    ("redis://h:1/2", {}, RedisUrl(kind="one", hosts=(("h", 1),), database=2)),
    ("redis://", {}, RedisUrl(kind="one", hosts=(("localhost", 6379),))),
    ("valkey://h", {}, RedisUrl(kind="one", hosts=(("h", 6379),))),
    (
        "valkeys://u:p%2F@h",
        {},
        RedisUrl(kind="one", hosts=(("h", 6379),), user="u", password="p/", has_tls=True),
    ),
    ("redis://h/1", {"db": 3, "socket_timeout": 1}, RedisUrl(kind="one", hosts=(("h", 6379),), database=3)),
    (
        "redis://u@h",
        {"password": "p@/"},
        RedisUrl(kind="one", hosts=(("h", 6379),), user="u", password="p@/"),
    ),
    (
        "rediss://h",
        {"ssl_cert_reqs": "none", "ssl_check_hostname": False},
        RedisUrl(
            kind="one",
            hosts=(("h", 6379),),
            has_tls=True,
            tls={"ssl_cert_reqs": "none", "ssl_check_hostname": "false"},
        ),
    ),
    (
        "redis+sentinel://u:p@a:1,b:2/3/mine",
        {},
        RedisUrl(
            kind="sentinel", hosts=(("a", 1), ("b", 2)), user="u", password="p", service="mine", database=3
        ),
    ),
]


@pytest.mark.parametrize(("url", "options", "expected"), URLS, ids=[row[0] for row in URLS])
def test_the_log_is_at_the_managers_server(url, options, expected):
    found = managed_log(socketio.AsyncRedisManager(url, redis_options=options))
    assert found is not None
    assert expected == parse_redis_url(found.url)


@pytest.mark.parametrize(
    ("options", "prefix"),
    [({}, "rw"), ({"channel": "socketio"}, "rw"), ({"channel": "mine"}, "mine")],
    ids=str,
)
def test_the_channel_is_the_prefix_of_keys(options, prefix):
    assert prefix == managed_log(socketio.AsyncRedisManager("redis://h", **options)).prefix


@pytest.mark.parametrize("manager", [None, socketio.AsyncManager()], ids=["none", "of one node"])
def test_a_single_node_has_a_log_in_memory(manager):
    assert managed_log(manager) is None


def test_an_option_that_no_url_can_express_is_refused():
    with pytest.raises(ValueError, match="redis_options: credential_provider"):
        managed_log(socketio.AsyncRedisManager("redis://h", redis_options={"credential_provider": object()}))


def test_a_manager_and_a_log_exclude_each_other():
    with pytest.raises(ValueError, match="leave out one"):
        Server(socketio.AsyncRedisManager("redis://h"), log=Server().log)


def test_each_process_with_a_manager_is_a_node_of_its_own():
    names = {Server(socketio.AsyncRedisManager("redis://h")).node_name for _ in range(2)}
    assert 2 == len(names)
    assert "mine" == Server(socketio.AsyncRedisManager("redis://h"), node_name="mine").node_name


def test_settings_take_precedence_over_a_manager():
    server = Server(socketio.AsyncRedisManager("redis://h"))
    found = list(differences(App(server=server), GatewaySettings(redis_url="memory://", auth_mode="off")))
    assert ["the server's client_manager has no effect: ROOMWIRE_REDIS_URL determines the log"] == found
    server.served_with(log=Server().log, node_name="n")
    assert "n" == server.node_name
