"""The chat's own checks: members of a room on two gateways receive each other's messages, and a reconnected member misses none."""

import contextlib
import os

from deployed import (
    API_URL,
    AUTH_MODE,
    Client,
    NotYet,
    Refused,
    prove_recovery,
    publish,
    repeat,
    token,
    two_clients,
)


def enter(client: Client, room: str) -> None:
    """Join a room, and check that the client is listed there."""
    client.call("joinRoom", {"roomId": room, "userName": "test"})
    members = client.call("presence", {"roomId": room})["members"]
    if client.sid not in {member["id"] for member in members}:
        raise NotYet("a client that has joined is not a member: Redis was replaced meanwhile")


def go_through(stack: contextlib.ExitStack) -> None:
    """Check the chat step by step; the first step that fails ends the checks with a sentence."""
    access = token()
    if AUTH_MODE == "required" and not access:
        print("chat: not tested, because there is no token", flush=True)
        return
    room = f"helm-test-{os.urandom(8).hex()}"
    first, other = two_clients(stack, access)
    for client in (first, other):
        enter(client, room)
    prove_recovery(
        stack,
        access,
        other,
        lambda text: first.call("chatMessage", {"roomId": room, "userName": "test", "message": text}),
    )
    if API_URL:
        try:
            publish(access, room, "helm-test", "published")
        except Refused as error:
            print(f"api: not tested, because the token is refused: {error}", flush=True)
        else:
            first.until("published")
            print("api: a published event was received", flush=True)


if __name__ == "__main__":
    repeat(go_through)
