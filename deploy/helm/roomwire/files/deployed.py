"""A client of the deployment under test: tokens, connections by each transport, recovery, and the API for backends.

The chart's test, `connection.py`, uses it, and an application's own checks may import it as well. It speaks Socket.IO over the
Services and uses no event of an application.

Shortly after an upgrade a Service may lead to pods that stop, that start, or that do not use TLS yet. `repeat` repeats the test from
the beginning for a while if there is no answer, or one that is marked as retryable. `Refused` and `SystemExit` end a test.
"""

import contextlib
import http.client
import json
import os
import secrets
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

AUTH_URL: Final = os.environ.get("AUTH_URL", "")
GATEWAY_URL: Final = os.environ["GATEWAY_URL"]
API_URL: Final = os.environ.get("API_URL", "")
AUTH_MODE: Final = os.environ.get("AUTH_MODE", "required")
TRANSPORTS: Final = os.environ.get("TRANSPORTS", "polling,websocket").split(",")
GATEWAYS: Final = int(os.environ["GATEWAYS"])
NAMESPACE: Final = os.environ.get("NAMESPACE", "/")
AUTH: Final[Mapping[str, Any]] = json.loads(os.environ.get("AUTH", "{}"))
WAIT_S: Final = float(os.environ.get("WAIT_S", "150"))
IS_RELAYED: Final = os.environ.get("RELAY", "true") == "true"
MOST_CLIENTS: Final = 40
TIMEOUT_S: Final = 20
TLS: Final = ssl.create_default_context()
for authority in os.environ.get("AUTHORITIES", "").split(":"):
    if authority:
        TLS.load_verify_locations(authority)
_PATH: Final = "/socket.io/?EIO=4&transport="
_OF_NAMESPACE: Final = "" if NAMESPACE == "/" else f"{NAMESPACE},"


class NotYet(Exception):
    """The deployment is not ready for the test yet."""


class Refused(Exception):
    """The deployment refuses a request, and repeating it makes no sense.

    Args:
        what: The name of the request.
        error: The answer.

    """

    def __init__(self, what: str, error: Mapping[str, Any]) -> None:
        super().__init__(f"{what}: {error}")
        self.code = error.get("code", "")


def refusal(what: str, error: Mapping[str, Any]) -> Exception:
    """Return the exception for an error of the deployment: `NotYet` if the error is retryable."""
    return NotYet(f"{what}: {error}") if error.get("retryable") else Refused(what, error)


class Wire(Protocol):
    """An Engine.IO connection."""

    def send(self, packet: str) -> None:
        """Send a packet."""

    def receive(self) -> Sequence[str]:
        """Wait for packets."""

    def cut(self) -> None:
        """Lose the connection without a word to the gateway."""


class WebSocketWire:
    """A connection by WebSocket, which ends with the stack."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        url = f"{GATEWAY_URL.replace('http', 'ws', 1)}{_PATH}websocket"
        tls = TLS if url.startswith("wss:") else None
        self._socket = stack.enter_context(
            connect(url, open_timeout=TIMEOUT_S, close_timeout=1, proxy=None, ssl=tls)
        )

    def send(self, packet: str) -> None:
        """Send a packet."""
        self._socket.send(packet)

    def receive(self) -> Sequence[str]:
        """Wait for a packet; the binary parts of events are left out."""
        packet = self._socket.recv(timeout=TIMEOUT_S)
        return [packet] if isinstance(packet, str) else []

    def cut(self) -> None:
        """Lose the connection without a word to the gateway."""
        self._socket.socket.shutdown(socket.SHUT_RDWR)


class PollingWire:
    """A connection by long-polling.

    Without the relay, all requests must reach one gateway, so they share an HTTP connection. With the relay, each request has its
    own connection, which a Service may lead to any gateway.
    """

    def __init__(self, stack: contextlib.ExitStack) -> None:
        url = urlsplit(GATEWAY_URL)
        host = url.hostname or ""
        self._http = (
            http.client.HTTPSConnection(host, url.port, timeout=TIMEOUT_S, context=TLS)
            if url.scheme == "https"
            else http.client.HTTPConnection(host, url.port, timeout=TIMEOUT_S)
        )
        self._session = ""
        stack.callback(self._http.close)

    def send(self, packet: str) -> None:
        """Send a packet."""
        self._request("POST", packet)

    def receive(self) -> Sequence[str]:
        """Wait for packets; the first is the one that opens the session."""
        packets = self._request("GET").split("\x1e")
        if not self._session:
            self._session = f"&sid={json.loads(packets[0][1:])['sid']}"
        return packets

    def cut(self) -> None:
        """Lose the connection without a word to the gateway."""
        self._http.close()

    def _request(self, method: str, body: str = "") -> str:
        self._http.request(method, f"{_PATH}polling{self._session}", body.encode() or None)
        answer = self._http.getresponse()
        text = answer.read().decode()
        if IS_RELAYED:
            self._http.close()
        if answer.status != HTTPStatus.OK:
            # A session ends with its gateway, and another gateway does not know it.
            raise NotYet(f"polling: {answer.status} {text[:200]}")
        return text


WIRES: Final[Mapping[str, Callable[[contextlib.ExitStack], Wire]]] = {
    "polling": PollingWire,
    "websocket": WebSocketWire,
}


class Client:
    """A Socket.IO client in the namespace under test.

    Args:
        stack: Ends its connection.
        access: Its access token. Empty if there is none.
        before: The client whose session it continues. Default: it opens a new session.
        transport: `polling` or `websocket`. Default: WebSocket, if the deployment has it.

    Attributes:
        gateway: The gateway that holds its session.
        events: The received events: name, arguments, and the offset if the deployment sends one.

    Raises:
        NotYet: The gateway does not accept clients yet.
        Refused: The gateway refuses this client.

    """

    def __init__(
        self, stack: contextlib.ExitStack, access: str, before: "Client | None" = None, transport: str = ""
    ) -> None:
        self._wire = WIRES[transport or TRANSPORTS[-1]](stack)
        self._packets: list[str] = []
        self._acks = 0
        self.offset: str = before.offset if before else ""
        self.pid: str = ""
        self.sid: str = ""
        self.events: list[list[Any]] = []
        # Recovery is offered to clients that are known to support it, or that ask for it.
        auth: dict[str, Any] = {**AUTH, "recovery": True} | ({"token": access} if access else {})
        if before:
            auth |= {"pid": before.pid} | ({"offset": before.offset} if before.offset else {})
        self.gateway = str(json.loads(self._packet("0"))["sid"]).partition(".")[0]
        self._wire.send(f"40{_OF_NAMESPACE}{json.dumps(auth)}")
        while (reply := self._packet("4"))[0] not in "04":
            self._take(reply)
        answer = json.loads(reply[1:].removeprefix(_OF_NAMESPACE))
        if reply[0] == "4":
            raise refusal(f"no connection to {NAMESPACE}", answer.get("data") or answer)
        self.sid, self.pid = answer["sid"], answer.get("pid", "")

    def call(self, event: str, *args: object) -> Any:
        """Emit an event; return its acknowledgement.

        Raises:
            NotYet: The answer is a retryable error.
            Refused: The answer is another error.

        """
        self._acks += 1
        self._wire.send(f"42{_OF_NAMESPACE}{self._acks}{json.dumps([event, *args])}")
        begins, deadline = f"3{_OF_NAMESPACE}{self._acks}[", time.monotonic() + TIMEOUT_S
        while not (packet := self._packet("4")).startswith(begins):
            self._take(packet)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{event} is not acknowledged")
        (ack,) = json.loads(packet[len(begins) - 1 :]) or [None]
        if isinstance(ack, dict) and "error" in ack:
            raise refusal(event, ack["error"])
        return ack

    def until(self, text: str) -> list[str]:
        """Wait for an event that contains a text; return all events since the last call, as JSON."""
        deadline = time.monotonic() + TIMEOUT_S
        while not any(text in json.dumps(event) for event in self.events):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text} does not arrive")
            self._take(self._packet("4"))
        events, self.events = [json.dumps(event) for event in self.events], []
        return events

    def cut(self) -> None:
        """Lose the transport without closing it."""
        self._wire.cut()

    def _take(self, packet: str) -> None:
        if packet[:1] in {"2", "5"}:
            event = json.loads(packet[packet.index("[") :])
            if isinstance(event[-1], str) and "." in event[-1]:
                self.offset = event[-1]
            self.events.append(event)

    def _packet(self, kind: str) -> str:
        """Return the content of the next Engine.IO packet of a type, and answer pings meanwhile."""
        while True:
            while not self._packets:
                self._packets.extend(self._wire.receive())
            packet = self._packets.pop(0)
            if packet.startswith("2"):
                self._wire.send(f"3{packet[1:]}")
            elif packet.startswith(kind):
                return packet[1:]


def token() -> str:
    """Return an access token: `TOKEN`, or a guest's. Empty if clients need none, or none is available."""
    if AUTH_MODE == "off" or "TOKEN" in os.environ or not AUTH_URL:
        return os.environ.get("TOKEN", "")
    body = json.dumps({"name": "helm-test"}).encode()
    try:
        return str(_asked(f"{AUTH_URL}/auth/guest", body)["access_token"])
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.FORBIDDEN:
            return ""
        # An ingress that does not know the service yet answers 404.
        if error.code in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
            sys.exit(f"no token: {error}")
        raise


def published_keys() -> int:
    """Return how many keys the auth service publishes."""
    return len(_asked(f"{AUTH_URL}/auth/.well-known/jwks.json")["keys"])


def publish(access: str, room: str, event: str, *args: object) -> None:
    """Publish an event by the API for backends.

    Raises:
        Refused: The token may not publish.

    """
    message = {"room": room, "event": event, "args": args, "namespace": NAMESPACE}
    try:
        _asked(f"{API_URL}/api/v1/publish", json.dumps({"messages": [message]}).encode(), access)
    except urllib.error.HTTPError as error:
        if error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise Refused("publish", json.load(error)["error"]) from error
        raise


def two_clients(stack: contextlib.ExitStack, access: str) -> tuple[Client, Client]:
    """Return two clients, on two gateways where there are two."""
    first = Client(stack, access)
    for _ in range(MOST_CLIENTS):
        other = Client(stack, access)
        if other.gateway != first.gateway or GATEWAYS == 1:
            print(f"two clients: on {first.gateway} and {other.gateway}", flush=True)
            return first, other
    raise NotYet(f"all {MOST_CLIENTS} clients reached the same gateway, although there should be {GATEWAYS}")


def prove_recovery(
    stack: contextlib.ExitStack, access: str, client: Client, say: Callable[[str], object] | None = None
) -> None:
    """Cut a client's transport, connect again to any gateway, and check that the session continues.

    Args:
        stack: Ends the connections.
        access: The client's token.
        client: The client.
        say: Sends a text to the client, which must then receive the missed text once and in order. Default: only the session is
            checked.

    """
    across, missed, later = (f"{name}-{secrets.token_hex(8)}" for name in ("across", "missed", "later"))
    if say:
        say(across)
        client.until(across)
        print("message: received on the other gateway", flush=True)
    if not client.pid:
        print(f"recovery: not offered in {NAMESPACE}, not tested", flush=True)
        return
    client.cut()
    if say:
        say(missed)
    back = Client(stack, access, before=client)
    if back.sid != client.sid:
        sys.exit("not recovered: another session was opened")
    if not say:
        print("recovery: the session continued after a cut", flush=True)
        return
    say(later)
    events = back.until(later)
    received = [text for event in events for text in (across, missed, later) if text in event]
    if received != [missed, later]:
        sys.exit(f"recovered, but with {events}")
    print("recovery: the missed message arrived once and in order", flush=True)


def repeat(go_through: Callable[[contextlib.ExitStack], None]) -> None:
    """Run the steps, and repeat them while the deployment does not answer, at most for `WAIT_S`."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with contextlib.ExitStack() as stack:
                go_through(stack)
        except Refused as error:
            sys.exit(str(error))
        except (OSError, http.client.HTTPException, WebSocketException, NotYet) as error:
            if time.monotonic() > deadline:
                sys.exit(f"after {WAIT_S:.0f} s: {type(error).__name__}: {error}")
            print(f"waiting: {type(error).__name__}: {error}", flush=True)
            time.sleep(1)
        else:
            return


def _asked(url: str, body: bytes | None = None, access: str = "") -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {access}"} if access else {})
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=TLS) as answer:
        return json.load(answer)
