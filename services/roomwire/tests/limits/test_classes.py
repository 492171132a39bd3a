"""The classes of clients."""

import pytest

from roomwire.limits.classes import ClientClass, class_of


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("guest", "guests"), ("anonymous", "guests"), ("account", "users"), ("service", "services")],
)
def test_a_client_without_an_account_is_a_guest(kind, expected):
    assert ClientClass(expected) is class_of(kind)
