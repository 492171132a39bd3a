"""Pipes: functions that turn a decoded value into a handler's argument. They are analysed once."""

import inspect
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Concatenate, Generic, TypeVar, get_args

from roomwire.gateways.chain import Call, Kind, PerCall, Provided
from roomwire.gateways.errors import NotProvided, type_name

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True)
class Pipe(Generic[_In, _Out]):
    """Marks a parameter whose value a function returns: `card: Annotated[Card, Pipe(load_card)]`.

    Several pipes of a parameter run in the order in which they are written. The default of a parameter passes through no pipe.

    Attributes:
        function: Returns the handler's argument, given the decoded value; it may be a coroutine function. A further
            parameter of the type `Call` gets the call, and one of a type that the application has provided gets the provided
            value. A `ClientError` that the function raises reaches the client.

    """

    function: Callable[Concatenate[_In, ...], _Out | Awaitable[_Out]]


class _Stage:
    """One pipe of a parameter, analysed."""

    def __init__(self, function: Callable[..., object], provided: Provided | None, where: str) -> None:
        self._function = function
        name = getattr(function, "__qualname__", repr(function))
        if not callable(function):
            raise TypeError(f"{where}: the pipe {name} is not a function")
        called = function if inspect.isroutine(function) else type(function).__call__
        hints = typing.get_type_hints(called, include_extras=True)
        parameters = [*inspect.signature(function).parameters]
        if not parameters or any(each not in hints for each in parameters):
            raise TypeError(
                f"{where}: the pipe {name} must annotate its parameters, the first of which gets the value"
            )
        self.takes = hints[parameters[0]]
        # What says nothing of its result may fit.
        self.returns: object = hints.get("return")
        self._calls: list[str] = []
        self._given: dict[str, Kind] = {}
        self.per_call: dict[Kind, PerCall[object]] = {}
        for parameter in parameters[1:]:
            kind = hints[parameter]
            if kind is Call:
                self._calls.append(parameter)
            elif provided is not None:
                if kind not in provided:
                    raise NotProvided(f"{where}: the pipe {name} needs", kind)
                self._give(parameter, kind, provided[kind])

    def _give(self, parameter: str, kind: Kind, value: object) -> None:
        self._given[parameter] = kind
        if isinstance(value, PerCall):
            self.per_call[kind] = value

    async def value(self, value: object, call: Call, values: Provided) -> object:
        """Return the function's result for a value; see `Piped.value`."""
        given = {
            name: values[kind] if kind in values else call.provided[kind]
            for name, kind in self._given.items()
        }
        made = self._function(value, **given, **dict.fromkeys(self._calls, call))
        return await made if inspect.isawaitable(made) else made


class Piped:
    """A parameter with pipes, analysed.

    Args:
        parameter: Its name.
        hint: Its annotation.
        default: Its default.
        provided: The values that the application has provided, by type. None if they are not known yet.
        where: The name of the parameter in errors.

    Attributes:
        parameter: Its name.
        takes: The type into which the body is decoded before the first pipe.
        per_call: The providers, by type, of the values that its pipes need for each call.

    Raises:
        TypeError: A pipe cannot be called, or returns a type that the next pipe or the handler does not accept.

    """

    def __init__(
        self,
        parameter: str,
        hint: object,
        default: object,
        *,
        provided: Provided | None,
        where: str,
    ) -> None:
        wanted, *extras = get_args(hint)
        self._stages = [_Stage(each.function, provided, where) for each in extras if isinstance(each, Pipe)]
        self._default = default
        self.parameter = parameter
        self.takes = self._stages[0].takes
        self.per_call = {kind: value for stage in self._stages for kind, value in stage.per_call.items()}
        takers = [*(stage.takes for stage in self._stages[1:]), wanted]
        for stage, taken in zip(self._stages, takers, strict=True):
            if _is_other_class(stage.returns, taken):
                raise TypeError(
                    f"{where}: a pipe returns {type_name(stage.returns)}, but {type_name(taken)} is expected"
                )

    async def value(self, value: object, call: Call, values: Provided) -> object:
        """Return the handler's argument.

        Args:
            value: The decoded value, or the parameter's default, which passes through no pipe.
            call: The call.
            values: The values of `per_call`, by type.

        """
        if value is self._default:
            return value
        for stage in self._stages:
            value = await stage.value(value, call, values)
        return value


def _is_other_class(given: object, wanted: object) -> bool:
    """Say whether both are plain classes and the first is no subclass of the second. Any other type may fit."""
    return isinstance(given, type) and isinstance(wanted, type) and not issubclass(given, wanted)
