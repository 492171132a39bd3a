"""Calls the HTTP APIs of a running deployment, and states each failure in one sentence."""

from collections.abc import Mapping
from typing import Any, Final

import click
import httpx
import msgspec

from roomwire.app.commands.refusal import Refusal

Url = httpx.URL
"""The address of a deployment."""
TIMEOUT_S: Final = 10.0
"""Time limit for an answer, in seconds."""


class _Problem(msgspec.Struct):
    code: str
    message: str


class _Failure(msgspec.Struct):
    error: _Problem


def checked_url(_context: click.Context, _argument: click.Parameter, url: str) -> Url:
    """Return the URL of a deployment; Click's callback of an argument.

    Raises:
        click.BadParameter: The text cannot be the URL of a deployment.

    """
    try:
        checked = Url(url)
    except httpx.InvalidURL:
        checked = Url()
    if checked.scheme not in {"http", "https"} or not checked.host:
        raise click.BadParameter("write a URL such as http://localhost:3000")
    return checked


def shown(url: Url) -> str:
    """Return a URL as messages show it: without the user and the query, which may contain secrets."""
    return f"{url.scheme}://{url.netloc.decode()}{url.path.rstrip('/')}"


def call(url: Url, path: str, *, body: Mapping[str, Any], token: str = "") -> Mapping[str, Any]:
    """Post to an API, and return the answer.

    Args:
        url: The URL of the deployment.
        path: The path of the call, below that of the URL.
        body: The body, which is sent as JSON.
        token: A token or an API key. Default: none.

    Raises:
        Refusal: The API does not answer, refuses the call, or is not one of Roomwire's.

    """
    headers = {"authorization": f"Bearer {token}"} if token else {}
    called = url.copy_with(path=url.path.rstrip("/") + path, query=None, fragment=None)
    try:
        answer = httpx.post(called, json=body, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise Refusal(f"{shown(called)} does not answer: {str(error) or type(error).__name__}") from None
    if answer.is_success:
        try:
            return msgspec.json.decode(answer.content, type=dict[str, Any])
        except msgspec.DecodeError:
            pass
    else:
        try:
            problem = msgspec.json.decode(answer.content, type=_Failure).error
        except msgspec.DecodeError:
            pass
        else:
            raise Refusal(f"{shown(called)} refused it, {problem.code}: {problem.message}")
    raise Refusal(
        f"{shown(called)} answered with status {answer.status_code}, but not as Roomwire does: "
        "check the address"
    )
