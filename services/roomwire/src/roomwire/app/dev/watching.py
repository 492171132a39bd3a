"""Watches files for changes. This is the only module that uses watchfiles, which `roomwire[dev]` installs."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from roomwire.errors import ConfigurationError


def watch(folders: Sequence[Path]) -> AsyncIterator[object]:
    """Return an iterator that yields after Python files have changed; changes at one time are one item.

    Args:
        folders: The folders, including all below them except hidden folders, virtual environments and node_modules.

    Raises:
        ConfigurationError: watchfiles is not installed.

    """
    try:
        import watchfiles  # noqa: PLC0415 - a process that only serves does not have it
    except ModuleNotFoundError:
        raise ConfigurationError("watchfiles is not installed: pip install 'roomwire[dev]'") from None
    return watchfiles.awatch(*folders, watch_filter=watchfiles.PythonFilter())
