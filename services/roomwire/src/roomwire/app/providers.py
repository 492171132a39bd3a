"""Provides the arguments of gateways' constructors, by their types.

Pure. A parameter gets the value that was provided for its type, or else its default. Without either, the gateway cannot be created.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from roomwire.errors import ApplicationError
from roomwire.gateways.chain import Kind, Provided, has_value
from roomwire.gateways.errors import type_name


class Need(NamedTuple):
    """A parameter of a gateway's constructor.

    Attributes:
        parameter: Its name.
        kinds: The types that it accepts, in the order of precedence.
        is_required: Whether it has no default.

    """

    parameter: str
    kinds: Sequence[Kind]
    is_required: bool


def needs_of(gateway: type) -> Sequence[Need]:
    """Return the parameters of a gateway class's constructor.

    Raises:
        ApplicationError: A parameter without a default has no annotation, or an annotation contains an unknown name.

    """
    constructor: Callable[..., object] = gateway.__init__  # type: ignore[misc] # it is inspected, not called
    try:
        hints = typing.get_type_hints(constructor)
    except NameError as error:
        raise ApplicationError(
            "bind", f"{gateway.__name__}: an annotation of its constructor: {error}"
        ) from error
    needs = []
    for name, parameter in [*inspect.signature(constructor).parameters.items()][1:]:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        is_required = parameter.default is parameter.empty
        if name in hints:
            needs.append(Need(name, _kinds(hints[name]), is_required))
        elif is_required:
            raise ApplicationError(
                "bind",
                f"{gateway.__name__}: the parameter {name!r} of its constructor has no annotation, so nothing can be provided for it",
            )
    return needs


def arguments_of(gateway: type, provided: Provided) -> Mapping[str, object]:
    """Return the arguments for a gateway class's constructor, by name.

    Raises:
        ApplicationError: Nothing was provided for a parameter without a default.

    """
    arguments = {}
    for need in needs_of(gateway):
        found = next((kind for kind in need.kinds if has_value(provided, kind)), None)
        if found is not None:
            arguments[need.parameter] = provided[found]
        elif need.is_required:
            wanted = type_name(need.kinds[0])
            raise ApplicationError(
                "lifespan",
                f"{gateway.__name__} needs a {wanted} (its parameter {need.parameter!r}), but none is provided: "
                f"call app.provide({wanted}, ...) in the lifespan",
            )
    return arguments


def _kinds(hint: Any) -> Sequence[Kind]:
    """Return the members of a union without None, or the type alone."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return [hint]
