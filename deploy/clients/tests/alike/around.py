"""What runs around the calls of `chain.py`: guards, interceptors and pipes. `around.ts` is the same for NestJS."""

from dataclasses import dataclass
from typing import Final

from fenced import auth_of

from roomwire import Call, Guard, Interceptor, Proceed
from roomwire.errors import Forbidden, InvalidBody, NotFound, Unavailable


class Lost(Exception):
    """An error of the application."""


class Missing(Lost):
    """A special case of it."""


class Broken(Exception):
    """Another one."""


@dataclass(frozen=True)
class Role:
    """A mark: the role that a handler asks for."""

    name: str


class Cards:
    """What the application provides."""

    async def title(self, card_id: str) -> str:
        """Return the title of a card."""
        if card_id != "a":
            raise NotFound(f"There is no card {card_id}.")
        return "Card a"


async def load(card_id: str, cards: Cards) -> str:
    """Load a card."""
    return await cards.title(card_id)


def shout(text: str) -> str:
    """Turn a text into capitals."""
    return text.upper()


def to_number(text: str) -> int:
    """Turn a text into a number."""
    try:
        return int(text)
    except ValueError:
        raise InvalidBody("Validation failed (numeric string is expected)") from None


STEPS: Final[dict[str, list[str]]] = {}
"""What has run around the event `order`, by the id of its client."""


def noting(name: str) -> Guard:
    """Return a guard that notes that it has run."""

    def guard(call: Call) -> bool:
        if call.event == "order":
            STEPS.setdefault(call.socket.id, []).append(f"{name} guard")
        return True

    return guard


def surrounding(name: str) -> Interceptor:
    """Return an interceptor that notes when it runs."""

    async def intercept(call: Call, proceed: Proceed) -> object:
        if call.event != "order":
            return await proceed()
        steps = STEPS[call.socket.id]
        steps.append(f"{name} before")
        result = await proceed()
        steps.append(f"{name} after")
        return result

    return intercept


def is_welcome(call: Call) -> bool:
    return auth_of(call.socket).get("name") != "stranger"


def has_role(call: Call) -> bool:
    role = call.mark(Role)
    return role is None or auth_of(call.socket).get("role") == role.name


def closed(call: Call) -> bool:
    return False


def explaining(call: Call) -> bool:
    raise Forbidden("Not today.")


async def later(call: Call) -> bool:
    return True


def is_inside(call: Call) -> bool:
    match call.body:
        case [{"room": "den"}]:
            return True
    return False


async def wrapping(call: Call, proceed: Proceed) -> object:
    return {"data": await proceed()}


async def instead(call: Call, proceed: Proceed) -> object:
    return "cached"


async def healing(call: Call, proceed: Proceed) -> object:
    try:
        return await proceed()
    except Exception:
        return "healed"


async def translating(call: Call, proceed: Proceed) -> object:
    try:
        return await proceed()
    except Exception:
        raise Unavailable("Try later.") from None
