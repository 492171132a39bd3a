"""Checks the names of other packages that the library relies on although they are not public.

A module that overrides or reads such names lists them in a `Foreign` and calls `check` when it is imported. A release
that has moved a name is then refused with a clear message, instead of an attribute error in the middle of a connection. Pure,
except that it inspects the installed packages.
"""

import pkgutil
import re
import warnings
from collections.abc import Mapping
from importlib import metadata
from typing import Final, NamedTuple

from roomwire.errors import PackageMissing, PackageUnfit

_MINOR: Final = re.compile(r"(\d+)\.(\d+)")


class Foreign(NamedTuple):
    """The names that the library relies on in one package.

    Attributes:
        package: The package's name in package indexes.
        oldest: The oldest minor release that the library is tested with, such as `5.16`.
        newest: The newest minor release that the library is tested with.
        names: The names, by their class or module. Attributes that `__init__` sets count as the class's own.
        since: The first minor release that has a name, for names that the oldest one lacks.

    """

    package: str
    oldest: str
    newest: str
    names: Mapping[str, tuple[str, ...]]
    since: Mapping[str, str] = {}

    def check(self) -> None:
        """Check the installed release.

        A release outside the tested range is a `RuntimeWarning`.

        Raises:
            ConfigurationError: A name is missing.

        """
        version = _version_of(self.package)
        release = _minor(version)
        for owner, names in self.names.items():
            has = _names_of(owner)
            for name in names:
                is_due = name not in self.since or release >= _minor(self.since[name])
                if is_due and name not in has:
                    raise PackageUnfit(
                        self.package,
                        version,
                        lacking=f"{owner}.{name}",
                        oldest=self.oldest,
                        newest=self.newest,
                    )
        if not _minor(self.oldest) <= release <= _minor(self.newest):
            warnings.warn(
                f"{self.package} {version} is not among the releases that Roomwire is tested with, "
                f"{self.oldest} to {self.newest}: it has every name that Roomwire relies on, but may behave differently.",
                RuntimeWarning,
                stacklevel=2,
            )


def _version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise PackageMissing(package) from error


def _minor(version: str) -> tuple[int, int]:
    found = _MINOR.match(version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _names_of(owner: str) -> set[str]:
    try:
        found: object = pkgutil.resolve_name(owner)
    except (ImportError, AttributeError):
        return set()
    initial = getattr(getattr(found, "__init__", None), "__code__", None)
    return {*dir(found), *(() if initial is None else initial.co_names)}
