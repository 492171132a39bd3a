"""Rotates the signing key with the release's own CronJob, while clients with tokens of the old key are connected.

The next key is published for an hour, or a quarter of one at least, before it signs. The test does not wait that long:
once all auth services publish the key, the test changes the Secret so that the key signs now.
"""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from roomwire_e2e.cluster import ClusterError
from roomwire_e2e.release import NAME, Pod, Release, release_of
from roomwire_loadtest.faults.stage import Stage

SECRET: Final = f"{NAME}-roomwire-signing-key"
CRON_JOB: Final = f"{NAME}-roomwire-keys"
_FILE: Final = "signing-key.pem"
_JOB: Final = f"{NAME}-rotated-by-hand"
# The kubelet updates a pod's Secret within a minute and a half, and the service checks it every ten seconds.
_SPREAD_S: Final = 240.0
_LOOK_S: Final = 2.0
_ASK: Final = """
import base64, json, urllib.request
def ask(path, body=None):
    at = urllib.request.Request("http://127.0.0.1:8001/auth/" + path, body, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(at, timeout=20))
token = ask("guest", b'{"name": "keys"}')["access_token"]
head = token.partition(".")[0]
kids = [key["kid"] for key in ask(".well-known/jwks.json")["keys"]]
print(json.dumps({"signs": json.loads(base64.urlsafe_b64decode(head + "=="))["kid"], "publishes": kids}))
"""


async def rotated(release: Release) -> str:
    """Run the CronJob now, and wait until every auth service publishes the next key; returns its id.

    Raises:
        ClusterError: The job fails, or a service does not publish the key in time.

    """
    before = set(await _published(release))
    await release.cluster.kubectl("delete", "job", _JOB, "--ignore-not-found", "--wait")
    await release.cluster.kubectl("create", "job", _JOB, f"--from=cronjob/{CRON_JOB}")
    await release.cluster.kubectl("wait", f"job/{_JOB}", "--for=condition=Complete", "--timeout=180s")
    (new,) = await _until(release, lambda told: set(told["publishes"]) - before, "publish a next key")
    return str(new)


async def begin_to_sign(release: Release, kid: str) -> None:
    """Change the Secret so that its last key signs now, and wait until all auth services sign with it.

    Raises:
        ClusterError: A service does not sign with it in time.

    """
    secret = await release.cluster.get("secret", SECRET)
    ring = json.loads(base64.b64decode(secret["data"][_FILE]))
    ring["keys"][-1]["signs_from"] = int(time.time())
    change = {"stringData": {_FILE: json.dumps(ring)}}
    await release.cluster.kubectl(
        "patch", "secret", SECRET, "--type=merge", "--patch-file=/dev/stdin", text=json.dumps(change)
    )
    await _until(release, lambda told: {kid} & {told["signs"]}, "sign with it")


async def _until(
    release: Release, found: Callable[[Mapping[str, Any]], Collection[str]], what: str
) -> Collection[str]:
    """Wait until each auth service's answer contains something; returns what all of them contain."""
    deadline = time.monotonic() + _SPREAD_S
    while True:
        each = [set(found(await _told(release, pod))) for pod in await release.ready("auth")]
        if each and all(each):
            return set.intersection(*each)
        if time.monotonic() > deadline:
            raise ClusterError(f"after {_SPREAD_S:.0f} s not all auth services {what}")
        await asyncio.sleep(_LOOK_S)


async def _published(release: Release) -> list[str]:
    (first, *_) = await release.ready("auth")
    return list((await _told(release, first))["publishes"])


async def _told(release: Release, pod: Pod) -> Mapping[str, Any]:
    """Ask one auth service for the key that it signs with, and for those that it publishes."""
    told: Mapping[str, Any] = json.loads(
        await release.cluster.kubectl("exec", pod.name, "--", "python", "-c", _ASK)
    )
    return told


async def rotate_under(stage: Stage, names: Collection[str]) -> None:
    """Rotate the key while clients are connected; prove that every gateway accepts old and new tokens.

    Args:
        stage: The stage of the phase; its system is the release.
        names: Clients that connected with tokens of the old key.

    """
    release = release_of(stage)
    began = stage.harm()
    kid = await rotated(release)
    stage.prove(True, f"the CronJob added {kid}, and all auth services publish it")  # noqa: FBT003 - an assertion
    await begin_to_sign(release, kid)
    cut = stage.since(began, "disconnect")
    stage.hold(cut == 0, f"{cut} connections were cut while the key changed")
    token = await release.token()
    await stage.fleet.open(
        release.url, {f"late-{number}": ["lobby"] for number in range(12)}, auth={"token": token}
    )
    # Clients that connected with the old key reconnect with it.
    await stage.fleet.tell("drop", list(names)[::2])
    await stage.fleet.settled(within_s=60)
    for pod in await release.ready("gateway"):
        held = stage.fleet.on_gateway(pod.name)
        late = sum(name.startswith("late-") for name in held)
        stage.prove(
            0 < late < len(held), f"{pod.name} took {late} tokens of the new key beside those of the old"
        )
