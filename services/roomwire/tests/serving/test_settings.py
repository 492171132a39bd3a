"""Settings: each wrong value is a sentence that names its variable; secrets are never shown."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from roomwire.errors import ConfigurationError
from roomwire.redis.url import parse_redis_url
from roomwire.serving.settings import ServiceSettings, _complaints, _default_node_name

SECRET = "hunter2"


class Settings(ServiceSettings):
    """Those of a small service."""

    port: int = Field(8000, description="Public port.", ge=0, le=65535)
    ops_port: int = Field(9000, description="Operations port.", ge=0, le=65535)
    api_key: SecretStr | None = Field(None, description="A secret of its own.")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for variable in list(os.environ):
        if variable.startswith("ROOMWIRE_"):
            monkeypatch.delenv(variable)


@pytest.fixture
def load(monkeypatch):
    def with_environment(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"ROOMWIRE_{name}", value)
        return Settings.load()

    return with_environment


def complaint(load, **variables):
    with pytest.raises(ConfigurationError) as raised:
        load(**variables)
    return str(raised.value)


def test_without_an_environment_the_defaults_hold(load):
    settings = load()

    assert ("localhost", 8000, (), ()) == (
        settings.host,
        settings.port,
        settings.cors_origins,
        settings.trusted_proxies,
    )


def test_an_empty_variable_is_as_none(load):
    assert "info" == load(LOG_LEVEL="").log_level


def test_settings_are_frozen(load):
    settings = load()
    with pytest.raises(ValidationError):
        settings.port = 1


WRONG = [
    ("PORT", "abc"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("OPS_PORT", "9000.5"),
    ("NODE_NAME", "Node_1"),
    ("NODE_NAME", "-n"),
    ("NODE_NAME", "n-"),
    ("NODE_NAME", "n" * 64),
    ("REDIS_PREFIX", "a b"),
    ("REDIS_PREFIX", "x" * 33),
    ("REDIS_TIMEOUT_S", "0"),
    ("REDIS_TIMEOUT_S", "nan"),
    ("REDIS_TIMEOUT_S", "inf"),
    ("CORS_ORIGINS", "chat.example.org"),
    ("CORS_ORIGINS", "https://chat.example.org/"),
    ("CORS_ORIGINS", "https://chat.example.org,*"),
    ("CORS_ORIGINS", "ftp://chat.example.org"),
    ("CORS_ORIGINS", "https://"),
    ("TRUSTED_PROXIES", "everyone"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "10.0.0.0/8,*"),
    ("MAX_BODY_BYTES", "1"),
    ("DRAIN_S", "-1"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_one_sentence_that_names_its_variable_and_value(load, name, value):
    sentence = complaint(load, **{name: value})

    assert sentence.startswith(f"ROOMWIRE_{name}: ")
    assert repr(value) in sentence or repr(tuple(value.split(","))) in sentence
    assert 1 == len(sentence.splitlines())


def test_several_wrong_values_are_all_named(load):
    sentence = complaint(load, PORT="abc", LOG_LEVEL="loud")

    assert "ROOMWIRE_PORT: " in sentence
    assert "ROOMWIRE_LOG_LEVEL: " in sentence


def test_a_setting_without_default_has_to_be_set():
    with pytest.raises(ConfigurationError) as raised:
        ServiceSettings.load()

    assert "ROOMWIRE_PORT is not set; ROOMWIRE_OPS_PORT is not set" == str(raised.value)


WRONG_URLS = [
    pytest.param(f"http://user:{SECRET}@host", id="another scheme"),
    pytest.param(f"user:{SECRET}@host", id="no scheme"),
    pytest.param(f"redis://user:x/{SECRET}@host:6379/0", id="a slash in the password"),
    pytest.param(f"redis://user:12/{SECRET}@host:6379/0", id="a slash after a number"),
    pytest.param(f"redis://:x#{SECRET}@host", id="a hash in the password"),
    pytest.param(f"redis://:x?{SECRET}@host", id="a question mark in the password"),
    pytest.param(f"redis://:x@{SECRET}@host", id="an at sign in the password"),
    pytest.param(f"redis://:x\u2100{SECRET}@host", id="what Unicode turns into a slash"),
    pytest.param(f"redis://:{SECRET}@host:port/0", id="a port that is no number"),
    pytest.param(f"redis://:{SECRET}@host:70000/0", id="a port that is too large"),
    pytest.param(f"redis://:{SECRET}@[::1/0", id="half an IPv6 address"),
    pytest.param(f"redis://host/0?password={SECRET}", id="an option that nobody reads"),
    pytest.param(f"redis://:{SECRET}@one,two", id="several hosts of one server"),
    pytest.param(f"redis+sentinel://:{SECRET}@one,two", id="sentinels without a service"),
    pytest.param(f"redis+cluster://:{SECRET}@one/1", id="a cluster's second database"),
]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_a_wrong_redis_url_is_refused_without_showing_it(load, url):
    sentence = complaint(load, REDIS_URL=url)

    assert sentence.startswith("ROOMWIRE_REDIS_URL: use ")
    assert SECRET not in sentence


def test_the_authority_of_redis_becomes_part_of_its_url(load):
    redis_url = load(REDIS_URL="rediss://host", REDIS_CA_FILE="/run/ca.crt").redis_url.get_secret_value()

    assert "/run/ca.crt" == parse_redis_url(redis_url).tls["ssl_ca_certs"]
    with pytest.raises(ConfigurationError, match="use rediss://"):
        load(REDIS_URL="redis://host", REDIS_CA_FILE="/run/ca.crt")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("memory://", "memory://", id="memory"),
        pytest.param("redis://host:6379/0", "redis://host:6379/0", id="no secret"),
        pytest.param(f"redis://:{SECRET}@host:6379/1", "redis://********@host:6379/1", id="password"),
        pytest.param(f"rediss://u:{SECRET}@host", "rediss://********@host", id="user and password"),
        pytest.param(f"redis://:{SECRET}%2F@[::1]:1/0", "redis://********@[::1]:1/0", id="IPv6"),
        pytest.param("unix:///run/redis.sock", "unix:///run/redis.sock", id="socket"),
        pytest.param(
            f"redis+sentinel://u:{SECRET}@one:1,two/name/0?sentinel_password={SECRET}",
            "redis+sentinel://********@one:1,two/name/0?********",
            id="sentinels, password in the query",
        ),
        pytest.param(
            f"rediss+cluster://:{SECRET}@one:1,two", "rediss+cluster://********@one:1,two", id="cluster"
        ),
    ],
)
def test_a_redis_url_is_shown_without_its_credentials(load, url, shown):
    settings = load(REDIS_URL=url)

    assert shown == dict(settings.effective())["ROOMWIRE_REDIS_URL"]
    assert url == settings.redis_url.get_secret_value()


@given(secret=st.text(alphabet=st.characters(codec="ascii", exclude_categories=["C"]), min_size=1))
def test_a_secret_is_never_shown_nor_named_in_a_complaint(secret):
    password = f"QQ{secret}QQ"
    complaints = ""
    try:
        settings = Settings(
            redis_url=f"redis://:{password}@host:6379/0", api_key=password.replace("://", ":")
        )
    except ValidationError as error:
        complaints = "; ".join(_complaints(Settings, error))
        settings = Settings(redis_url="redis://:x@host:6379/0", api_key="x")
    shown = dict(settings.effective())

    assert password not in complaints
    assert "redis://********@host:6379/0" == shown["ROOMWIRE_REDIS_URL"]
    assert "********" == shown["ROOMWIRE_API_KEY"]


@pytest.mark.parametrize("secret", ["plain", "with:colon", "-----BEGIN PRIVATE KEY-----\nMC4CAQA"])
def test_a_secret_that_is_no_url_is_masked_as_a_whole(load, secret):
    settings = load(API_KEY=secret)

    assert "********" == dict(settings.effective())["ROOMWIRE_API_KEY"]


def test_a_secret_that_is_not_set_is_shown_as_nothing(load):
    assert "" == dict(load().effective())["ROOMWIRE_API_KEY"]


def test_a_secret_can_be_in_a_file(load, tmp_path):
    file = tmp_path / "url"
    file.write_text(f"redis://:{SECRET}@host/0\n")

    assert f"redis://:{SECRET}@host/0" == load(REDIS_URL_FILE=str(file)).redis_url.get_secret_value()


def test_the_variable_wins_over_the_file(load, tmp_path):
    file = tmp_path / "key"
    file.write_text("from the file")

    assert (
        "from the variable"
        == load(API_KEY_FILE=str(file), API_KEY="from the variable").api_key.get_secret_value()
    )


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"API_KEY_FILE": "/key"}, Path("/key")),
        ({"API_KEY_FILE": "/key", "API_KEY": "key"}, None),
        ({"API_KEY_FILE": "/key", "API_KEY": ""}, Path("/key")),
    ],
)
def test_the_file_of_a_secret_is_told_if_it_is_the_one_in_force(monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(f"ROOMWIRE_{name}", value)

    assert expected == ServiceSettings.secret_file("api_key")


def test_what_is_no_secret_is_not_read_from_files_and_refused(load, tmp_path):
    file = tmp_path / "port"
    file.write_text("1234")

    sentence = complaint(load, PORT_FILE=str(file))
    assert (
        "ROOMWIRE_PORT_FILE is not a setting: only secrets are read from files, set ROOMWIRE_PORT" == sentence
    )


def test_an_unknown_name_is_refused_beside_what_is_wrong(load):
    sentence = complaint(load, MAX_CONECTIONS="5", LOG_LEVEL="loud")

    assert sentence.startswith(
        "ROOMWIRE_MAX_CONECTIONS is not a setting: did you mean ROOMWIRE_MAX_CONNECTIONS?; ROOMWIRE_LOG_LEVEL: "
    )


def test_a_setting_of_another_service_and_a_service_link_are_ignored(load):
    assert 8000 == load(SIGNING_KEY_FILE="/key", API_PORT="1", GATEWAY_SERVICE_HOST="10.0.0.1").port


def test_a_port_that_kubernetes_has_set_for_a_service_is_refused_with_a_way_out(load):
    sentence = complaint(load, PORT="tcp://10.0.0.1:80")

    assert sentence.startswith("ROOMWIRE_PORT is an address that Kubernetes sets for a Service of that name")
    assert "enableServiceLinks: false" in sentence
    assert "tcp://10.0.0.1:80" in sentence


def test_a_secret_file_that_is_missing_is_a_sentence(load, tmp_path):
    sentence = complaint(load, API_KEY_FILE=str(tmp_path / "none"))

    assert f"ROOMWIRE_API_KEY_FILE: {tmp_path / 'none'}: No such file or directory" == sentence


def test_a_secret_file_that_is_no_text_is_a_sentence_without_its_bytes(load, tmp_path):
    file = tmp_path / "key"
    file.write_bytes(b"\xffhunter2")

    sentence = complaint(load, API_KEY_FILE=str(file))

    assert f"ROOMWIRE_API_KEY_FILE: {file}: This is not UTF-8 text" == sentence


def test_a_wrong_secret_from_a_file_is_not_shown(load, tmp_path):
    file = tmp_path / "url"
    file.write_text(f"http://{SECRET}")

    assert SECRET not in complaint(load, REDIS_URL_FILE=str(file))


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        pytest.param("*", ("*",), id="any"),
        pytest.param("https://a.example", ("https://a.example",), id="one"),
        pytest.param(
            " https://a.example , http://localhost:3000,",
            ("https://a.example", "http://localhost:3000"),
            id="several, with spaces and a comma too many",
        ),
    ],
)
def test_origins_are_written_with_commas(load, value, origins):
    assert origins == load(CORS_ORIGINS=value).cors_origins


def test_proxies_are_addresses_or_networks(load):
    settings = load(TRUSTED_PROXIES="10.0.0.0/8,192.168.1.1,fd00::/8")

    assert ("10.0.0.0/8", "192.168.1.1", "fd00::/8") == settings.trusted_proxies
    assert "10.0.0.0/8,192.168.1.1,fd00::/8" == dict(settings.effective())["ROOMWIRE_TRUSTED_PROXIES"]


@given(hostname=st.text(max_size=300))
def test_the_default_node_name_is_always_valid(hostname):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: hostname)
        name = _default_node_name()

    assert name == Settings(node_name=name).node_name


def test_a_host_name_that_is_cut_at_a_hyphen_is_no_valid_name_yet():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "a" * 62 + "-b")
        assert "a" * 62 == Settings().node_name


def test_what_is_in_force_is_listed_with_every_variable(load):
    settings = load(LOG_LEVEL="debug")

    assert [row.variable for row in Settings.listing()] == [variable for variable, _ in settings.effective()]
    assert "debug" == dict(settings.effective())["ROOMWIRE_LOG_LEVEL"]


def test_every_setting_is_described():
    assert [] == [row.variable for row in Settings.listing() if not row.description.endswith(".")]


def test_a_setting_without_default_is_listed_as_required():
    defaults = {row.variable: row.default for row in ServiceSettings.listing()}

    assert "(required)" == defaults["ROOMWIRE_PORT"]
    assert "" == defaults["ROOMWIRE_NODE_NAME"]
    assert "redis://127.0.0.1:6379/0" == defaults["ROOMWIRE_REDIS_URL"]


def test_only_the_class_that_is_read_is_built():
    class Common(ServiceSettings):
        port: int = 8000
        ops_port: int = 9000

    class Read(Common):
        """The settings of a service."""

    Read()

    assert (False, True) == (Common.__pydantic_complete__, Read.__pydantic_complete__)
