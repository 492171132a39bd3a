"""The proof by which two nodes show each other that they know the secret, before either sends any data of a client. Pure.

```
caller → listener   hello:    "RWR1", a nonce, MAC(hello, the listener's node, the nonce)
listener → caller   welcome:  a nonce, MAC(welcome, node, both nonces)
caller → listener   request:  its length, MAC(request, node, both nonces, the request), the request
```

A listener does not answer a false hello, and a caller sends a client's request only to a peer that has proved to be
the requested node: the address may now belong to another machine. Both nonces are fresh, so messages cannot be
replayed, and no clock is needed. The proof does not encrypt: an eavesdropper can read relayed data.

The MAC is HMAC-SHA256 (RFC 2104) over the parts, each preceded by its length.
"""

import hmac
import secrets
from typing import Final, NamedTuple

import msgspec

_MAGIC: Final = b"RWR1"
_NONCE_BYTES: Final = 16
_MAC_BYTES: Final = 32
_LENGTH_BYTES: Final = 4
HELLO_BYTES: Final = len(_MAGIC) + _NONCE_BYTES + _MAC_BYTES
WELCOME_BYTES: Final = _NONCE_BYTES + _MAC_BYTES
ENVELOPE_BYTES: Final = _LENGTH_BYTES + _MAC_BYTES
"""The bytes before a request."""
MAX_ORIGIN_BYTES: Final = 256
"""The maximum bytes that a request carries in addition to its head."""


class BadProof(Exception):
    """The sender does not know the secret, means another node, or sent too much."""


class RelayRequest(msgspec.Struct, frozen=True):
    """A client's request, as received by the node that the client reached.

    Attributes:
        peer: The address of the peer, a proxy or the client itself. Empty if it has none.
        port: The peer's port.
        scheme: The scheme of the connection, `http` or `https`.
        head: The request line and headers, to the blank line.

    """

    peer: str
    port: int
    scheme: str
    head: bytes


class _Origin(msgspec.Struct, forbid_unknown_fields=True, array_like=True):
    peer: str
    port: int
    scheme: str


_ORIGIN: Final = msgspec.json.Decoder(_Origin)


class Nonces(NamedTuple):
    """The nonces that make each connection of two nodes unique."""

    caller: bytes
    listener: bytes


class Proof:
    """Creates and verifies the messages between two nodes.

    Args:
        secret: The secret of all nodes.
        node: The listening node's incarnation.

    """

    def __init__(self, secret: str, node: str) -> None:
        self._secret = secret.encode()
        self._node = node.encode()

    def hello(self) -> tuple[bytes, bytes]:
        """Return the caller's first message, and its nonce."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _MAGIC + nonce + self._mac(b"hello", nonce), nonce

    def welcome(self, hello: bytes) -> tuple[bytes, Nonces]:
        """Return the listener's answer to `HELLO_BYTES`.

        Raises:
            BadProof: The hello is false; do not answer.

        """
        nonce = hello[len(_MAGIC) : -_MAC_BYTES]
        if not hello.startswith(_MAGIC):
            raise BadProof("no hello")
        self._check(hello[-_MAC_BYTES:], b"hello", nonce)
        nonces = Nonces(nonce, secrets.token_bytes(_NONCE_BYTES))
        return nonces.listener + self._mac(b"welcome", *nonces), nonces

    def request(self, nonce: bytes, welcome: bytes, request: RelayRequest) -> bytes:
        """Return the caller's request after the listener's `WELCOME_BYTES`.

        Raises:
            BadProof: The listener is not that node.

        """
        nonces = Nonces(nonce, welcome[:_NONCE_BYTES])
        self._check(welcome[_NONCE_BYTES:], b"welcome", *nonces)
        origin = msgspec.json.encode(_Origin(request.peer, request.port, request.scheme))
        body = origin + b"\n" + request.head
        return len(body).to_bytes(_LENGTH_BYTES, "big") + self._mac(b"request", *nonces, body) + body

    def request_bytes(self, envelope: bytes, *, max_head_bytes: int) -> int:
        """Return the number of bytes that follow `ENVELOPE_BYTES`.

        Raises:
            BadProof: The request is too long.

        """
        size = int.from_bytes(envelope[:_LENGTH_BYTES], "big")
        if size > max_head_bytes + MAX_ORIGIN_BYTES:
            raise BadProof("too long a request")
        return size

    def read(self, nonces: Nonces, envelope: bytes, body: bytes) -> RelayRequest:
        """Return the caller's request.

        Raises:
            BadProof: The caller does not know the secret, or means another node.

        """
        self._check(envelope[_LENGTH_BYTES:], b"request", *nonces, body)
        line, _, head = body.partition(b"\n")
        try:
            origin = _ORIGIN.decode(line)
        except msgspec.MsgspecError as error:
            raise BadProof("no request") from error
        return RelayRequest(origin.peer, origin.port, origin.scheme, head)

    def _mac(self, kind: bytes, *parts: bytes) -> bytes:
        said = b"".join(
            len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in (kind, self._node, *parts)
        )
        return hmac.digest(self._secret, said, "sha256")

    def _check(self, mac: bytes, kind: bytes, *parts: bytes) -> None:
        if not hmac.compare_digest(mac, self._mac(kind, *parts)):
            raise BadProof("a wrong MAC")
