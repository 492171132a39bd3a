"""What `helm test` runs: two clients on two gateways, a message across, a cut transport, recovery.

It speaks Socket.IO as a client does, over the Services, and knows nothing else of the system. Just after an upgrade a Service
may lead to pods that go, that come, or that do not speak TLS yet: what does not answer is tried again for a while, from the
beginning, and so is an answer that says that it may be. Any other answer that is wrong is not.
"""

import contextlib
import json
import os
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any, NoReturn

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

AUTH_URL = os.environ.get("AUTH_URL", "")
GATEWAY_URL = os.environ["GATEWAY_URL"]
GATEWAYS = int(os.environ["GATEWAYS"])
MOST_CLIENTS = 40
TIMEOUT_S = 20
WAIT_S = float(os.environ.get("WAIT_S", "150"))
TLS = ssl.create_default_context()
for authority in os.environ.get("AUTHORITIES", "").split(":"):
    if authority:
        TLS.load_verify_locations(authority)


class NotYet(Exception):
    """What is tested is not there yet."""


def fail(what: str, error: dict[str, Any]) -> NoReturn:
    """End with what the server refused.

    Raises:
        NotYet: The server says that it may be tried again.
        SystemExit: It does not.

    """
    if error.get("retryable"):
        raise NotYet(f"{what}: {error}")
    sys.exit(f"{what}: {error}")


class Client:
    """One Socket.IO client on a WebSocket, in the main namespace."""

    def __init__(self, stack: contextlib.ExitStack, token: str, before: "Client | None" = None) -> None:
        self._socket = stack.enter_context(
            connect(
                f"{GATEWAY_URL.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket",
                open_timeout=TIMEOUT_S,
                close_timeout=1,
                proxy=None,
                ssl=TLS if GATEWAY_URL.startswith("https:") else None,
            )
        )
        self._acks = 0
        self.offset = before.offset if before else ""
        self._received: list[list[Any]] = []
        # Recovery is offered to clients that are known to take it, or say so.
        auth: dict[str, Any] = {"recovery": True} | ({"token": token} if token else {})
        if before:
            auth |= {"pid": before.pid, "offset": before.offset}
        self._packet("0")
        self._socket.send(f"40{json.dumps(auth)}")
        reply = json.loads(self._packet("4")[1:].removeprefix("0"))
        if "sid" not in reply:
            fail("refused", reply.get("data") or reply)
        self.sid, self.pid = reply["sid"], reply["pid"]

    def call(self, event: str, body: dict[str, Any]) -> Any:
        """Emit an event; returns its ack. An error in it ends the script, or is `NotYet` where it may be tried again."""
        self._acks += 1
        self._socket.send(f"42{self._acks}{json.dumps([event, body])}")
        while True:
            packet = self._packet("4")
            if packet.startswith(f"3{self._acks}["):
                ack = json.loads(packet.removeprefix(f"3{self._acks}"))[0]
                if isinstance(ack, dict) and "error" in ack:
                    fail(event, ack["error"])
                return ack
            self._take(packet)

    def until(self, text: str) -> list[str]:
        """Wait for a room message; returns all texts since the last call, it included."""
        while not any(text in message for message in self._texts()):
            self._take(self._packet("4"))
        texts, self._received = self._texts(), []
        return texts

    def cut(self) -> None:
        """Lose the transport, without a word of goodbye."""
        self._socket.socket.shutdown(socket.SHUT_RDWR)

    def _texts(self) -> list[str]:
        return [str(event[1]) for event in self._received if event[0] == "roomMessage"]

    def _take(self, packet: str) -> None:
        if packet.startswith("2"):
            event = json.loads(packet[1:])
            if isinstance(event[-1], str) and "." in event[-1]:
                self.offset = event[-1]
            self._received.append(event)

    def _packet(self, kind: str) -> str:
        """Return the next Engine.IO packet of a kind, without it; pings are answered."""
        while True:
            packet = str(self._socket.recv(timeout=TIMEOUT_S))
            if packet.startswith("2"):
                self._socket.send(f"3{packet[1:]}")
            elif packet.startswith(kind):
                return packet[1:]


def token() -> str:
    """Return a guest's access token; none where the chart's auth service is not installed."""
    if not AUTH_URL:
        return ""
    request = urllib.request.Request(
        f"{AUTH_URL}/auth/guest",
        data=json.dumps({"name": "helm-test"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=TLS) as answer:
            return str(json.load(answer)["access_token"])
    except urllib.error.HTTPError as error:
        # An ingress that does not know the service yet answers 404.
        if error.code in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            sys.exit(f"no token: {error}")
        raise


def two_clients(stack: contextlib.ExitStack, access: str, room: str) -> tuple[Client, Client]:
    """Return two members of a room, on two gateways where there are two."""
    clients: dict[str, tuple[Client, str]] = {}
    while len(clients) < MOST_CLIENTS:
        client = Client(stack, access)
        client.call("joinRoom", {"roomId": room, "userName": "test"})
        members = client.call("presence", {"roomId": room})["members"]
        gateway = next((member["gateway"] for member in members if member["id"] == client.sid), None)
        if gateway is None:
            raise NotYet("who has joined is no member: Redis was replaced meanwhile")
        clients[client.sid] = client, gateway
        first, first_gateway = next(iter(clients.values()))
        if client is not first and (gateway != first_gateway or GATEWAYS == 1):
            print(f"two clients: on {first_gateway} and {gateway}", flush=True)
            return first, client
    raise NotYet(f"{MOST_CLIENTS} clients all came to one gateway, where there should be {GATEWAYS}")


def go_through(stack: contextlib.ExitStack) -> None:
    """Go through it step by step; the first that is wrong ends it with a sentence."""
    access = token()
    print("token: have one" if access else "token: none needed", flush=True)
    room = f"helm-test-{os.urandom(8).hex()}"
    one, other = two_clients(stack, access, room)

    one.call("chatMessage", {"roomId": room, "userName": "test", "message": "across"})
    other.until("across")
    print("message: came across", flush=True)

    other.cut()
    one.call("chatMessage", {"roomId": room, "userName": "test", "message": "missed"})
    back = Client(stack, access, before=other)
    if back.sid != other.sid:
        sys.exit("not recovered: another session was opened")
    one.call("chatMessage", {"roomId": room, "userName": "test", "message": "later"})
    texts = back.until("later")
    told = [text.rpartition(" ")[2] for text in texts]
    if told != ["missed", "later"]:
        sys.exit(f"recovered, but with {texts}")
    print("recovery: the missed message came once, and in order", flush=True)


def main() -> None:
    """Go through it, again for as long as something does not answer and there is time."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with contextlib.ExitStack() as stack:
                go_through(stack)
        except (OSError, WebSocketException, NotYet) as error:
            if time.monotonic() > deadline:
                sys.exit(f"after {WAIT_S:.0f} s: {type(error).__name__}: {error}")
            print(f"waiting: {type(error).__name__}: {error}", flush=True)
            time.sleep(1)
        else:
            return


if __name__ == "__main__":
    main()
