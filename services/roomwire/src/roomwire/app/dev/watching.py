"""Which files are watched, and for what. The only module that talks to watchfiles, which comes with `roomwire[dev]`."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from roomwire.errors import ConfigurationError


def watch(folders: Sequence[Path]) -> AsyncIterator[object]:
    """Return an iterator that yields after Python files have changed, several changes at a time.

    Args:
        folders: Where, with all that is below; hidden folders, virtual environments and node_modules are left out.

    Raises:
        ConfigurationError: The package that watches is not installed.

    """
    try:
        import watchfiles  # noqa: PLC0415 - a process that only serves has none
    except ModuleNotFoundError:
        raise ConfigurationError("watchfiles is not installed: pip install 'roomwire[dev]'") from None
    return watchfiles.awatch(*folders, watch_filter=watchfiles.PythonFilter())
