"""K16: auth is down, and its keys are rotated while it is."""

import asyncio
import contextlib
from typing import Final

from roomwire.identity.tokens import SigningKey
from roomwire_loadtest.faults.fleet import FleetError
from roomwire_loadtest.faults.stage import Row, Stage

_STRANGERS: Final = 40


async def without_auth(stage: Stage) -> None:
    """K16: clients and known keys keep working without auth; new keys are learned when it is back; unknown keys cause few requests."""
    auth, key = stage.system.auth, stage.system.signing_key
    publishers = await stage.gather(rooms=4, auth={"token": stage.system.token("first")})
    async with stage.load(publishers):
        began = stage.harm()
        auth.kill()
        stage.prove(not auth.runs, "auth was killed")
        await asyncio.sleep(1)
        await stage.gather(rooms=2, prefix="late", auth={"token": stage.system.token("late")})
        stage.note("clients connected with the cached key")
        cut = stage.since(began, "disconnect")
        stage.hold(cut == 0, f"{cut} live connections were cut off while auth was down")
        rotated = SigningKey.generate()
        stage.system.rotate(rotated)
        auth.start()
        await auth.ready()
        stage.prove(key.kid != rotated.kid, "the key was rotated")
        asked = await stage.system.key_requests()
        await stage.gather(rooms=1, prefix="new", auth={"token": stage.system.token("new")}, settled_s=60)
        stranger = SigningKey.generate()
        names = {f"stranger{number}": ["nowhere"] for number in range(_STRANGERS)}
        opening = stage.fleet.open(
            stage.system.url,
            names,
            settled_s=3,
            auth={"token": stage.system.token("nobody", stranger)},
            reconnection=False,
        )
        refused = stage.since(0, "refused")
        with contextlib.suppress(FleetError):  # these clients do not settle, because they must be refused
            await opening
        stage.hold(
            not names.keys() & stage.fleet.connected.keys(), "clients with an unknown key were admitted"
        )
        refused = stage.since(0, "refused") - refused
        stage.prove(refused >= _STRANGERS, f"{refused} tokens with an unknown key were refused")
        await stage.fleet.tell("close", list(names))
        asked = await stage.system.key_requests() - asked
        stage.note(f"{asked} key requests for {_STRANGERS} clients with an unknown key")
        stage.hold(asked <= 3 * len(stage.system.gateways), f"auth was asked for its keys {asked} times")


ROWS: Final = (
    Row("K16", "auth down, keys rotated meanwhile", without_auth, reconnections="any", at_least=300),
)
