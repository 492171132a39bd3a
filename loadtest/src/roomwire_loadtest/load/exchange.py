"""Exchanges the gateways under a run, and shows that it did: by their process ids, and by the clients that were cut off."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from roomwire_loadtest.faults.journal import Entry

_TIMEOUT_S: Final = 600.0
LEAST_CUT: Final = 0.9
"""The share of clients that have to be cut off, if every gateway was exchanged: some come and go in that very moment."""


class Exchange(msgspec.Struct, frozen=True):
    """The gateways were exchanged, or were to be.

    Attributes:
        began_ms: When that began.
        ended_ms: When that ended.
        proofs: What was exchanged, in words.
        failure: Why it was not; empty if it was.

    """

    began_ms: float
    ended_ms: float
    proofs: list[str] = []
    failure: str = ""


def exchange(url: str, command: str) -> Exchange:
    """Exchange all gateways of a system one after another; returns when the last is ready.

    Args:
        url: Its ingress.
        command: What does it. Empty: the supervisor of the local system on the port of the URL.

    """
    began_ms = time.time() * 1000
    port = urlsplit(url).port or 80
    arguments = shlex.split(command) if command else [sys.executable, "-m", "roomwire_local", "restart"]
    try:
        done = subprocess.run(
            arguments,
            env={**os.environ, "PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Exchange(began_ms, time.time() * 1000, failure=str(error))
    failure = (done.stderr.strip() or f"exit status {done.returncode}") if done.returncode else ""
    proofs = [command] if command else []
    if not command and not failure:
        for line in done.stdout.splitlines():
            one = json.loads(line)
            if one["before"] == one["after"]:
                failure = f"{one['name']} is the process that it was"
            proofs.append(f"{one['name']}: process {one['before']} became {one['after']}")
    return Exchange(began_ms, time.time() * 1000, proofs, failure)


def connected(entries: Iterable[Entry]) -> set[str]:
    """Return the names of the clients that are connected at the end of a journal. Pure."""
    names = set()
    for entry in entries:
        if entry.kind == "connect":
            names.add(entry.client)
        elif entry.kind in {"closed", "disconnect"}:
            names.discard(entry.client)
    return names


def unproven(entries: Iterable[Entry], exchanges: Sequence[Exchange]) -> list[str]:
    """Say why a run does not show what happens while gateways are exchanged; empty if it does. Pure.

    Args:
        entries: The journal.
        exchanges: What was done.

    """
    if not exchanges:
        return ["the run was over before the gateways were exchanged"]
    if failures := [one.failure for one in exchanges if one.failure]:
        return [f"the gateways were not exchanged: {failure}" for failure in failures]
    began_ms, ended_ms = exchanges[0].began_ms, exchanges[-1].ended_ms
    there, cut = set(), set()
    for entry in entries:
        if entry.kind == "connect" and entry.at_ms < began_ms:
            there.add(entry.client)
        elif entry.kind == "closed" and entry.at_ms < ended_ms:
            there.discard(entry.client)
        elif entry.kind == "disconnect" and began_ms <= entry.at_ms <= ended_ms:
            cut.add(entry.client)
    if not there or len(cut & there) < LEAST_CUT * len(there):
        return [f"{len(cut & there)} of {len(there)} clients were cut off: not all gateways were exchanged"]
    return []
