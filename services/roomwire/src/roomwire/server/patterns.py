"""Patterns of namespaces: which names they serve, and the parameters in such a name. Pure.

A pattern is a template such as `/tenant-{tenant}`, each of whose parameters is a part of the name without a `/`, or a regular
expression, whose named groups are its parameters.
"""

import re
import string
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from roomwire.errors import (
    ConfigurationError,
    InvalidNamespace,
    InvalidNamespaceName,
    InvalidNamespaceParameter,
)

MAX_NAME_CHARS: Final = 128
"""The maximum length of a name that a pattern serves."""
_NAME: Final = re.compile(r"/[A-Za-z0-9._~/-]*")
"""The names that a pattern can serve: those that need no escape in a URL, a key or a log line."""


class NamespacePattern:
    """A pattern of namespaces.

    Args:
        pattern: A template, or a regular expression, which may match anywhere in a name unless it begins with `^` and ends with `$`.

    Attributes:
        text: The text of the pattern, which names it in metrics, logs and contracts.
        parameters: The names of its parameters, in their order.
        shape: What it matches, whatever its parameters are called: two patterns of the same shape serve the same names.

    Raises:
        ConfigurationError: It is no template with a parameter, and no regular expression.

    """

    def __init__(self, pattern: str | re.Pattern[str]) -> None:
        self._template = pattern if isinstance(pattern, str) else ""
        if isinstance(pattern, str):
            self.text = pattern
            parts = _parts(pattern)
            self.parameters: Sequence[str] = [name for _, name in parts if name]
            self.shape = "".join(text + ("{}" if name else "") for text, name in parts)
            self._find = re.compile(_expression(parts)).fullmatch
        else:
            self.text = self.shape = pattern.pattern
            self.parameters = [*pattern.groupindex]
            self._find = pattern.search

    @classmethod
    def in_name(cls, namespace: str) -> "NamespacePattern | None":
        """Return the pattern that a text is, or None if it is the name of one namespace.

        Raises:
            ConfigurationError: As for the constructor.

        """
        return cls(namespace) if "{" in namespace or "}" in namespace else None

    def parameters_in(self, name: str) -> Mapping[str, str] | None:
        """Return the parameters in the name of a namespace, or None if the pattern does not match it.

        Raises:
            InvalidNamespace: It matches, but no pattern serves such a name.

        """
        is_too_long = len(name) > MAX_NAME_CHARS
        if is_too_long and not self._template:
            # It is not matched: an application's own expression may be slow.
            raise InvalidNamespaceName(f"at most {MAX_NAME_CHARS} characters")
        found = self._find(name)
        if found is None:
            return None
        if is_too_long:
            raise InvalidNamespaceName(f"at most {MAX_NAME_CHARS} characters")
        if not _NAME.fullmatch(name):
            raise InvalidNamespaceName(
                "letters, digits and the characters - . _ ~ between slashes, all of ASCII"
            )
        return {parameter: value or "" for parameter, value in found.groupdict().items()}

    def name(self, **values: object) -> str:
        """Return the name of the namespace with some parameters.

        Args:
            values: The value of each parameter.

        Raises:
            ValueError: A parameter is missing, the pattern would not serve the name, it would find other values in it, or it is a
                regular expression.

        """
        given = {parameter: str(value) for parameter, value in values.items()}
        if not self._template or given.keys() != {*self.parameters}:
            raise ValueError(f"{self.text!r} is no template of {', '.join(sorted(given)) or 'nothing'}")
        made = self._template.format(**given)
        try:
            found = self.parameters_in(made)
        except InvalidNamespace as error:
            raise ValueError(f"{made!r}: {error.message}") from None
        if found != given:
            raise ValueError(f"{made!r} would not have these parameters: {given}")
        return made


def converted(text: str, type_: object, parameter: str) -> object:
    """Return a parameter as a value of the type that a handler names.

    A value has one text: `07` is no number, because `/tenant-07` would be another namespace of the same tenant.

    Raises:
        InvalidNamespace: The text is no value of the type.

    """
    try:
        value = msgspec.convert(text, type_, strict=False)
        is_its_text = str(msgspec.to_builtins(value)) == text
    except (msgspec.ValidationError, TypeError) as error:
        problem = str(error).partition(" - at `$")[0]
        raise InvalidNamespaceParameter(parameter, problem) from None
    if not is_its_text:
        raise InvalidNamespaceParameter(parameter, "This is another way to write a value")
    return value


def _expression(parts: Sequence[tuple[str, str]]) -> str:
    """Return a regular expression for a template, which never goes back: a value ends where the text behind it occurs first."""
    made = re.escape(parts[0][0])
    following = [*parts[1:], None]
    for (_, name), after in zip(parts, following, strict=True):
        if not name:
            continue
        if after is None:
            made += f"(?P<{name}>[^/]+)"
        else:
            text, is_last = re.escape(after[0]), not after[1]
            made += f"(?>(?P<{name}>[^/]+?){text}{'$' if is_last else ''})"
    return made


def _parts(template: str) -> Sequence[tuple[str, str]]:
    """Return the parts of a template: a text, and the parameter behind it; empty for the last text."""
    try:
        parsed = [*string.Formatter().parse(template)]
    except ValueError as error:
        raise ConfigurationError(f"the namespace {template!r}: {error}") from None
    parts = []
    for number, (text, name, form, conversion) in enumerate(parsed):
        if name is None:
            parts.append((text, ""))
            continue
        if not name.isidentifier() or form or conversion or name in {known for _, known in parts}:
            raise ConfigurationError(f"the namespace {template!r}: each {{name}} is a name of its own")
        if not text and number:
            raise ConfigurationError(f"the namespace {template!r}: a text must stand between parameters")
        parts.append((text, name))
    if not any(name for _, name in parts) or not all(_NAME.fullmatch(f"/{text}") for text, _ in parts):
        raise ConfigurationError(
            f"the namespace {template!r}: it needs a parameter, and otherwise letters, digits and - . _ ~ / alone"
        )
    if not template.startswith("/"):
        raise ConfigurationError(f"the namespace {template!r} does not begin with /")
    return parts
