"""Sign-ins of simulated users: guests, accounts and refreshed tokens, over the auth service's HTTP API."""

import http.client
import json
import secrets
from dataclasses import dataclass
from typing import Any

from roomwire_loadtest.load.target import Target


class LoginFailed(Exception):
    """The auth service refused, or did not answer."""


@dataclass(frozen=True)
class Tokens:
    """A user's tokens: an access token, its lifetime, and a refresh token that works once."""

    access: str
    refresh: str
    access_s: float


class Accounts:
    """The auth service behind an ingress; every method raises LoginFailed.

    Args:
        target: The ingress.
        timeout_s: Time limit for an answer.

    """

    def __init__(self, target: Target, *, timeout_s: float) -> None:
        self._target = target
        self._timeout_s = timeout_s

    def guest(self) -> Tokens:
        """Sign in as a guest."""
        return self._ask("guest", {})

    def account(self) -> Tokens:
        """Register under a new name, then log in."""
        account = {"username": f"load-{secrets.token_hex(8)}", "password": secrets.token_urlsafe(24)}
        self._ask("register", account)
        return self._ask("login", account)

    def refresh(self, tokens: Tokens) -> Tokens:
        """Exchange the refresh token."""
        return self._ask("refresh", {"refresh_token": tokens.refresh})

    def _ask(self, what: str, body: dict[str, Any]) -> Tokens:
        connection = self._target.http(self._timeout_s)
        try:
            connection.request(
                "POST",
                f"{self._target.prefix}/auth/{what}",
                json.dumps(body),
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= http.client.BAD_REQUEST:
                raise LoginFailed(f"{what}: HTTP {answer.status}")
            granted = json.loads(text)
            return Tokens(granted["access_token"], granted["refresh_token"], float(granted["expires_in"]))
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            raise LoginFailed(f"{what}: {type(error).__name__}") from error
        finally:
            connection.close()
