"""The names of settings: one that is none is refused with the nearest; what others set is left alone."""

import pytest

from roomwire.serving.setting_names import OF_SERVICES, PREFIX, unknown
from roomwire.serving.settings import ServiceSettings
from roomwire_auth.settings import Settings as AuthSettings
from roomwire_gateway.settings import Settings as GatewaySettings

KNOWN = {"ROOMWIRE_MAX_CONNECTIONS", "ROOMWIRE_MAX_CONNECTIONS_PER_ADDRESS", "ROOMWIRE_PORT", "ROOMWIRE_PAGE"}


def told(name, value="5"):
    return list(unknown([(name, value)], KNOWN))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "ROOMWIRE_MAX_CONECTIONS",
            "ROOMWIRE_MAX_CONECTIONS is not a setting: did you mean ROOMWIRE_MAX_CONNECTIONS?",
        ),
        ("roomwire_prot", "roomwire_prot is not a setting: did you mean ROOMWIRE_PORT?"),
        ("ROOMWIRE_PORTS", "ROOMWIRE_PORTS is not a setting: did you mean ROOMWIRE_PORT?"),
        (
            "ROOMWIRE_PORT_FILE",
            "ROOMWIRE_PORT_FILE is not a setting: only secrets are read from files, set ROOMWIRE_PORT",
        ),
        ("ROOMWIRE_QQQQQQQQQQQQQQQQQQQQ", "ROOMWIRE_QQQQQQQQQQQQQQQQQQQQ is not a setting"),
        ("ROOMWIRE_", "ROOMWIRE_ is not a setting"),
    ],
)
def test_a_name_that_is_no_setting_is_told_with_the_nearest_one(name, sentence):
    (found,) = told(name)
    assert found.startswith(sentence)


@pytest.mark.parametrize("value", ["", "hunter2", "tcp://10.0.0.1:80"])
def test_no_value_makes_it_one_and_none_is_shown(value):
    (found,) = told("ROOMWIRE_MAX_CONECTIONS", value)
    assert not value or value not in found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROOMWIRE_PORT", "80"),
        ("roomwire_page", "true"),
        ("PATH", "/bin"),
        ("ROOM", "1"),
        ("MY_ROOMWIRE_X", "1"),
        ("ROOMWIRE_SERVICE_HOST", "10.0.0.1"),
        ("ROOMWIRE_SERVICE_PORT", "80"),
        ("ROOMWIRE_GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("ROOMWIRE_GATEWAY_SERVICE_PORT", "80"),
        ("ROOMWIRE_GATEWAY_SERVICE_PORT_HTTP_ALT", "80"),
        ("ROOMWIRE_GATEWAY_PORT", "tcp://10.0.0.1:80"),
        ("ROOMWIRE_DNS_PORT", "udp://10.0.0.1:53"),
        ("ROOMWIRE_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("ROOMWIRE_GATEWAY_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("ROOMWIRE_GATEWAY_PORT_80_TCP_PROTO", "tcp"),
        ("ROOMWIRE_GATEWAY_PORT_80_TCP_PORT", "80"),
        ("ROOMWIRE_GATEWAY_PORT_80_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_a_setting_and_what_others_set_is_left_alone(name, value):
    assert [] == told(name, value)


@pytest.mark.parametrize(
    ("name", "value"), [("ROOMWIRE_GATEWAY_PORT", "80"), ("ROOMWIRE_SERVICE_HOSTS", "10.0.0.1")]
)
def test_what_only_looks_like_a_service_link_is_told(name, value):
    assert 1 == len(told(name, value))


def test_the_names_of_all_services_are_known_to_each():
    expected = (GatewaySettings._names() | AuthSettings._names()) - ServiceSettings._names()
    listed = "\n".join(sorted(name.removeprefix(PREFIX) for name in expected))
    assert expected == OF_SERVICES, f"make the list of setting_names.py:\n{listed}"
