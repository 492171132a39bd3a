"""The board's own checks, which `helm test` runs: a move reaches a watcher on another gateway, also after a disconnection."""

import contextlib
import secrets

from deployed import prove_recovery, repeat, token, two_clients


def go_through(stack: contextlib.ExitStack) -> None:
    """Run the checks in order; the first failure ends them with a sentence."""
    access = token()
    first, other = two_clients(stack, access)
    board = f"helm-test-{secrets.token_hex(8)}"
    for client in (first, other):
        client.call("watch", {"board": board})

    def move(card: str) -> None:
        first.call("move", {"board": board, "card": card, "place": 1})

    prove_recovery(stack, access, other, move)


if __name__ == "__main__":
    repeat(go_through)
