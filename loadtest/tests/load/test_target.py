"""An address is read once, and what cannot be meant is refused with a sentence."""

import pytest

from roomwire_loadtest.load.target import Target, WrongUrl


@pytest.mark.parametrize(
    ("url", "is_safe", "host", "port", "authority", "prefix"),
    [
        ("http://localhost", False, "localhost", 80, "localhost", ""),
        ("http://localhost:3000/", False, "localhost", 3000, "localhost:3000", ""),
        ("https://chat.example", True, "chat.example", 443, "chat.example", ""),
        ("HTTPS://Chat.Example:8443", True, "chat.example", 8443, "Chat.Example:8443", ""),
        ("http://[::1]:3000", False, "::1", 3000, "[::1]:3000", ""),
        ("https://example.com/chat", True, "example.com", 443, "example.com", "/chat"),
        ("https://example.com/a/b/", True, "example.com", 443, "example.com", "/a/b"),
    ],
)
def test_an_address_has_a_host_a_port_and_a_path_that_goes_before_all_others(
    url, is_safe, host, port, authority, prefix
):
    expected = Target(is_safe=is_safe, host=host, port=port, authority=authority, prefix=prefix)
    assert expected == Target.of(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "it must begin with http:// or https://"),
        ("localhost:3000", "it must begin with http:// or https://"),
        ("ws://localhost", "it must begin with http:// or https://"),
        ("http://", "it names no host"),
        ("http:///chat", "it names no host"),
        ("http://localhost:80a", "Port could not be cast to integer value as '80a'"),
        ("http://localhost:70000", "Port out of range 0-65535"),
        ("http://ann:secret@localhost", "it may have a host, a port and a path, and nothing else"),
        ("http://localhost/?a=b", "it may have a host, a port and a path, and nothing else"),
        ("http://localhost/#top", "it may have a host, a port and a path, and nothing else"),
        ("http://localhost/a b", "it must consist of ASCII characters without spaces"),
    ],
)
def test_what_is_no_address_is_refused_with_its_reason(url, reason):
    with pytest.raises(WrongUrl) as caught:
        Target.of(url)
    assert f"{url.replace('ann:secret', '...')!r} is not the address of a system: {reason}." == str(
        caught.value
    )
