"""What may be asked of an identity provider. What it answers is in `test_jwks.py`."""

import pytest

from roomwire.identity.provider import is_trustworthy


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://id.example.org/.well-known/openid-configuration", True),
        ("https://10.0.0.1:8443/", True),
        ("http://127.0.0.1:8001/jwks.json", True),
        ("http://127.8.9.1/", True),
        ("http://localhost:8001/", True),
        ("http://[::1]:8001/", True),
        ("http://id.example.org/", False),
        ("http://10.0.0.1/", False),
        ("http://localhost.example.org/", False),
        ("http://127.0.0.1.example.org/", False),
        ("http://127.0.0.1@example.org/", False),
        ("http://[::2]/", False),
        ("ftp://127.0.0.1/", False),
        ("file:///etc/passwd", False),
        ("//id.example.org/", False),
        ("/jwks.json", False),
        ("https:///jwks.json", False),
        ("https://id.example.org:port/", False),
        ("", False),
    ],
)
def test_only_what_nobody_on_the_way_can_answer_is_trusted(url, expected):
    assert expected is is_trustworthy(url)
