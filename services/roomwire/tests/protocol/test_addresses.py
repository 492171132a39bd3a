"""Addresses, as they are read and limited by."""

import pytest

from roomwire.protocol.addresses import household


@pytest.mark.parametrize(
    ("address", "limited_by"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not:an:address", "not:an:address"),
        ("", ""),
    ],
)
def test_an_address_of_ipv6_is_limited_with_all_that_its_owner_has(address, limited_by):
    assert limited_by == household(address)
