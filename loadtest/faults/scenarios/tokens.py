"""K16: auth is down, and its keys are rotated meanwhile."""

import asyncio
import time
from typing import Final

from faults.stage import Row, Stage
from roomwire.tokens import SigningKey, User

_LIFETIME_S: Final = 300
_STRANGERS: Final = 40


def _token(key: SigningKey, name: str) -> str:
    user = User(id=name, name=name, kind="account")
    return key.sign(user, issuer="roomwire", audience="roomwire", lifetime_s=_LIFETIME_S, now=time.time())


async def without_auth(stage: Stage) -> None:
    """Live clients and known keys go on; new keys are learned when auth is back; strangers do not hammer it."""
    auth, key = stage.system.auth, stage.system.signing_key
    publishers = await stage.gather(rooms=4, auth={"token": _token(key, "first")})
    async with stage.load(publishers):
        began = stage.harm()
        auth.kill()
        stage.prove(not auth.runs, "auth was killed")
        await asyncio.sleep(1)
        await stage.gather(rooms=2, prefix="late", auth={"token": _token(key, "late")})
        stage.note("the cached key lets clients in")
        cut = stage.since(began, "disconnect")
        stage.hold(cut == 0, f"{cut} live connections were cut off while auth was down")
        rotated = SigningKey.generate()
        stage.system.rotate(rotated)
        auth.start()
        await auth.ready()
        stage.prove(key.kid != rotated.kid, "the key was rotated")
        asked = _jwks_requests(stage)
        await stage.gather(rooms=1, prefix="new", auth={"token": _token(rotated, "new")}, settled_s=60)
        stranger = SigningKey.generate()
        names = {f"stranger{number}": ["nowhere"] for number in range(_STRANGERS)}
        opening = stage.fleet.open(
            stage.system.url,
            names,
            settled_s=3,
            auth={"token": _token(stranger, "nobody")},
            reconnection=False,
        )
        refused = stage.since(0, "refused")
        try:
            await opening
            stage.hold(False, "strangers were let in")  # noqa: FBT003 - reads like an assertion
        except Exception as error:  # they must not come in, and that is what settling waits for
            stage.note(f"strangers: {type(error).__name__}")
        refused = stage.since(0, "refused") - refused
        stage.prove(refused >= _STRANGERS, f"{refused} tokens with an unknown key were refused")
        await stage.fleet.tell("close", list(names))
        asked = _jwks_requests(stage) - asked
        stage.note(f"{asked} key requests for {_STRANGERS} strangers")
        stage.hold(asked <= 3 * len(stage.system.gateways), f"auth was asked for its keys {asked} times")


def _jwks_requests(stage: Stage) -> int:
    return stage.system.auth.log.read_text().count("jwks")


ROWS: Final = (
    Row("K16", "auth down, keys rotated meanwhile", without_auth, reconnections="any", at_least=300),
)
