"""The proof by which two nodes show each other that they know the secret, before either sends a request. Pure.

```
caller → listener   hello:    "RWR1", a nonce, MAC(hello, the listener's node, the nonce)
listener → caller   welcome:  a nonce, MAC(welcome, node, both nonces)
caller → listener   request:  its length, MAC(request, node, both nonces, the request), the request
```

A listener answers a false hello with nothing, and a caller tells nobody what a client asked who has not shown that it is
the node it was looking for: an address may meanwhile be somebody else's. Both nonces are fresh, so nothing can be
played again, and no clock is needed. It is no encryption: who reads along reads what is relayed.

The MAC is HMAC-SHA256 (RFC 2104) over the parts, each behind its length.
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
"""What stands before a request."""
MAX_ORIGIN_BYTES: Final = 256
"""What a request carries beside its head."""


class BadProof(Exception):
    """Who sent this does not know the secret, means another node, or says too much."""


class RelayRequest(msgspec.Struct, frozen=True):
    """A client's request, as the node saw it that the client reached.

    Attributes:
        peer: Who was at the other end of the connection: a proxy, or the client itself. Empty: nobody with an address.
        port: Its port.
        scheme: `http` or `https`: what it came by.
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
    """What makes a connection of two nodes like no other."""

    caller: bytes
    listener: bytes


class Proof:
    """What one node says to another.

    Args:
        secret: What all nodes know.
        node: The incarnation of the node that listens.

    """

    def __init__(self, secret: str, node: str) -> None:
        self._secret = secret.encode()
        self._node = node.encode()

    def hello(self) -> tuple[bytes, bytes]:
        """Return what a caller says first, and its nonce."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _MAGIC + nonce + self._mac(b"hello", nonce), nonce

    def welcome(self, hello: bytes) -> tuple[bytes, Nonces]:
        """Return what a listener answers to `HELLO_BYTES`.

        Raises:
            BadProof: Nothing is answered.

        """
        nonce = hello[len(_MAGIC) : -_MAC_BYTES]
        if not hello.startswith(_MAGIC):
            raise BadProof("no hello")
        self._check(hello[-_MAC_BYTES:], b"hello", nonce)
        nonces = Nonces(nonce, secrets.token_bytes(_NONCE_BYTES))
        return nonces.listener + self._mac(b"welcome", *nonces), nonces

    def request(self, nonce: bytes, welcome: bytes, request: RelayRequest) -> bytes:
        """Return what a caller says to a listener that answered `WELCOME_BYTES`.

        Raises:
            BadProof: It is not the listener of that node.

        """
        nonces = Nonces(nonce, welcome[:_NONCE_BYTES])
        self._check(welcome[_NONCE_BYTES:], b"welcome", *nonces)
        origin = msgspec.json.encode(_Origin(request.peer, request.port, request.scheme))
        body = origin + b"\n" + request.head
        return len(body).to_bytes(_LENGTH_BYTES, "big") + self._mac(b"request", *nonces, body) + body

    def request_bytes(self, envelope: bytes, *, max_head_bytes: int) -> int:
        """Return how many bytes follow on `ENVELOPE_BYTES`.

        Raises:
            BadProof: More than there may be.

        """
        size = int.from_bytes(envelope[:_LENGTH_BYTES], "big")
        if size > max_head_bytes + MAX_ORIGIN_BYTES:
            raise BadProof("too long a request")
        return size

    def read(self, nonces: Nonces, envelope: bytes, body: bytes) -> RelayRequest:
        """Return what a caller says.

        Raises:
            BadProof: It is not from one who knows the secret, or not to us.

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
