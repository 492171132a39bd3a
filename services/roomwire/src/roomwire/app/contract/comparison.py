"""Compares the contract of an application with an earlier one: which changes break a client of then. Pure.

What a client sends has to be taken as before, and what it receives has to be of the types that it knows. A change that only adds
breaks nothing.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from roomwire.app.contract.reading import Contract, Interface, Message, Received
from roomwire.app.contract.schemas import Schema
from roomwire.app.contract.within import Problem, Within

_ARGUMENT: Final = re.compile(r"\[(\d+)\]")
_STRICTNESS: Final = ("off", "optional", "required")

_T = TypeVar("_T")


class Change(NamedTuple):
    """A difference between two contracts.

    Attributes:
        breaks: Whether it breaks a client of the earlier one.
        text: What has changed, with its namespace and event.

    """

    breaks: bool
    text: str


def changes(old: Contract, new: Contract) -> Sequence[Change]:
    """Return how a contract differs from an earlier one.

    Args:
        old: The earlier contract.
        new: The contract of today.

    """
    return [*_Comparison(old, new).changes()]


class _Comparison:
    """Compares two contracts."""

    def __init__(self, old: Contract, new: Contract) -> None:
        self._old = old
        self._new = new

    def changes(self) -> Iterator[Change]:
        yield from _each(
            "",
            self._old.namespaces,
            self._new.namespaces,
            gone="the namespace is gone",
            come="the namespace is new",
            kept=self._namespace,
        )

    def _namespace(self, name: str, old: Interface, new: Interface) -> Iterator[Change]:
        yield from self._security(name, old, new)
        yield from _parameters(name, old, new)
        where = f"{name} connect"
        yield from self._arguments(where, old.connection, new.connection, what="auth")
        yield from _guards(where, old.connection, new.connection)
        yield from _each(
            f"{name} ",
            old.received,
            new.received,
            gone="clients can send it no more",
            come="clients can send it now",
            kept=self._received,
        )
        yield from _each(
            f"{name} ",
            old.sent,
            new.sent,
            gone="it is emitted no more",
            come="it is emitted now",
            kept=self._sent,
        )

    def _security(self, name: str, old: Interface, new: Interface) -> Iterator[Change]:
        if old.auth_mode != new.auth_mode:
            is_stricter = _STRICTNESS.index(new.auth_mode) > _STRICTNESS.index(old.auth_mode)
            yield Change(
                is_stricter, f"{name} connect: the token was {old.auth_mode}, and is {new.auth_mode}"
            )
        if new.authenticate and old.authenticate != new.authenticate:
            yield _breaking(f"{name} connect: {new.authenticate} may refuse it now")

    def _received(self, where: str, old: Received, new: Received) -> Iterator[Change]:
        yield from self._arguments(where, old, new)
        yield from _guards(where, old, new)
        if old.ack is not None and new.ack is not None:
            yield from self._to_client(where, old.ack, new.ack, _Names("ack", ()))

    def _arguments(
        self, where: str, old: Received, new: Received, *, what: str = "argument"
    ) -> Iterator[Change]:
        """Compare what clients send: what was taken is taken."""
        names = _Names(what, new.message.names)
        was, is_ = old.message.payload, new.message.payload
        taking = Within(self._old.components, self._new.components, drops_fields=True)
        problems = [*taking.problems(was, is_, "")]
        yield from (_breaking(f"{where}: {names.sent(problem)}") for problem in problems)
        adding = Within(self._new.components, self._old.components, drops_fields=True)
        if not problems and any(adding.problems(is_, was, "")):
            yield _harmless(f"{where}: more is taken as {names.what}")

    def _sent(self, where: str, old: Message, new: Message) -> Iterator[Change]:
        yield from self._to_client(
            f"{where} (emitted)", old.payload, new.payload, _Names("argument", new.names or old.names)
        )

    def _to_client(self, where: str, old: Schema, new: Schema, names: "_Names") -> Iterator[Change]:
        """Compare what clients receive: it is of the types that they know."""
        knowing = Within(self._new.components, self._old.components, drops_fields=False)
        problems = [*knowing.problems(new, old, "")]
        yield from (_breaking(f"{where}: {names.received(problem)}") for problem in problems)
        adding = Within(self._old.components, self._new.components, drops_fields=True)
        if not problems and any(adding.problems(old, new, "")):
            yield _harmless(f"{where}: the {names.what} changed, and fits the earlier types")


class _Names:
    """Says what is wrong with a part of an event's arguments.

    Args:
        what: What the parts are of: `argument`, `ack` or `auth`.
        names: The names of the arguments.

    """

    def __init__(self, what: str, names: Sequence[str]) -> None:
        self.what = what
        self._names = names

    def sent(self, problem: Problem) -> str:
        """Return a sentence about what clients send: they sent `narrow`, and the server takes `wide`."""
        part = self._part(problem.path)
        match problem.kind:
            case "bound" if not problem.path:
                needs, needed = self._count(problem.wide), self._count(problem.narrow)
                verb = "takes" if "max" in problem.wide else "needs"
                return f"it {verb} {needs} now, and there were {needed}"
            case "missing":
                return f"{part} is required now"
            case "dropped":
                return f"{part} is taken no more"
            case "value":
                return f"{part} cannot be {problem.narrow} any more"
            case "bound":
                return f"{part} has {problem.wide} now, and had {problem.narrow or 'no such bound'}"
            case _:
                return f"{part} was {problem.narrow}, and has to be {problem.wide} now"

    def received(self, problem: Problem) -> str:
        """Return a sentence about what clients receive: the server sends `narrow`, and they know `wide`."""
        part = self._part(problem.path)
        match problem.kind:
            case "bound" if not problem.path:
                return f"there may be {self._count(problem.narrow)} now, and there were {self._count(problem.wide)}"
            case "missing" | "dropped":
                return f"{part} may be missing now"
            case "value":
                return f"{part} may be {problem.narrow} now"
            case "bound":
                return f"{part} has {problem.narrow or 'no such bound'} now, and had {problem.wide}"
            case _:
                return f"{part} was {problem.wide}, and may be {problem.narrow} now"

    def _count(self, bound: str) -> str:
        """Return a bound of the number of arguments in words."""
        name, _, number = bound.partition(" ")
        if not number:
            return f"any number of {self.what}s"
        return f"at {'least' if name == 'minItems' else 'most'} {number} {self.what}{'s' * (number != '1')}"

    def _part(self, path: str) -> str:
        """Return what a path is of, by the names of the arguments."""
        found = _ARGUMENT.match(path)
        if found is None or self.what == "auth":
            return f"{self.what}{path}"
        index, rest = int(found[1]), path[found.end() :]
        if index < len(self._names):
            return f"{self.what} {self._names[index]}{rest}"
        # A handler that returns one value has one argument in its ack.
        return f"{self.what}{rest}" if not index else f"{self.what} {index + 1}{rest}"


def _each(
    prefix: str,
    old: Mapping[str, _T],
    new: Mapping[str, _T],
    *,
    gone: str,
    come: str,
    kept: Callable[[str, _T, _T], Iterator[Change]],
) -> Iterator[Change]:
    """Compare what two mappings have under the same names; a name that is gone breaks clients, and a new one does not."""
    for name in sorted({*old, *new}):
        where = f"{prefix}{name}"
        if name not in new:
            yield _breaking(f"{where}: {gone}")
        elif name not in old:
            yield _harmless(f"{where}: {come}")
        else:
            yield from kept(where, old[name], new[name])


def _breaking(text: str) -> Change:
    return Change(breaks=True, text=text)


def _harmless(text: str) -> Change:
    return Change(breaks=False, text=text)


def _parameters(name: str, old: Interface, new: Interface) -> Iterator[Change]:
    """Compare the names that a pattern allows."""
    for parameter, texts in new.parameters.items():
        before = old.parameters.get(parameter, ())
        if texts and not before:
            yield _breaking(
                f"{name} connect: the parameter {parameter} has to be one of {', '.join(texts)} now"
            )
            continue
        for text in before:
            if texts and text not in texts:
                yield _breaking(f"{name} connect: the parameter {parameter} cannot be {text} any more")
        if before and ({*texts} - {*before} or not texts):
            yield _harmless(f"{name} connect: the parameter {parameter} may be more now")


def _guards(where: str, old: Received, new: Received) -> Iterator[Change]:
    for guard in new.guards:
        if guard not in old.guards:
            yield _breaking(f"{where}: the guard {guard} may refuse it now")
