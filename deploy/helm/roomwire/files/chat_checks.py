"""The chat's own checks: members of a room on two gateways hear each other, and one that was cut off misses nothing."""

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
    """Join a room, and be listed there."""
    client.call("joinRoom", {"roomId": room, "userName": "test"})
    members = client.call("presence", {"roomId": room})["members"]
    if client.sid not in {member["id"] for member in members}:
        raise NotYet("a client that has joined is no member: Redis was replaced meanwhile")


def go_through(stack: contextlib.ExitStack) -> None:
    """Go through it step by step; the first that is wrong ends it with a sentence."""
    access = token()
    if AUTH_MODE == "required" and not access:
        print("chat: not tested, as there is no token", flush=True)
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
            print(f"api: not tested, as the token is refused: {error}", flush=True)
        else:
            first.until("published")
            print("api: a published event was received", flush=True)


if __name__ == "__main__":
    repeat(go_through)
