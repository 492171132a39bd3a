"""Replaces the gateways during a run, and proves that it did: by their process ids, and by the clients that were cut off."""

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
"""The share of clients that must be cut off if every gateway was replaced: some connect or disconnect at that moment."""


class Exchange(msgspec.Struct, frozen=True):
    """The replacement of the gateways, or the attempt.

    Attributes:
        began_ms: The time of its beginning.
        ended_ms: The time of its end.
        proofs: The replaced processes, in words.
        failure: Why they were not replaced; empty if they were.

    """

    began_ms: float
    ended_ms: float
    proofs: list[str] = []
    failure: str = ""


def exchange(url: str, command: str) -> Exchange:
    """Replace all gateways of a system one after another; returns when the last is ready.

    Args:
        url: The URL of its ingress.
        command: The command that replaces them. If it is empty, the supervisor of the local system on the URL's port does it.

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
    """Return why a run does not show the effect of replacing gateways; empty if it does. Pure.

    Args:
        entries: The journal.
        exchanges: The replacements.

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
