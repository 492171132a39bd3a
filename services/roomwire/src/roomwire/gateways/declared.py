"""Events that a gateway emits, declared with the types of their arguments."""

from collections.abc import Coroutine, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar, TypeVarTuple, Unpack, overload

from roomwire.gateways.binding import RESERVED_EVENTS
from roomwire.gateways.errors import WrongCount
from roomwire.rooms.emit import EmitOptions

_Ts = TypeVarTuple("_Ts")
_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")


class Emitter(Protocol):
    """A gateway, as far as emitting goes."""

    def emit(
        self, event: str, data: object = None, **options: Unpack[EmitOptions]
    ) -> Coroutine[object, object, None]:
        """Send an event; see `Gateway.emit`."""


class Emits(Generic[*_Ts]):
    """Emits one declared event of a gateway: what the attribute of an instance is.

    Args:
        gateway: The gateway.
        declared: The event.

    """

    __slots__ = ("_declared", "_gateway")

    def __init__(self, gateway: Emitter, declared: "Declared[*_Ts]") -> None:
        self._gateway = gateway
        self._declared = declared

    def __call__(self, *args: *_Ts, **options: Unpack[EmitOptions]) -> Coroutine[object, object, None]:
        """Send the event; the options and what is raised are those of `Gateway.emit`.

        Args:
            args: The event's arguments. A type checker compares them with the declaration; at run time, only their number is.
            options: As for `Gateway.emit`.

        Raises:
            WrongCount: There are fewer or more arguments than the declaration has.

        """
        declared = self._declared
        if not declared.required <= len(args) <= len(declared.types):
            raise WrongCount(declared.event, len(args), declared.required, len(declared.types))
        return self._gateway.emit(declared.event, args, **options)


class Declared(Generic[*_Ts]):
    """An event that the gateways of a class emit: what `emits` returns, for the body of the class.

    Args:
        event: The event's name.
        types: The types of its arguments.
        required: The number of arguments that each emit has.

    Attributes:
        event: The event's name.
        types: The types of its arguments, in order.
        required: The number of arguments that each emit has; further ones may be missing.

    """

    def __init__(self, event: str, types: Sequence[Any], *, required: int) -> None:
        self.event = event
        self.types = types
        self.required = required

    @overload
    def __get__(self, gateway: None, owner: type) -> Self: ...

    @overload
    def __get__(self, gateway: Emitter, owner: type) -> Emits[*_Ts]: ...

    def __get__(self, gateway: Emitter | None, owner: type) -> "Self | Emits[*_Ts]":
        """Return what emits the event from a gateway; for its class, the declaration."""
        return self if gateway is None else Emits(gateway, self)


AnyDeclared = Declared[*tuple[Any, ...]]
"""An event, whatever its arguments are."""


@overload
def emits(event: str, /) -> Declared[()]: ...


@overload
def emits(event: str, first: type[_A], /) -> Declared[_A]: ...


@overload
def emits(event: str, first: type[_A], second: type[_B], /) -> Declared[_A, _B]: ...


@overload
def emits(event: str, first: type[_A], second: type[_B], third: type[_C], /) -> Declared[_A, _B, _C]: ...


@overload
def emits(event: str, /, *types: Any, required: int | None = None) -> AnyDeclared: ...


def emits(event: str, /, *types: Any, required: int | None = None) -> AnyDeclared:
    """Declare an event that a gateway emits, in the body of its class.

    ::

        moved = emits("moved", Card)

    Then `await self.moved(card, to="board")` emits it.

    `roomwire contract` writes declared events, with these types, into the application's contract. A type checker compares the
    arguments of each emit with classes; what is no class (`Literal`, `Annotated`, a union) it takes for anything.

    Args:
        event: The event's name.
        types: The types of its arguments, in order.
        required: The number of arguments that each emit has; the ones behind them may be missing. Default: all.

    Raises:
        ValueError: The name is one of Socket.IO's own, or there are fewer types than required arguments.

    """
    if event in RESERVED_EVENTS:
        raise ValueError(f"{event!r} is not an event to emit: it is one of Socket.IO's own")
    least = len(types) if required is None else required
    if not 0 <= least <= len(types):
        raise ValueError(f"{event!r} has {len(types)} arguments, so {least} of them cannot be required")
    return Declared(event, types, required=least)
